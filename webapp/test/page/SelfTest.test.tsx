import { act, screen, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';

import type { Engine } from '../../src/engine/engine';
import type { Check } from '../../src/engine/messages';
import { MASK, fakeEngine, open, started } from './host';

const check = (name: string, outcome: Check['outcome'], rest: Partial<Check> = {}): Check => ({ name, outcome, message: '', command: '', cluster: '', ...rest });

/** An engine whose self-test goes on as the test says. */
function slowEngine() {
  const test: { onCheck: (check: Check) => void; end: () => void; fail: (error: Error) => void; signal: AbortSignal } = {
    onCheck: () => {},
    end: () => {},
    fail: () => {},
    signal: new AbortController().signal,
  };
  const selfTest = vi.fn<Engine['selfTest']>().mockImplementation((_, onCheck, signal) => {
    Object.assign(test, { onCheck, signal });
    return new Promise((resolve, reject) => {
      Object.assign(test, { end: resolve, fail: reject });
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  });
  return { test, engine: fakeEngine({ selfTest }) };
}

const steps = () => within(screen.getByTestId('self-test')).queryAllByRole('listitem');

test('each step is shown when it begins, and again as it ends', async () => {
  const { test, engine } = slowEngine();
  const { user } = open({ Identity: MASK, TeleportAddress: 'tp:443' }, engine);
  await user.click(await started());
  expect(vi.mocked(engine.selfTest).mock.lastCall?.[0]).toMatchObject({ Identity: MASK, TeleportAddress: 'tp:443' });

  act(() => test.onCheck(check('Credentials', 'pending')));
  expect(steps().map((step) => step.dataset.outcome)).toEqual(['pending']);
  act(() => test.onCheck(check('Credentials', 'ok')));
  act(() => test.onCheck(check('Connection', 'failed', { message: 'Nothing listens there.', command: 'tctl status' })));
  expect(steps().map((step) => step.dataset.outcome)).toEqual(['ok', 'failed']);
  expect(steps()[1]?.textContent).toContain('Failed: Connection Nothing listens there.');
  expect(within(screen.getByTestId('self-test')).getByRole('button', { name: /Copy/ })).toBeTruthy();
  await act(async () => {
    test.end();
    await Promise.resolve();
  });
  expect(await screen.findByText('1 of 2 checks failed.')).toBeTruthy();
});

test('checks of several clusters with one name are told apart', async () => {
  const { test, engine } = slowEngine();
  const { user } = open({}, engine);
  await user.click(await started());
  act(() => test.onCheck(check('Connection', 'ok', { cluster: 'a' })));
  act(() => test.onCheck(check('Connection', 'warning', { cluster: 'b' })));
  expect(steps().map((step) => step.dataset.outcome)).toEqual(['ok', 'warning']);
});

test('a test can be stopped, and begun again', async () => {
  const { test, engine } = slowEngine();
  const { user } = open({}, engine);
  await user.click(await started());
  act(() => test.onCheck(check('Connection', 'pending')));
  await user.click(screen.getByRole('button', { name: 'Stop' }));
  expect(test.signal.aborted).toBe(true);
  expect(await screen.findByText('Stopped.')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Test these settings' }));
  expect(steps()).toHaveLength(0);
  expect(test.signal.aborted).toBe(false);
});

test('a test that cannot be made says why', async () => {
  const { test, engine } = slowEngine();
  const { user } = open({}, engine);
  await user.click(await started());
  await act(async () => {
    test.fail(new Error('Only system admins may.'));
    await Promise.resolve();
  });
  expect(await screen.findByText('The test could not be made: Only system admins may.')).toBeTruthy();
});
