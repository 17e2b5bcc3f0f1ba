// Where things are on the origin.
import { stage } from './stage.mjs';

/** The plugin's static files. */
export const STATIC = `/static/plugins/${stage.pluginId}/`;

/** The plugin's page in System Console. */
export const PAGE = `/admin_console/plugins/plugin_${stage.pluginId}`;
