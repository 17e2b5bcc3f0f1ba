// The page's side of the calls.
import type { Calls, CallName, Check, Confirmation, Facts, FromWorker, Imported, Problem, Session, Status, Step, ToWorker, Wish } from './messages';
import type { Values } from '../manifest';

/** What the page can ask. The last five go to the plugin on the server. */
export interface Engine {
  check: (settings: Values) => Promise<Problem[]>;
  importToml: (text: string) => Promise<Imported>;
  exportToml: (settings: Values) => Promise<string>;
  guide: (wish: Wish) => Promise<Step[]>;
  status: () => Promise<Status>;
  selfTest: (settings: Values, onCheck: (check: Check) => void, signal: AbortSignal) => Promise<void>;
  checkCredentials: (values: Record<string, string>, cluster: number) => Promise<Facts>;
  /** What waits for a system admin's word. */
  confirmations: () => Promise<Confirmation[]>;
  /** Gives that word; resolves to what was done. */
  confirm: (id: string) => Promise<string>;
  stop: () => void;
}

/** Starts an engine. */
export type StartEngine = () => Promise<Engine>;

/** What of a `Worker` is used here. */
export interface WorkerLike {
  postMessage: (message: ToWorker) => void;
  terminate: () => void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

/** How long a worker may take to load and compile. */
const START_MS = 10_000;

interface Pending {
  resolve: (output: unknown) => void;
  reject: (error: Error) => void;
  onEvent: (event: unknown) => void;
}

/** An engine in a worker. A worker that crashes fails its calls, and the next call starts another. */
export class WorkerEngine implements Engine {
  private running: Promise<WorkerLike> | undefined;
  private pending = new Map<number, Pending>();
  private last = 0;

  constructor(
    private readonly makeWorker: () => WorkerLike,
    private readonly session: () => Session,
    private readonly startMs = START_MS,
  ) {}

  /** Resolves when the worker can be asked; rejects where it never will be. */
  async start(): Promise<this> {
    await this.worker();
    return this;
  }

  check = (settings: Values) => this.call('check', { settings });
  importToml = (text: string) => this.call('importToml', { text });
  exportToml = (settings: Values) => this.call('exportToml', { settings });
  guide = (wish: Wish) => this.call('guide', { wish });
  status = () => this.call('status', { session: this.session() });
  checkCredentials = (values: Record<string, string>, cluster: number) =>
    this.call('checkCredentials', { session: this.session(), values, cluster });
  confirmations = () => this.call('confirmations', { session: this.session() });
  confirm = (id: string) => this.call('confirm', { session: this.session(), id });

  selfTest = async (settings: Values, onCheck: (check: Check) => void, signal: AbortSignal) => {
    await this.call('selfTest', { session: this.session(), settings }, (event) => onCheck(event as Check), signal);
  };

  stop = () => this.end(new Error('The page was closed.'));

  private worker(): Promise<WorkerLike> {
    this.running ??= new Promise<WorkerLike>((resolve, reject) => {
      const worker = this.makeWorker();
      const fail = (why: string) => {
        clearTimeout(timer);
        worker.terminate();
        const error = new Error(why);
        reject(error);
        this.end(error);
      };
      const timer = setTimeout(() => fail('it did not start in time'), this.startMs);
      worker.onerror = (event) => {
        // Where it is handled, the console need not tell it as well.
        event.preventDefault();
        fail(event.message || 'its script could not be loaded');
      };
      worker.onmessage = ({ data }) => {
        if ('ready' in data) {
          clearTimeout(timer);
          resolve(worker);
        } else if ('failed' in data) fail(data.failed);
        else if ('crashed' in data) fail(`The checks stopped by a fault (${data.crashed}). Try again.`);
        else this.settle(data);
      };
    });
    return this.running;
  }

  private settle(message: Exclude<FromWorker, { ready: true } | { failed: string } | { crashed: string }>) {
    const call = this.pending.get(message.id);
    if (!call) return;
    if ('event' in message) {
      call.onEvent(message.event);
      return;
    }
    this.pending.delete(message.id);
    if ('error' in message) call.reject(Object.assign(new Error(message.error), { code: message.code }));
    else call.resolve(message.output);
  }

  private end(error: Error) {
    const worker = this.running;
    this.running = undefined;
    worker?.then((worker) => worker.terminate()).catch(() => undefined);
    const calls = [...this.pending.values()];
    this.pending.clear();
    for (const call of calls) call.reject(error);
  }

  private async call<Name extends CallName>(
    call: Name,
    input: Calls[Name]['in'],
    onEvent: (event: unknown) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<Calls[Name]['out']> {
    const worker = await this.worker();
    signal?.throwIfAborted();
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => {
        worker.postMessage({ id, cancel: true });
        this.pending.delete(id);
        reject(signal.reason as Error);
      });
      this.pending.set(id, { resolve: (output) => resolve(output as Calls[Name]['out']), reject, onEvent });
      worker.postMessage({ id, call, input });
    });
  }
}
