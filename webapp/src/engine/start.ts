// The engine as it is in Mattermost's pages.
import { basename, route } from '../host';
import { pluginId } from '../manifest';
import type { StartEngine } from './engine';
import { WorkerEngine } from './engine';

/** The worker's file beside this script, with a hash in its name; set by the build. */
declare const WORKER_FILE: string;

const cookie = (name: string) =>
  document.cookie
    .split('; ')
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1) ?? '';

export const startEngine: StartEngine = () =>
  new WorkerEngine(
    () => new Worker(`${basename()}/static/plugins/${pluginId}/${WORKER_FILE}`),
    () => ({ base: `${window.location.origin}${route('')}`, csrf: cookie('MMCSRF') }),
  ).start();
