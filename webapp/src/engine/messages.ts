// What the page and its worker say to one another.
import type { Values } from '../manifest';

export type Severity = 'wrong' | 'missing' | 'warning';

/** Something about a setting, in the core's words. */
export interface Problem {
  setting: string;
  message: string;
  severity: Severity;
}

export type Outcome = 'ok' | 'warning' | 'failed' | 'pending';

/** One link of the chain from the settings to a watched Teleport. */
export interface Check {
  name: string;
  outcome: Outcome;
  message: string;
  command: string;
  cluster: string;
}

/** The plugin's state, as it runs. */
export interface Status {
  checks: Check[];
  version: string;
  teleportVersion: string;
  authority: string;
}

/** What credentials are, and their sealed form; or what is wrong with them. */
export interface Facts {
  sealed: Record<string, string>;
  problems: Problem[];
  user: string;
  cluster: string;
  notAfter: number;
  validUntil: string;
  warning: string;
}

/** Something that waits for a system admin's word. */
export interface Confirmation {
  /** Changes when the thing changes. */
  id: string;
  /** The setting that it is about; may be empty. */
  setting: string;
  /** In Markdown. */
  message: string;
  /** What the button says. */
  action: string;
  /** Whether anything is kept from working until then. */
  urgent: boolean;
}

/** What an admin should know about an imported file. */
export interface Note {
  line: number | null;
  text: string;
}

/** Something in an imported file that cannot be used. */
export interface ImportError {
  line: number | null;
  /** With its section; empty where the file's form is wrong. */
  key: string;
  message: string;
}

/** What an imported file says. With errors there are no settings. */
export interface Imported {
  settings: Record<string, unknown>;
  notes: Note[];
  errors: ImportError[];
}

/** For which server and settings help with setting up is wanted. */
export interface Wish {
  teleportVersion: string;
  authority: string;
  userTrait: boolean;
  teleportAddress: string;
}

/** One thing to do. */
export interface Step {
  title: string;
  /** In Markdown. */
  text: string;
  command: string;
}

/** How the plugin is reached: the URL of its route, and the token that goes along with every call. */
export interface Session {
  base: string;
  csrf: string;
}

/** The calls: what goes in, what comes out. */
export interface Calls {
  check: { in: { settings: Values }; out: Problem[] };
  importToml: { in: { text: string }; out: Imported };
  exportToml: { in: { settings: Values }; out: string };
  guide: { in: { wish: Wish }; out: Step[] };
  status: { in: { session: Session }; out: Status };
  selfTest: { in: { session: Session; settings: Values }; out: null; event: Check };
  checkCredentials: { in: { session: Session; values: Record<string, string>; cluster: number }; out: Facts };
  confirmations: { in: { session: Session }; out: Confirmation[] };
  confirm: { in: { session: Session; id: string }; out: string };
}

export type CallName = keyof Calls;

/** To the worker: a call, or that its answer is wanted no more. */
export type ToWorker = { id: number; call: CallName; input: unknown } | { id: number; cancel: true };

/** From the worker: first that it is ready, or why it never will be; then what became of calls. */
export type FromWorker =
  | { ready: true; version: string }
  | { failed: string }
  | { crashed: string }
  | { id: number; event: unknown }
  | { id: number; output: unknown }
  | { id: number; error: string; code?: string };
