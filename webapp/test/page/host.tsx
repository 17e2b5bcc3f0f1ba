// A host like System Console's form, and an engine whose answers a test gives.
import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import { vi } from 'vitest';

import type { Engine } from '../../src/engine/engine';
import { defaultOf, pluginId, settings } from '../../src/manifest';
import type { Values } from '../../src/manifest';
import { SettingsPage } from '../../src/page/SettingsPage';

export const PREFIX = `PluginSettings.Plugins.${pluginId.replaceAll('.', '+')}.`;
export const MASK = '*'.repeat(32);
export const PEM = '-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n';
export const SEALED = 'sealed:v1:abc';

export const FACTS = {
  sealed: {},
  problems: [],
  user: 'access-plugin',
  cluster: 'tp',
  notAfter: 1_800_000_000_000,
  validUntil: '15 January 2027',
  warning: '',
};

/** What the plugin answers to good credentials: secrets that were pasted come back sealed, everything else as it was. */
export const factsOf = (values: Record<string, string>) => ({
  ...FACTS,
  sealed: Object.fromEntries(Object.entries(values).map(([key, text]) => [key, text.includes('PRIVATE KEY') ? SEALED : text])),
});

export const fakeEngine = (own: Partial<Engine> = {}): Engine => ({
  check: vi.fn<Engine['check']>().mockResolvedValue([]),
  importToml: vi.fn<Engine['importToml']>().mockResolvedValue({ settings: {}, notes: [], errors: [] }),
  exportToml: vi.fn<Engine['exportToml']>().mockResolvedValue('[teleport]\n'),
  guide: vi.fn<Engine['guide']>().mockResolvedValue([]),
  status: vi.fn<Engine['status']>().mockResolvedValue({ checks: [], version: '0.1.0', teleportVersion: '', authority: '' }),
  selfTest: vi.fn<Engine['selfTest']>().mockResolvedValue(undefined),
  checkCredentials: vi.fn<Engine['checkCredentials']>().mockImplementation((values) => Promise.resolve(factsOf(values))),
  confirmations: vi.fn<Engine['confirmations']>().mockResolvedValue([]),
  confirm: vi.fn<Engine['confirm']>().mockResolvedValue(''),
  stop: vi.fn(),
  ...own,
});

interface Opened {
  user: ReturnType<typeof userEvent.setup>;
  /** The form's value of a setting, as the host would save it. */
  form: (key: string) => unknown;
  /** The host's form, changed from outside. */
  set: (changes: Values) => void;
  /** The host saves its form. */
  save: () => void;
  engine: Engine;
}

/** Opens the page. Settings are as they would be in a new configuration, except `saved`. Without an engine it fails to start. */
export function open(saved: Values = {}, engine: Engine | null = fakeEngine()): Opened {
  let form: Record<string, unknown> = {};
  let set: Opened['set'] = () => undefined;
  let save: Opened['save'] = () => undefined;
  const start = () => (engine ? Promise.resolve(engine) : Promise.reject(new Error('it did not start in time')));
  const Host = () => {
    const [state, setState] = useState(() =>
      Object.fromEntries(settings.map((setting) => [PREFIX + setting.key.toLowerCase(), saved[setting.key] ?? defaultOf(setting)])),
    );
    const [saves, setSaves] = useState(0);
    form = state;
    save = () => setSaves((before) => before + 1);
    set = (changes) =>
      setState((before) => ({ ...before, ...Object.fromEntries(Object.entries(changes).map(([key, value]) => [PREFIX + key.toLowerCase(), value])) }));
    return (
      <SettingsPage
        id={`${PREFIX}teleportaddress`}
        config={saves ? { PluginSettings: { Plugins: { [pluginId]: { saves } } } } : {}}
        currentState={state}
        startEngine={start}
        onChange={(id, value) => setState((before) => ({ ...before, [id]: value as string }))}
      />
    );
  };
  render(<Host />);
  return { user: userEvent.setup(), form: (key) => form[PREFIX + key.toLowerCase()], set: (changes) => set(changes), save: () => act(() => save()), engine: engine ?? fakeEngine() };
}

/** Waits until the engine has started. */
export const started = () => screen.findByRole('button', { name: 'Test these settings' });
