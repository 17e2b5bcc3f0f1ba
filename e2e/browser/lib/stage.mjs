// What the tests play on: servers, clusters and credentials that the command settings-page has set up, and the Mattermost
// server as its admin sees it over REST.
import { readFileSync } from 'node:fs';

const file = process.env.STAGE;
if (!file) {
  console.error('There is no stage: run `make test-browser`, or see README.md.');
  process.exit(1);
}

/** See facts.go of the command settings-page. */
export const stage = JSON.parse(readFileSync(file, 'utf8'));

/** Whether the oldest Mattermost server is tested on. */
export const isOldest = process.env.MATTERMOST === '9.9';

/** What the server shows of a saved secret: asterisks. The oldest hides nothing of plugins, and shows what is sealed. */
export const hidden = isOldest ? /^(?![^]*PRIVATE KEY)[^]*sealed:v2:/ : /^\*+$/;

/** The manifest as it is in the repository. */
export const manifest = JSON.parse(readFileSync(new URL('../../../plugin.json', import.meta.url), 'utf8'));

/** A setting's name on the page. */
export const nameOf = (key) => {
  const setting = manifest.settings_schema.settings.find((setting) => setting.key === key);
  if (!setting) throw new Error(`there is no setting ${key} in plugin.json`);
  return setting.display_name;
};

/** A call of Mattermost's REST interface, past the browser. Answers the JSON, and the response's headers. */
async function call(method, path, { token = '', body = undefined } = {}) {
  const response = await fetch(stage.url + path, {
    method,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  // A body that nobody reads would keep its connection, and with it this process.
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return { answer: JSON.parse(text), headers: response.headers };
}

const signedIn = await call('POST', '/api/v4/users/login', { body: { login_id: stage.admin.username, password: stage.admin.password } });
const token = signedIn.headers.get('Token');

/** The plugin's settings as they are saved, by their keys in lower case; secrets are asterisks. */
export async function savedSettings() {
  const { answer: config } = await call('GET', '/api/v4/config', { token });
  return config.PluginSettings.Plugins[stage.pluginId] ?? {};
}

/** Forgets the plugin's settings, as if nobody had ever opened its page. */
export async function forgetSettings() {
  const { answer: config } = await call('GET', '/api/v4/config', { token });
  // Every server has its own, and it is not the admin's.
  const { sealingkey = '' } = config.PluginSettings.Plugins[stage.pluginId] ?? {};
  // Where the server shows it, it is no asterisks that stand for it, and the plugin warns of it.
  config.PluginSettings.Plugins[stage.pluginId] = { sealingkey: isOldest ? '' : sealingkey };
  await call('PUT', '/api/v4/config', { token, body: config });
}

/** Tells Mattermost where its browsers find it: websockets from elsewhere are refused. */
export const setSiteURL = (url) => call('PUT', '/api/v4/config/patch', { token, body: { ServiceSettings: { SiteURL: url } } });

const recorder = async (method) => await (await fetch(stage.record, { method })).json();

/** What went to the browser since the record was last cleared. */
export async function record() {
  const said = await recorder('GET');
  return (said ?? []).map((one) => ({ ...one, body: Buffer.from(one.body ?? '', 'base64').toString('latin1') }));
}

export const clearRecord = () => recorder('DELETE');
