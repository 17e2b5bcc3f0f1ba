import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';

import { readClusters } from '../../src/page/MoreClusters';
import { MASK, PEM, SEALED, fakeEngine, open, started } from './host';

const list = (form: (key: string) => unknown) => JSON.parse(String(form('MoreClusters'))) as unknown;

test('clusters are added and filled in as cards, and are a JSON list in the setting', async () => {
  const { user, form } = open();
  await started();
  await user.click(screen.getByRole('button', { name: 'Add a cluster' }));
  const card = within(screen.getByRole('group', { name: 'Cluster 2' }));
  expect(document.activeElement).toBe(card.getByLabelText('Teleport address'));
  await user.type(card.getByLabelText('Teleport address'), 'b:443');
  await user.type(card.getByLabelText('Recipients'), 'b/requests');
  await user.click(card.getByLabelText('Identity file'));
  await user.paste(PEM);
  await card.findByTestId('credential-facts');
  expect(list(form)).toEqual([{ TeleportAddress: 'b:443', Recipients: 'b/requests', Identity: SEALED }]);
});

test('a further cluster has its own way to it, and what is not set is left out', async () => {
  const { user, form } = open({ ConnectionUpgrade: 'never', MoreClusters: '[{"TeleportAddress":"b:443"}]' });
  await started();
  const card = within(screen.getByRole('group', { name: 'Cluster 2' }));
  const upgrade = card.getByLabelText<HTMLSelectElement>('Connection upgrade');
  expect(upgrade.value).toBe('auto');
  await user.selectOptions(upgrade, 'always');
  fireEvent.change(card.getByLabelText('Load balancer certificate authority'), { target: { value: '/etc/web.pem' } });
  expect(list(form)).toEqual([{ TeleportAddress: 'b:443', ConnectionUpgrade: 'always', LoadBalancerCA: '/etc/web.pem' }]);
  expect(form('ConnectionUpgrade')).toBe('never');
  await user.selectOptions(upgrade, 'auto');
  fireEvent.change(card.getByLabelText('Load balancer certificate authority'), { target: { value: '' } });
  expect(list(form)).toEqual([{ TeleportAddress: 'b:443' }]);
});

test('credentials of a further cluster are asked about as that cluster’s', async () => {
  const { engine } = open({ MoreClusters: JSON.stringify([{}, { identity: SEALED }]) });
  await waitFor(() => expect(engine.checkCredentials).toHaveBeenCalledWith({ Identity: SEALED }, 2));
});

test('removing the last cluster leaves an empty setting, and the focus on the button that adds one', async () => {
  const { user, form } = open({ MoreClusters: '[{"TeleportAddress":"b:443"}]' });
  await user.click(screen.getByRole('button', { name: 'Remove Cluster 2' }));
  expect(form('MoreClusters')).toBe('');
  expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Add a cluster' }));
});

test('settings of a cluster that the page does not know survive its changes, as do lost capitals', () => {
  const { form } = open({ MoreClusters: '[{"teleportaddress":"b:443","Note":"ours"}]' });
  const card = within(screen.getByRole('group', { name: 'Cluster 2' }));
  fireEvent.change(card.getByLabelText('Teleport address'), { target: { value: 'c:443' } });
  expect(list(form)).toEqual([{ teleportaddress: 'c:443', Note: 'ours' }]);
});

test('a text that is no list of clusters can be mended as text, with the core’s words about it', async () => {
  const message = 'This is no list of clusters.';
  open({ MoreClusters: '{' }, fakeEngine({ check: () => Promise.resolve([{ setting: 'MoreClusters', message, severity: 'wrong' }]) }));
  expect((await screen.findByTestId('problem-MoreClusters')).textContent).toContain(message);
  expect(screen.getByLabelText<HTMLTextAreaElement>('More clusters').value).toBe('{');
});

test('a saved list is hidden and stays as it is, until it is entered anew', async () => {
  const { user, form } = open({ MoreClusters: MASK });
  await started();
  expect(screen.getByTestId('clusters-hidden').textContent).toContain('stays as it is');
  expect(form('MoreClusters')).toBe(MASK);
  await user.click(screen.getByRole('button', { name: 'Enter the list anew' }));
  expect(form('MoreClusters')).toBe('');
  await user.click(screen.getByRole('button', { name: 'Add a cluster' }));
  expect(screen.getByRole('group', { name: 'Cluster 2' })).toBeTruthy();
});

test('two answers that come at once both stay in the list', async () => {
  const { form } = open({ MoreClusters: JSON.stringify([{ Identity: PEM }, { Identity: PEM }]) });
  await waitFor(() => expect(list(form)).toEqual([{ Identity: SEALED }, { Identity: SEALED }]));
});

test.each([
  ['', []],
  ['  ', []],
  ['[]', []],
  ['[{}]', [{}]],
  ['[1]', undefined],
  ['[null]', undefined],
  ['{}', undefined],
  ['[', undefined],
])('%j is read as cards only where it is a list of objects', (text, clusters) => {
  expect(readClusters(text)).toEqual(clusters);
});
