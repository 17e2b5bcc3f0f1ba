// The whole page.
import React, { useState } from 'react';

import type { StartEngine } from '../engine/engine';
import type { Problem } from '../engine/messages';
import { CREDENTIALS, sections, setting, settings } from '../manifest';
import { AuditTrail } from './AuditTrail';
import { Confirmations } from './Confirmations';
import { CredentialsEditor } from './CredentialsEditor';
import { Export } from './Export';
import { Field } from './Field';
import { useForm } from './form';
import type { HostProps } from './form';
import { useEngine, useProblems, useStatus } from './hooks';
import { Import } from './Import';
import { withoutEmptyMasks } from './masks';
import { MoreClusters } from './MoreClusters';
import { Problems } from './Problems';
import { SelfTest } from './SelfTest';
import { SetupHelp } from './SetupHelp';
import { styles } from './styles';

const keysOfPage = new Set(settings.map(({ key }) => key));

export const SettingsPage = ({ startEngine, ...host }: HostProps & { startEngine: StartEngine }) => {
  const form = useForm(host);
  const [empty, setEmpty] = useState<string[]>([]);
  const values = withoutEmptyMasks(form.values, form.saved, empty);
  const { engine, failure } = useEngine(startEngine);
  const problems = useProblems(engine, values);
  const status = useStatus(engine);
  const [tool, setTool] = useState('');
  // An import may change how the plugin signs in: the editor starts anew.
  const [imports, setImports] = useState(0);
  const of = (key: string): Problem[] => problems.filter((problem) => problem.setting === key);
  const rest = problems.filter((problem) => !keysOfPage.has(problem.setting));

  const withEngine = engine
    ? {
        'Setup help': <SetupHelp engine={engine} values={values} status={status} />,
        Import: (
          <Import
            engine={engine}
            onImport={(changes) => {
              form.change(changes);
              setImports((before) => before + 1);
            }}
          />
        ),
        Export: <Export engine={engine} values={values} />,
      }
    : {};
  const tools = { ...withEngine, 'Audit trail': <AuditTrail /> };

  const field = (key: string) => {
    const value = values[key] ?? '';
    if (key === 'MoreClusters')
      return (
        <MoreClusters
          key={`${key}-${imports}`}
          engine={engine}
          value={String(value)}
          problems={of(key)}
          disabled={form.disabled}
          onChange={(text) => form.change({ [key]: text })}
        />
      );
    if (key === 'Identity')
      return (
        <CredentialsEditor
          key={`${key}-${imports}`}
          id="teleport"
          cluster={0}
          engine={engine}
          values={Object.fromEntries(CREDENTIALS.map((key) => [key, String(values[key] ?? '')]))}
          problems={problems}
          disabled={form.disabled}
          onChange={form.change}
          onNothingSaved={(key) => setEmpty((before) => [...before, key])}
        />
      );
    if (CREDENTIALS.includes(key)) return null;
    return (
      <Field
        key={key}
        setting={setting(key)}
        value={value}
        problems={of(key)}
        disabled={form.disabled}
        onChange={(value) => form.change({ [key]: value })}
      />
    );
  };

  return (
    <div className="teleport-settings" data-testid="teleport-settings">
      <style>{styles}</style>
      {failure !== undefined && (
        <div className="teleport-note" data-testid="no-engine" role="status">
          This browser does not run this page’s checks ({failure}). Everything can be edited all the same, and is checked when you save. To test the
          connection, save and type <code>/teleport status</code> in any channel. Import, export and setup help are not available here.
        </div>
      )}
      {engine && <Confirmations engine={engine} saved={form.savedAs} />}
      <div className="teleport-toolbar">
        {Object.keys(tools).map((name) => (
          <button
            key={name}
            type="button"
            className="btn btn-tertiary"
            aria-expanded={tool === name}
            aria-controls="teleport-tool"
            disabled={form.disabled && name === 'Import'}
            onClick={() => setTool(tool === name ? '' : name)}
          >
            {name}
          </button>
        ))}
      </div>
      <section id="teleport-tool" className={tool ? 'teleport-panel' : undefined} hidden={!tool} aria-label={tool || undefined}>
        {tool && <h3>{tool}</h3>}
        {tools[tool as keyof typeof tools]}
      </section>
      {rest.length > 0 && <Problems id="teleport-problems" name="other" problems={rest} />}
      {sections.map(([title, keys]) => (
        <section key={title}>
          <h3>{title}</h3>
          {keys.map(field)}
          {title === 'Connection' && engine && <SelfTest engine={engine} values={form.values} />}
        </section>
      ))}
    </div>
  );
};
