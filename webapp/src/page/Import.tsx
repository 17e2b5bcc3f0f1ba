// Fills the form from a configuration file.
import React, { useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Imported } from '../engine/messages';
import { CREDENTIALS, settings } from '../manifest';
import type { Value, Values } from '../manifest';
import { Text, reason } from './text';
import { TextFile } from './TextFile';

/** What an import changes in the form: lists become the text that the setting holds, and one way to sign in replaces another. */
export function changesOf(imported: Imported): Values {
  const asValue = (value: unknown): Value =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : JSON.stringify(value, null, 2);
  const known = settings.filter(({ key }) => imported.settings[key] !== undefined && imported.settings[key] !== null);
  const changes = Object.fromEntries(known.map(({ key }) => [key, asValue(imported.settings[key])]));
  const signsIn = CREDENTIALS.some((key) => changes[key]);
  return signsIn ? { ...Object.fromEntries(CREDENTIALS.map((key) => [key, ''])), ...changes } : changes;
}

interface Remark {
  line: number | null;
  key?: string;
  text: string;
}

const Remarks = ({ remarks }: { remarks: Remark[] }) => (
  <ul>
    {remarks.map(({ line, key, text }, place) => (
      <li key={place}>
        {line !== null && `Line ${line}: `}
        {key && (
          <>
            <code>{key}</code>:{' '}
          </>
        )}
        <Text>{text}</Text>
      </li>
    ))}
  </ul>
);

export const Import = ({ engine, onImport }: { engine: Engine; onImport: (changes: Values) => void }) => {
  const [text, setText] = useState('');
  const [imported, setImported] = useState<Imported>();
  const [failure, setFailure] = useState('');
  const take = async () => {
    setFailure('');
    setImported(undefined);
    try {
      const imported = await engine.importToml(text);
      setImported(imported);
      if (imported.errors.length > 0) return;
      onImport(changesOf(imported));
      // It may hold a secret.
      setText('');
    } catch (error) {
      setFailure(reason(error));
    }
  };
  const filled = imported ? settings.filter(({ key }) => key in imported.settings).map(({ display_name }) => display_name) : [];
  return (
    <>
      <label htmlFor="teleport-import">Configuration file</label>
      <TextFile id="teleport-import" what="Configuration file" rows={8} placeholder="[teleport]" value={text} onText={setText} />
      <p className="help-text">
        A <code>teleport-mattermost.toml</code> of Teleport’s own plugin, or what this page exported. It fills the form; nothing is saved before you save.
      </p>
      <button type="button" className="btn btn-primary" disabled={text.trim() === ''} onClick={() => void take()}>
        Fill in the form
      </button>
      {failure && <p role="alert" className="teleport-problem teleport-wrong">The file could not be read: {failure}</p>}
      {imported && imported.errors.length > 0 && (
        <div role="alert" data-testid="import-errors" className="teleport-wrong">
          <p>Nothing was filled in. This is wrong in the file:</p>
          <Remarks remarks={imported.errors.map(({ line, key, message }) => ({ line, key, text: message }))} />
        </div>
      )}
      {imported?.errors.length === 0 && (
        <div role="status" data-testid="import-notes">
          <p>{filled.length > 0 ? `Filled in: ${filled.join(', ')}.` : 'The file sets nothing.'}</p>
          <Remarks remarks={imported.notes} />
        </div>
      )}
    </>
  );
};
