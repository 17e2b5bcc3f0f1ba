import { expect, test, vi } from 'vitest';

import type { WorkerLike } from '../../src/engine/engine';
import { WorkerEngine } from '../../src/engine/engine';
import type { FromWorker, ToWorker } from '../../src/engine/messages';
import type { Core, Port } from '../../src/engine/serve';
import { serve } from '../../src/engine/serve';

type Panel = InstanceType<Core['Panel']>;

const session = () => ({ base: 'https://mm.example.com/plugins/x', csrf: 'token' });
const never = new Promise<never>(() => undefined);

/** A module whose exports a test gives. */
function core(own: Partial<Core> = {}, panel: Partial<Panel> = {}) {
  const made: string[][] = [];
  const freed = vi.fn();
  const module: Core = {
    version: () => '0.1.0',
    check: () => '[]',
    importToml: () => '{}',
    exportToml: () => '',
    guide: () => '[]',
    Panel: class implements Panel {
      constructor(...session: [string, string]) {
        made.push(session);
      }
      status = panel.status ?? (() => Promise.resolve('{}'));
      selfTest = panel.selfTest ?? (() => Promise.resolve());
      checkCredentials = panel.checkCredentials ?? (() => Promise.resolve('{}'));
      listConfirmations = panel.listConfirmations ?? (() => Promise.resolve('[]'));
      confirm = panel.confirm ?? (() => Promise.resolve(''));
      free = freed;
    },
    ...own,
  };
  return { module, made, freed };
}

/** A worker in this thread: both sides of the protocol, with messages that are copied as between threads. */
class FakeWorker implements WorkerLike {
  onmessage: WorkerLike['onmessage'] = null;
  onerror: WorkerLike['onerror'] = null;
  ended = false;
  private listeners: ((event: { data: ToWorker }) => void)[] = [];

  constructor(load: () => Promise<Core>) {
    const port: Port = {
      postMessage: (message) => {
        const data = structuredClone(message);
        queueMicrotask(() => this.ended || this.onmessage?.({ data } as MessageEvent<FromWorker>));
      },
      addEventListener: (_, listener) => void this.listeners.push(listener),
    };
    void serve(port, load);
  }
  postMessage(message: ToWorker) {
    const data = structuredClone(message);
    queueMicrotask(() => this.listeners.forEach((listener) => this.ended || listener({ data })));
  }
  terminate() {
    this.ended = true;
  }
}

const engineOf = (...loads: (() => Promise<Core>)[]) => {
  const workers: FakeWorker[] = [];
  const make = () => {
    const worker = new FakeWorker(loads[Math.min(workers.length, loads.length - 1)] ?? (() => never));
    workers.push(worker);
    return worker;
  };
  return { engine: new WorkerEngine(make, session, 50), workers };
};
const load = (module: Core) => () => Promise.resolve(module);

test('settings go to the module as JSON, and its answer comes back', async () => {
  const problem = { setting: 'TeleportAddress', message: 'No address.', severity: 'missing' };
  const check = vi.fn().mockReturnValue(JSON.stringify([problem]));
  const { engine } = engineOf(load(core({ check }).module));
  expect(await engine.check({ TeleportAddress: 'tp:443', RequireMFA: false })).toEqual([problem]);
  expect(check).toHaveBeenCalledWith('{"TeleportAddress":"tp:443","RequireMFA":false}');
});

test('calls of the plugin go with the session as it is at that time, and leave nothing behind', async () => {
  const { module, made, freed } = core({}, { status: () => Promise.resolve('{"version":"1"}') });
  const { engine } = engineOf(load(module));
  expect(await engine.status()).toEqual({ version: '1' });
  expect(made).toEqual([['https://mm.example.com/plugins/x', 'token']]);
  expect(freed).toHaveBeenCalledOnce();
});

test('what waits is listed, and a word is given by its id', async () => {
  const waiting = { id: 'pin:alice:1', setting: 'Approvers', message: 'x', action: 'Accept', urgent: true };
  const confirm = vi.fn().mockResolvedValue('Accepted.');
  const { engine } = engineOf(load(core({}, { listConfirmations: () => Promise.resolve(JSON.stringify([waiting])), confirm }).module));
  expect(await engine.confirmations()).toEqual([waiting]);
  expect(await engine.confirm('pin:alice:1')).toBe('Accepted.');
  expect(confirm).toHaveBeenCalledWith('pin:alice:1');
});

test('answers find their calls, whichever comes first', async () => {
  const answers: ((json: string) => void)[] = [];
  const checkCredentials = () => new Promise<string>((resolve) => answers.push(resolve));
  const { engine } = engineOf(load(core({}, { checkCredentials }).module));
  const [first, second] = [engine.checkCredentials({}, 0), engine.checkCredentials({}, 1)];
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  answers[1]?.('{"user":"b"}');
  answers[0]?.('{"user":"a"}');
  expect([(await first).user, (await second).user]).toEqual(['a', 'b']);
});

test('checks of a self-test arrive one by one', async () => {
  const selfTest: Panel['selfTest'] = (settings, onCheck) => {
    onCheck(`{"name":${settings}}`);
    onCheck('{"name":"b"}');
    return Promise.resolve();
  };
  const { engine } = engineOf(load(core({}, { selfTest }).module));
  const seen: unknown[] = [];
  await engine.selfTest({}, (check) => seen.push(check.name), new AbortController().signal);
  expect(seen).toEqual([{}, 'b']);
});

test('a cancelled self-test ends on both sides', async () => {
  const ended = vi.fn();
  const selfTest: Panel['selfTest'] = (_, onCheck, cancelled) => {
    onCheck('{"name":"a"}');
    return cancelled.then(ended);
  };
  const { module, freed } = core({}, { selfTest });
  const { engine } = engineOf(load(module));
  const abort = new AbortController();
  await expect(engine.selfTest({}, () => abort.abort(), abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
  await vi.waitFor(() => expect(ended).toHaveBeenCalled());
  await vi.waitFor(() => expect(freed).toHaveBeenCalled());
});

test('a failed call says why, with its code', async () => {
  const status = () => Promise.reject(Object.assign(new Error('Only system admins may.'), { code: 'PermissionDenied' }));
  const { engine } = engineOf(load(core({}, { status }).module));
  await expect(engine.status()).rejects.toMatchObject({ message: 'Only system admins may.', code: 'PermissionDenied' });
});

test('a module that cannot be loaded is said at the start', async () => {
  const { engine, workers } = engineOf(() => Promise.reject(new Error('refused by policy')));
  await expect(engine.start()).rejects.toThrow('refused by policy');
  expect(workers[0]?.ended).toBe(true);
});

test('a worker that says nothing is given up', async () => {
  const { engine, workers } = engineOf(() => never);
  await expect(engine.start()).rejects.toThrow('it did not start in time');
  expect(workers[0]?.ended).toBe(true);
});

test('a script that cannot be loaded is said at the start', async () => {
  const { engine, workers } = engineOf(() => never);
  const start = engine.start();
  workers[0]?.onerror?.({ message: '', preventDefault: () => undefined } as ErrorEvent);
  await expect(start).rejects.toThrow('its script could not be loaded');
});

test('a worker that cannot even be made is said at the start', async () => {
  const engine = new WorkerEngine(() => {
    throw new Error('Workers are forbidden.');
  }, session);
  await expect(engine.start()).rejects.toThrow('Workers are forbidden.');
});

test('after a trap all open calls fail, and the next one gets a new worker', async () => {
  const trap = () => {
    throw new WebAssembly.RuntimeError('unreachable');
  };
  const broken = core({ check: trap }, { status: () => never }).module;
  const { engine, workers } = engineOf(load(broken), load(core().module));
  const status = engine.status();
  await expect(engine.check({})).rejects.toThrow(/stopped by a fault.*Try again/);
  await expect(status).rejects.toThrow(/stopped by a fault/);
  expect(workers[0]?.ended).toBe(true);
  expect(await engine.check({})).toEqual([]);
  expect(workers).toHaveLength(2);
});

test('a stopped engine ends its worker and its calls', async () => {
  const { engine, workers } = engineOf(load(core({}, { status: () => never }).module));
  await engine.start();
  const status = engine.status();
  await Promise.resolve();
  engine.stop();
  await expect(status).rejects.toThrow('closed');
  await vi.waitFor(() => expect(workers[0]?.ended).toBe(true));
});
