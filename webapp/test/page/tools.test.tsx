import { screen, waitFor, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';

import type { Engine } from '../../src/engine/engine';
import { MASK, fakeEngine, open, started } from './host';

test('an import fills the form, and lists its notes', async () => {
  const importToml = vi.fn<Engine['importToml']>().mockResolvedValue({
    settings: { TeleportAddress: 'tp:443', RequireMFA: true, MoreClusters: [{ TeleportAddress: 'b:443' }], ClientCertificate: '/crt', ClientKey: '/key', ClusterCA: '/cas' },
    notes: [{ line: 4, text: '`[http]` is not needed.' }],
    errors: [],
  });
  const { user, form } = open({ Identity: MASK }, fakeEngine({ importToml }));
  await started();
  await user.click(screen.getByRole('button', { name: 'Import' }));
  await user.click(screen.getByLabelText('Configuration file'));
  await user.paste('[teleport]');
  await user.click(screen.getByRole('button', { name: 'Fill in the form' }));
  expect((await screen.findByTestId('import-notes')).textContent).toContain('Line 4: [http] is not needed.');
  expect(importToml).toHaveBeenCalledWith('[teleport]');
  expect(form('TeleportAddress')).toBe('tp:443');
  expect(form('RequireMFA')).toBe(true);
  expect(form('ClientKey')).toBe('/key');
  expect(form('Identity')).toBe('');
  expect(JSON.parse(String(form('MoreClusters')))).toEqual([{ TeleportAddress: 'b:443' }]);
  expect(screen.getAllByLabelText<HTMLInputElement>('Three files')[0]?.checked).toBe(true);
});

test('a file with errors changes nothing, and all its errors are told', async () => {
  const errors = [
    { line: 3, key: 'teleport.addr', message: 'This is no address.' },
    { line: null, key: '', message: 'Something else.' },
  ];
  const { user, form } = open({ TeleportAddress: 'tp:443' }, fakeEngine({ importToml: () => Promise.resolve({ settings: {}, notes: [], errors }) }));
  await started();
  await user.click(screen.getByRole('button', { name: 'Import' }));
  await user.click(screen.getByLabelText('Configuration file'));
  await user.paste('x');
  await user.click(screen.getByRole('button', { name: 'Fill in the form' }));
  const told = await screen.findByTestId('import-errors');
  expect(within(told).getAllByRole('listitem').map(({ textContent }) => textContent)).toEqual(['Line 3: teleport.addr: This is no address.', 'Something else.']);
  expect(form('TeleportAddress')).toBe('tp:443');
});

test('an export is of what stands in the form, and can be copied', async () => {
  const exportToml = vi.fn<Engine['exportToml']>().mockImplementation(({ TeleportAddress }) => Promise.resolve(`teleport_address = "${String(TeleportAddress)}"`));
  const { user } = open({ TeleportAddress: 'tp:443' }, fakeEngine({ exportToml }));
  await started();
  await user.click(screen.getByRole('button', { name: 'Export' }));
  expect(await screen.findByText('teleport_address = "tp:443"')).toBeTruthy();
  const execCommand = vi.fn().mockReturnValue(true);
  Object.assign(document, { execCommand });
  await user.click(screen.getByRole('button', { name: 'Copy the settings' }));
  expect(execCommand).toHaveBeenCalledWith('copy');
  expect(await screen.findByText('Copied')).toBeTruthy();
});

test('setup help is for the server that is there and the authority in the form', async () => {
  const guide = vi.fn<Engine['guide']>().mockResolvedValue([{ title: 'Create them', text: 'Where `tctl` may:\n- **one**\n- two\n\nThen save.', command: 'tctl create -f access-plugin.yaml' }]);
  const status = { checks: [], version: '', teleportVersion: '18.11.0', authority: 'teleport' };
  const { user } = open({ Authority: 'teleport', UserTrait: 'mattermost' }, fakeEngine({ guide, status: () => Promise.resolve(status) }));
  await started();
  await user.click(screen.getByRole('button', { name: 'Setup help' }));
  await waitFor(() => expect(guide).toHaveBeenLastCalledWith({ teleportVersion: '18.11.0', authority: 'teleport', userTrait: true, teleportAddress: '' }));
  const help = await screen.findByTestId('setup-help');
  expect(within(help).getByText('tctl create -f access-plugin.yaml')).toBeTruthy();
  expect(within(help).getByText('one').tagName).toBe('STRONG');
  expect(within(help).getByRole('button', { name: 'Copy Create them' })).toBeTruthy();
});

test('the tools are disclosures: one is open at a time', async () => {
  const { user } = open();
  await started();
  const [first, second] = [screen.getByRole('button', { name: 'Import' }), screen.getByRole('button', { name: 'Export' })];
  await user.click(first);
  await user.click(second);
  expect([first.getAttribute('aria-expanded'), second.getAttribute('aria-expanded')]).toEqual(['false', 'true']);
  await user.click(second);
  expect(second.getAttribute('aria-expanded')).toBe('false');
});
