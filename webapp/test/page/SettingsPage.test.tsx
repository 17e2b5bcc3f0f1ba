import { fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import React from 'react';
import { expect, test, vi } from 'vitest';

import type { Engine } from '../../src/engine/engine';
import { pluginId, settings } from '../../src/manifest';
import { SettingsPage } from '../../src/page/SettingsPage';
import { MASK, PREFIX, fakeEngine, open, started } from './host';

test('every setting of the manifest has a field on the page', async () => {
  open();
  await started();
  const page = within(screen.getByTestId('teleport-settings'));
  fireEvent.click(page.getByLabelText('Three files'));
  const threeFiles = settings.filter(({ display_name: name }) => page.queryAllByText(name).length > 0).map(({ key }) => key);
  fireEvent.click(page.getByLabelText('An identity file'));
  const identity = settings.filter(({ display_name: name }) => page.queryAllByText(name).length > 0).map(({ key }) => key);
  expect(new Set([...threeFiles, ...identity])).toEqual(new Set(settings.map(({ key }) => key)));
});

test('the sections have headings in the order of the work', () => {
  open();
  const headings = screen.getAllByRole('heading', { level: 3 }).map(({ textContent }) => textContent);
  expect(headings).toEqual(['Connection', 'Credentials', 'Recipients', 'Who may decide', 'Notifications', 'Advanced']);
});

test('fields show what the host’s form holds, and change it', async () => {
  const { user, form } = open({ TeleportAddress: 'tp.example.com:443', RequireMFA: true, AuditRetentionDays: 90 });
  expect(screen.getByLabelText<HTMLInputElement>('Teleport address').value).toBe('tp.example.com:443');
  const mfa = within(screen.getByRole('group', { name: 'Deciding takes MFA' }));
  expect(mfa.getByLabelText<HTMLInputElement>('true').checked).toBe(true);

  await user.click(mfa.getByLabelText('false'));
  expect(form('RequireMFA')).toBe(false);
  await user.selectOptions(screen.getByLabelText('Ask for a reason'), 'Never: a click decides');
  expect(form('AskReason')).toBe('never');
  await user.clear(screen.getByLabelText('Keep the audit trail (days)'));
  await user.type(screen.getByLabelText('Keep the audit trail (days)'), '30');
  expect(form('AuditRetentionDays')).toBe(30);
  await user.type(screen.getByLabelText('Recipients'), 'ops/requests');
  expect(form('Recipients')).toBe('ops/requests');
});

test('what is no number is kept for the core to speak of', async () => {
  const { user, form } = open();
  await user.clear(screen.getByLabelText('Keep records of requests (days)'));
  await user.type(screen.getByLabelText('Keep records of requests (days)'), '3 weeks');
  expect(form('RequestRetentionDays')).toBe('3 weeks');
});

test('problems stand at their fields, and the field says that it is invalid', async () => {
  const check = vi.fn<Engine['check']>().mockImplementation(({ TeleportAddress }) =>
    Promise.resolve(
      TeleportAddress === 'http://tp' ? [{ setting: 'TeleportAddress', message: 'Teleport speaks `TLS` only.', severity: 'wrong' }] : [],
    ),
  );
  const { user } = open({}, fakeEngine({ check }));
  const field = screen.getByLabelText('Teleport address');
  expect(field.getAttribute('aria-invalid')).toBeNull();
  await user.type(field, 'http://tp');
  const problem = await screen.findByTestId('problem-TeleportAddress');
  expect(problem.textContent).toContain('Teleport speaks TLS only.');
  expect(within(problem).getByRole('alert')).toBeTruthy();
  expect(field.getAttribute('aria-invalid')).toBe('true');
  const described = (field.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id));
  expect(described.some((element) => element?.contains(problem))).toBe(true);

  await user.clear(field);
  await waitFor(() => expect(screen.queryByTestId('problem-TeleportAddress')).toBeNull());
});

test('what is missing is said without alarm', async () => {
  const check: Engine['check'] = () => Promise.resolve([{ setting: 'Recipients', message: 'No recipient yet.', severity: 'missing' }]);
  open({}, fakeEngine({ check }));
  const problem = await screen.findByTestId('problem-Recipients');
  expect(within(problem).queryByRole('alert')).toBeNull();
  expect(screen.getByLabelText('Recipients').getAttribute('aria-invalid')).toBeNull();
});

test('a problem with a setting that the page does not have is told all the same', async () => {
  const check: Engine['check'] = () => Promise.resolve([{ setting: 'Recipient', message: 'There is no setting of this name.', severity: 'warning' }]);
  open({}, fakeEngine({ check }));
  expect((await screen.findByTestId('problem-other')).textContent).toContain('There is no setting of this name.');
});

test('an answer that was overtaken is not shown', async () => {
  const answers: ((problems: never[]) => void)[] = [];
  const check = vi.fn<Engine['check']>().mockImplementation(() => new Promise((resolve) => answers.push(resolve)));
  const { set } = open({}, fakeEngine({ check }));
  await waitFor(() => expect(answers).toHaveLength(1));
  set({ TeleportAddress: 'tp:443' });
  await waitFor(() => expect(answers).toHaveLength(2));
  answers[1]?.([]);
  answers[0]?.([{ setting: 'TeleportAddress', message: 'No address yet.', severity: 'missing' }] as never[]);
  await Promise.resolve();
  expect(screen.queryByTestId('problem-TeleportAddress')).toBeNull();
});

test('saved secrets count as set when the core checks, and those that cannot be there do not', async () => {
  const { engine } = open({ Identity: MASK, ClientKey: MASK, SealingKey: MASK });
  await waitFor(() => expect(engine.check).toHaveBeenCalled());
  const [sent] = vi.mocked(engine.check).mock.lastCall ?? [];
  expect(sent?.Identity).toMatch(/^sealed:/);
  expect(sent?.ClientKey).toBe('');
});

test('without an engine everything can be edited, and a note says what is not there', async () => {
  const { user, form } = open({}, null);
  const note = await screen.findByTestId('no-engine');
  expect(note.textContent).toContain('it did not start in time');
  expect(note.textContent).toContain('/teleport status');
  for (const name of ['Test these settings', 'Import', 'Export', 'Setup help']) expect(screen.queryByRole('button', { name })).toBeNull();

  await user.type(screen.getByLabelText('Teleport address'), 'tp:443');
  expect(form('TeleportAddress')).toBe('tp:443');
  await user.click(screen.getByLabelText('Identity file'));
  await user.paste('-----BEGIN KEY-----\nx\n-----END KEY-----');
  expect(form('Identity')).toContain('BEGIN KEY');
});

test('a host that does not show its form is edited from what is saved', async () => {
  const onChange = vi.fn();
  const saved = { teleportaddress: 'tp:443', requiremfa: true };
  const start = () => Promise.resolve(fakeEngine());
  render(
    <SettingsPage id={`${PREFIX}teleportaddress`} config={{ PluginSettings: { Plugins: { [pluginId]: saved } } }} startEngine={start} onChange={onChange} />,
  );
  await started();
  const field = screen.getByLabelText<HTMLInputElement>('Teleport address');
  expect(field.value).toBe('tp:443');
  fireEvent.change(field, { target: { value: 'other:443' } });
  expect(onChange).toHaveBeenCalledWith(`${PREFIX}teleportaddress`, 'other:443');
  expect(field.value).toBe('other:443');
  expect(within(screen.getByRole('group', { name: 'Deciding takes MFA' })).getByLabelText<HTMLInputElement>('true').checked).toBe(true);
});

test('the engine is stopped when the page closes', async () => {
  const engine = fakeEngine();
  const { unmount } = render(<SettingsPage id={`${PREFIX}x`} startEngine={() => Promise.resolve(engine)} onChange={vi.fn()} />);
  await started();
  unmount();
  expect(engine.stop).toHaveBeenCalled();
});

test('another sealing key is generated by the browser’s own chance', async () => {
  const { user, form } = open({ SealingKey: MASK });
  await user.click(screen.getByRole('button', { name: 'Regenerate' }));
  expect(form('SealingKey')).toMatch(/^[a-z0-9]{32}$/);
  expect(screen.getByText(/counts once you save/)).toBeTruthy();
});
