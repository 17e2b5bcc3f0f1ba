// The host's form as this page uses it: all settings by their keys, whoever the component was registered for.
import { useRef, useState } from 'react';

import { defaultOf, pluginId, settings } from '../manifest';
import type { Value, Values } from '../manifest';

/** What System Console hands to a setting's component. */
export interface HostProps {
  /** Full id of the setting: where it is in the configuration. */
  id: string;
  disabled?: boolean;
  /** The configuration as it is saved. */
  config?: { PluginSettings?: { Plugins?: Record<string, Record<string, unknown> | undefined> } };
  /** The whole form by full ids, with what has not been saved. */
  currentState?: Record<string, unknown>;
  onChange: (id: string, value: unknown) => void;
}

export interface Form {
  values: Values;
  /** The certificates as they are saved; as they are in the form where the host does not tell. */
  saved: Pick<Values, 'ClientCertificate' | 'ClusterCA'>;
  /** Everything as it is saved, so that a save can be noticed; empty where the host does not tell. */
  savedAs: string;
  disabled: boolean;
  /** Changes settings. Saving is the host's. */
  change: (changes: Values) => void;
}

const isValue = (value: unknown): value is Value => ['string', 'boolean', 'number'].includes(typeof value);

export function useForm({ id, disabled = false, config, currentState, onChange }: HostProps): Form {
  const prefix = id.slice(0, id.lastIndexOf('.') + 1);
  // What was changed here, for hosts that do not show their form.
  const [changed, setChanged] = useState<Values>({});
  const known = config?.PluginSettings?.Plugins?.[pluginId];
  const saved = known ?? {};
  const values: Values = {};
  for (const setting of settings) {
    const key = setting.key.toLowerCase();
    const value = currentState ? currentState[prefix + key] : (changed[setting.key] ?? saved[key] ?? saved[setting.key]);
    // A switch that was never set may come as an empty text.
    const unset = !isValue(value) || (value === '' && setting.type === 'bool');
    values[setting.key] = unset ? defaultOf(setting) : value;
  }
  const savedText = (key: string): Value => {
    const text = known ? (saved[key.toLowerCase()] ?? saved[key]) : values[key];
    return isValue(text) ? text : '';
  };
  return {
    values,
    saved: { ClientCertificate: savedText('ClientCertificate'), ClusterCA: savedText('ClusterCA') },
    savedAs: known ? JSON.stringify(known) : '',
    disabled,
    change: (changes) => {
      setChanged((before) => ({ ...before, ...changes }));
      for (const [key, value] of Object.entries(changes)) onChange(prefix + key.toLowerCase(), value);
    },
  };
}

/** The newest of something, for what goes on when an answer comes later. */
export function useLatest<Thing>(thing: Thing): { readonly current: Thing } {
  const latest = useRef(thing);
  latest.current = thing;
  return latest;
}
