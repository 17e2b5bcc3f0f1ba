// Where the plugin is on this Mattermost.
import { pluginId } from './manifest';

/** Where this Mattermost's paths begin: not at the root where it is installed below one. */
export const basename = (): string => (window as { basename?: string }).basename?.replace(/\/$/, '') ?? '';

/** The path of one of the plugin's own routes. */
export const route = (path: string): string => `${basename()}/plugins/${pluginId}${path}`;
