// A plugin's page in System Console: its settings as a form over the server's configuration.
import React from 'react';

import { get, put } from './client.js';
import { NativeField, Row, Text } from './fields.jsx';

/** What the page shows and saves: the manifest, the configuration, the licence and what the environment sets. */
async function load(pluginId) {
  const [plugins, config, environment, license] = await Promise.all([
    get('/api/v4/plugins'),
    get('/api/v4/config'),
    get('/api/v4/config/environment'),
    get('/api/v4/license/client?format=old'),
  ]);
  const manifest = [...plugins.active, ...plugins.inactive].find(({ id }) => id === pluginId);
  if (!manifest) throw new Error(`There is no plugin ${pluginId}.`);
  return { manifest, config, environment, license };
}

/** Where a path leads in the configuration; a + in it is a dot of a name. */
const at = (tree, path) => path.split('.').reduce((place, name) => place?.[name.replaceAll('+', '.')], tree);

const putAt = (tree, path, value) => {
  const names = path.split('.').map((name) => name.replaceAll('+', '.'));
  const last = names.pop();
  let place = tree;
  for (const name of names) place = place[name] ??= {};
  place[last] = value;
};

/** Full ids of a plugin's settings. */
const enableId = (pluginId) => `PluginSettings.PluginStates.${pluginId.replaceAll('.', '+')}.Enable`;
const settingId = (pluginId, key) => `PluginSettings.Plugins.${pluginId.replaceAll('.', '+')}.${key.toLowerCase()}`;

/** The form as the configuration has it. */
const stateOf = ({ manifest, config }) => {
  const state = { [enableId(manifest.id)]: at(config, enableId(manifest.id)) ?? false };
  for (const setting of manifest.settings_schema.settings) {
    const id = settingId(manifest.id, setting.key);
    state[id] = at(config, id) ?? setting.default;
  }
  return state;
};

export const ConsolePage = ({ pluginId, components }) => {
  const [loaded, setLoaded] = React.useState(null);
  const [failure, setFailure] = React.useState('');
  React.useEffect(() => {
    load(pluginId).then(setLoaded, (error) => setFailure(error.message));
  }, [pluginId]);
  if (failure) return <p role="alert">{failure}</p>;
  if (!loaded) return <p>Loading…</p>;
  return <SettingsForm loaded={loaded} components={components} />;
};

class SettingsForm extends React.Component {
  state = { form: stateOf(this.props.loaded), config: this.props.loaded.config, saveNeeded: false, saving: false, error: '' };

  saveActions = [];

  change = (id, value) => this.setState(({ form }) => ({ form: { ...form, [id]: value }, saveNeeded: true }));

  save = async () => {
    const { manifest } = this.props.loaded;
    const ids = [enableId(manifest.id), ...manifest.settings_schema.settings.map(({ key }) => settingId(manifest.id, key))];
    const patch = {};
    for (const id of ids) if (this.state.form[id] !== undefined) putAt(patch, id, this.state.form[id]);
    this.setState({ saving: true, error: '' });
    try {
      const config = await put('/api/v4/config/patch', patch);
      const results = await Promise.all(this.saveActions.map((action) => action()));
      const refused = results.find((result) => result?.error);
      if (refused) throw new Error(refused.error.message);
      this.setState({ config, form: stateOf({ manifest, config }), saveNeeded: false });
    } catch (error) {
      this.setState({ error: error.message });
    }
    this.setState({ saving: false });
  };

  propsOf(setting, id) {
    const { license, environment } = this.props.loaded;
    return {
      id,
      label: setting.display_name,
      helpText: <Text>{setting.help_text ?? ''}</Text>,
      value: this.state.form[id],
      disabled: this.state.saving,
      config: this.state.config,
      currentState: this.state.form,
      license,
      setByEnv: Boolean(at(environment, id)),
      onChange: this.change,
      registerSaveAction: (action) => this.saveActions.push(action),
      unRegisterSaveAction: (action) => this.saveActions.splice(this.saveActions.indexOf(action), 1),
      setSaveNeeded: () => this.setState({ saveNeeded: true }),
      cancelSubmit: () => undefined,
      showConfirm: false,
    };
  }

  renderSetting(setting) {
    const id = settingId(this.props.loaded.manifest.id, setting.key);
    const props = this.propsOf(setting, id);
    const custom = this.props.components.get(setting.key.toLowerCase());
    if (!custom) return <NativeField key={id} setting={setting} {...props} />;
    const component = <custom.component key={id} {...props} />;
    if (!custom.showTitle) return component;
    return (
      <Row key={id} id={id} label={setting.display_name} helpText={props.helpText}>
        {component}
      </Row>
    );
  }

  render() {
    const { manifest } = this.props.loaded;
    const enable = { key: 'Enable', type: 'bool', display_name: 'Enable Plugin:', help_text: 'When true, this plugin is enabled.' };
    const { saveNeeded, saving, error } = this.state;
    return (
      <div className="admin-console">
        <header className="admin-console__header">
          <h1>{manifest.name}</h1>
        </header>
        <main className="admin-console__wrapper">
          <form
            className="form-horizontal"
            aria-label={manifest.name}
            onSubmit={(event) => {
              event.preventDefault();
              void this.save();
            }}
          >
            {manifest.settings_schema.header && (
              <div className="banner">
                <Text>{manifest.settings_schema.header}</Text>
              </div>
            )}
            <NativeField setting={enable} {...this.propsOf(enable, enableId(manifest.id))} />
            {manifest.settings_schema.settings.map((setting) => this.renderSetting(setting))}
            <div className="admin-console-save">
              <button type="submit" className="btn btn-primary" data-testid="saveSetting" disabled={!saveNeeded || saving}>
                {saving ? 'Saving Config...' : 'Save'}
              </button>
              <div className="error-message" role="alert">
                {error}
              </div>
            </div>
          </form>
        </main>
      </div>
    );
  }
}
