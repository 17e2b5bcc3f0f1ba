import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';

import type { Engine } from '../../src/engine/engine';
import type { Confirmation } from '../../src/engine/messages';
import { fakeEngine, open, started } from './host';

const waiting = (id: string, rest: Partial<Confirmation> = {}): Confirmation => ({
  id,
  setting: 'Approvers',
  message: `**@${id}** means nobody yet.`,
  action: 'Accept',
  urgent: false,
  ...rest,
});

/** An engine with a list of what waits, from which goes what is confirmed. */
function engineWith(list: Confirmation[], own: Partial<Engine> = {}) {
  let left = list;
  const confirmations = vi.fn<Engine['confirmations']>().mockImplementation(() => Promise.resolve(left));
  const confirm = vi.fn<Engine['confirm']>().mockImplementation((id) => {
    left = left.filter((waiting) => waiting.id !== id);
    return Promise.resolve(`\`${id}\` was accepted.`);
  });
  return { confirmations, confirm, leave: (list: Confirmation[]) => (left = list), engine: fakeEngine({ confirmations, confirm, ...own }) };
}

const items = async () => within(await screen.findByTestId('confirmations')).getAllByRole('listitem');

test('where nothing waits, nothing is shown', async () => {
  const { engine } = engineWith([]);
  open({}, engine);
  await started();
  await waitFor(() => expect(engine.confirmations).toHaveBeenCalled());
  await act(() => Promise.resolve());
  expect(screen.queryByTestId('confirmations')).toBeNull();
  expect(screen.queryByText('Waiting for your confirmation')).toBeNull();
});

test('what waits stands on top of the page, each thing with its words and its button', async () => {
  const { engine } = engineWith([waiting('alice', { urgent: true }), waiting('bob', { action: 'Remove' })]);
  open({}, engine);
  const [first, second] = await items();
  const section = screen.getByRole('region', { name: 'Waiting for your confirmation' });
  expect(section.compareDocumentPosition(screen.getByRole('button', { name: 'Import' })) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  expect(first?.textContent).toContain('Urgent: Approvers@alice means nobody yet.');
  expect(second?.textContent).not.toContain('Urgent');
  expect(within(section).getByText('@alice').tagName).toBe('STRONG');
  const button = within(section).getByRole('button', { name: 'Remove' });
  expect(document.getElementById(button.getAttribute('aria-describedby') ?? '')?.textContent).toBe('Approvers@bob means nobody yet.');
});

test('a word is given by id, its answer is shown in place and has the focus, and the list is asked for again', async () => {
  const { engine, confirm, confirmations } = engineWith([waiting('alice'), waiting('bob')]);
  const { user } = open({}, engine);
  const [first] = await items();
  await user.click(within(first as HTMLElement).getByRole('button', { name: 'Accept' }));
  expect(confirm.mock.calls).toEqual([['alice']]);
  const answer = await within(first as HTMLElement).findByRole('status');
  expect(answer.textContent).toBe('alice was accepted.');
  expect(document.activeElement).toBe(answer);
  await waitFor(() => expect(confirmations).toHaveBeenCalledTimes(2));
  const [alice, bob] = await items();
  expect(within(alice as HTMLElement).queryByRole('button')).toBeNull();
  expect(within(bob as HTMLElement).getByRole('button', { name: 'Accept' })).toBeTruthy();
});

test('the last answer can be read although nothing waits any more', async () => {
  const { engine, confirmations } = engineWith([waiting('alice')]);
  const { user } = open({}, engine);
  await user.click(await screen.findByRole('button', { name: 'Accept' }));
  await waitFor(() => expect(confirmations).toHaveBeenCalledTimes(2));
  expect(await screen.findByText(/was accepted/)).toBeTruthy();
});

test('a refused word says why, and what has changed meanwhile is shown as it is now', async () => {
  const { engine, leave } = engineWith([waiting('alice')], {
    confirm: vi.fn<Engine['confirm']>().mockRejectedValue(Object.assign(new Error('This has changed. Look at the list again.'), { code: 'FailedPrecondition' })),
  });
  const { user } = open({}, engine);
  const button = await screen.findByRole('button', { name: 'Accept' });
  leave([waiting('alice-2')]);
  await user.click(button);
  expect((await screen.findByRole('alert')).textContent).toBe('This has changed. Look at the list again.');
  await waitFor(() => expect(screen.getByText('@alice-2')).toBeTruthy());
  const [old, now] = await items();
  expect(within(old as HTMLElement).queryByRole('button')).toBeNull();
  expect(within(now as HTMLElement).getByRole('button', { name: 'Accept' })).toBeTruthy();
});

test('a word that could not be given can be given again', async () => {
  const { engine, confirm } = engineWith([waiting('alice')]);
  confirm.mockRejectedValueOnce(new Error('Try again.'));
  const { user } = open({}, engine);
  await user.click(await screen.findByRole('button', { name: 'Accept' }));
  expect((await screen.findByRole('alert')).textContent).toBe('Try again.');
  await user.click(screen.getByRole('button', { name: 'Accept' }));
  expect(await screen.findByText(/was accepted/)).toBeTruthy();
  expect(screen.queryByRole('alert')).toBeNull();
});

test('while a word is on its way, it is not given a second time', async () => {
  let answer: (done: string) => void = () => undefined;
  const confirm = vi.fn<Engine['confirm']>().mockImplementation(() => new Promise((resolve) => (answer = resolve)));
  const { engine } = engineWith([waiting('alice')], { confirm });
  const { user } = open({}, engine);
  const button = await screen.findByRole('button', { name: 'Accept' });
  await user.click(button);
  expect(button.getAttribute('aria-disabled')).toBe('true');
  await user.keyboard('{Enter}');
  await user.click(button);
  expect(confirm).toHaveBeenCalledTimes(1);
  act(() => answer('Done.'));
  expect(await screen.findByText('Done.')).toBeTruthy();
});

test('a list that cannot be loaded is not taken for an empty one', async () => {
  const confirmations = vi.fn<Engine['confirmations']>().mockRejectedValue(new Error('The plugin is starting.'));
  open({}, fakeEngine({ confirmations }));
  expect((await screen.findByTestId('confirmations')).textContent).toContain('could not be loaded: The plugin is starting.');
});

test('what waits is asked for again after a save', async () => {
  const { engine, confirmations, leave } = engineWith([]);
  const { save } = open({}, engine);
  await waitFor(() => expect(confirmations).toHaveBeenCalledTimes(1));
  leave([waiting('alice')]);
  save();
  expect(await screen.findByText('@alice')).toBeTruthy();
  expect(confirmations).toHaveBeenCalledTimes(2);
});
