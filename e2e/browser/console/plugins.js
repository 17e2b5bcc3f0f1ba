// Loads the plugins' scripts, and keeps what they register.
import { get } from './client.js';
import { onEvent } from './socket.js';

/** What a plugin gets to register with. What is no matter of System Console is taken and forgotten. */
const registryOf = (components) =>
  new Proxy(
    {
      registerAdminConsoleCustomSetting(key, component, { showTitle = false } = {}) {
        components.set(key.toLowerCase(), { component, showTitle });
      },
      registerWebSocketEventHandler: onEvent,
    },
    { get: (known, name) => known[name] ?? (() => `id-of-${String(name)}`) },
  );

/** A part of Redux's store: what plugins may read of it here is that it is there. */
const store = { getState: () => ({}), dispatch: (action) => action, subscribe: () => () => undefined };

const loadScript = (manifest) =>
  new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.id = `plugin_${manifest.id}`;
    // The server leaves a folder out, and the web app puts it in.
    script.src = manifest.webapp.bundle_path.replace(/^\/static\/(?!plugins\/)/, '/static/plugins/');
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${script.src} could not be loaded`));
    document.head.append(script);
  });

export async function loadPlugins() {
  const registered = new Map();
  const components = new Map();
  window.plugins = {};
  window.registerPlugin = (id, plugin) => {
    window.plugins[id] = plugin;
    registered.set(id, plugin);
  };
  const manifests = await get('/api/v4/plugins/webapp');
  for (const manifest of manifests) {
    await loadScript(manifest);
    const own = new Map();
    components.set(manifest.id, own);
    registered.get(manifest.id)?.initialize?.(registryOf(own), store);
  }
  return {
    manifests: (await get('/api/v4/plugins')).active,
    components: (id) => components.get(id) ?? new Map(),
  };
}
