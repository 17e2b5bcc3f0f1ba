// The worker's side of the calls. It only turns messages into calls of the module, and back.
import type { Calls, CallName, FromWorker, Session, ToWorker } from './messages';

/** What the module exports. Everything is JSON. */
export interface Core {
  version: () => string;
  check: (settings: string) => string;
  importToml: (text: string) => string;
  exportToml: (settings: string) => string;
  guide: (wish: string) => string;
  Panel: new (base: string, csrf: string) => Panel;
}

interface Panel {
  status: () => Promise<string>;
  selfTest: (settings: string, onCheck: (check: string) => void, cancelled: Promise<unknown>) => Promise<void>;
  checkCredentials: (values: string, cluster: number) => Promise<string>;
  listConfirmations: () => Promise<string>;
  confirm: (id: string) => Promise<string>;
  free: () => void;
}

/** What a worker's global scope is to this code. */
export interface Port {
  postMessage: (message: FromWorker) => void;
  addEventListener: (type: 'message', listener: (event: { data: ToWorker }) => void) => void;
}

interface Context {
  onEvent: (event: unknown) => void;
  cancelled: Promise<unknown>;
}

type Handlers = {
  [Name in CallName]: (core: Core, input: Calls[Name]['in'], context: Context) => unknown;
};

const read = (json: string): unknown => JSON.parse(json);

/** A panel for one call: the token may be another one next time. */
const withPanel = async <Result>(core: Core, session: Session, ask: (panel: Panel) => Promise<Result>) => {
  const panel = new core.Panel(session.base, session.csrf);
  try {
    return await ask(panel);
  } finally {
    panel.free();
  }
};

const handlers: Handlers = {
  check: (core, { settings }) => read(core.check(JSON.stringify(settings))),
  importToml: (core, { text }) => read(core.importToml(text)),
  exportToml: (core, { settings }) => core.exportToml(JSON.stringify(settings)),
  guide: (core, { wish }) => read(core.guide(JSON.stringify(wish))),
  status: (core, { session }) => withPanel(core, session, async (panel) => read(await panel.status())),
  selfTest: (core, { session, settings }, { onEvent, cancelled }) =>
    withPanel(core, session, async (panel) => {
      await panel.selfTest(JSON.stringify(settings), (check) => onEvent(read(check)), cancelled);
      return null;
    }),
  checkCredentials: (core, { session, values, cluster }) =>
    withPanel(core, session, async (panel) => read(await panel.checkCredentials(JSON.stringify(values), cluster))),
  confirmations: (core, { session }) => withPanel(core, session, async (panel) => read(await panel.listConfirmations())),
  confirm: (core, { session, id }) => withPanel(core, session, (panel) => panel.confirm(id)),
};

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Loads the module, says so, and answers calls until the worker is ended. */
export async function serve(port: Port, load: () => Promise<Core>): Promise<void> {
  let core: Core;
  try {
    core = await load();
  } catch (error) {
    port.postMessage({ failed: text(error) });
    return;
  }
  const cancels = new Map<number, () => void>();
  const answer = async (id: number, call: CallName, input: unknown) => {
    const cancelled = new Promise<void>((resolve) => cancels.set(id, resolve));
    try {
      const handler = handlers[call] as (core: Core, input: unknown, context: Context) => unknown;
      const output = await handler(core, input, { onEvent: (event) => port.postMessage({ id, event }), cancelled });
      port.postMessage({ id, output });
    } catch (error) {
      // After a trap the module's memory is worth nothing: the page starts another worker.
      if (error instanceof WebAssembly.RuntimeError) port.postMessage({ crashed: text(error) });
      const code = (error as { code?: unknown } | null)?.code;
      port.postMessage({ id, error: text(error), ...(typeof code === 'string' ? { code } : {}) });
    } finally {
      cancels.delete(id);
    }
  };
  port.addEventListener('message', ({ data }) => {
    if ('cancel' in data) cancels.get(data.id)?.();
    else void answer(data.id, data.call, data.input);
  });
  port.postMessage({ ready: true, version: core.version() });
}
