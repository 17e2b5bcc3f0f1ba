// The part of Mattermost's web app that a plugin's settings page meets: the host's globals, the plugins' scripts and System
// Console's form. It does what the web app does in the same places, against the real server.
import React from 'react';
import * as ReactDOM from 'react-dom';
import { createRoot } from 'react-dom/client';

import { get } from './client.js';
import { ConsolePage } from './console.jsx';
import { loadPlugins } from './plugins.js';
import { listen } from './socket.js';

// The web app shares its own React with plugins: a second one would not work with it.
window.React = React;
// React 17 has no createRoot.
window.ReactDOM = React.version.startsWith('17.') ? { ...ReactDOM } : { ...ReactDOM, createRoot };

const PLUGIN_PAGE = /^\/admin_console\/plugins\/plugin_([^/]+)$/;

/** Any page of the web app: plugins are loaded on all of them, and links lead from one to another without loading anew. */
const App = () => {
  const [path, setPath] = React.useState(window.location.pathname);
  const [plugins, setPlugins] = React.useState(null);
  const [failure, setFailure] = React.useState('');
  React.useEffect(() => {
    listen();
    loadPlugins().then(setPlugins, (error) => setFailure(String(error)));
    const follow = () => setPath(window.location.pathname);
    window.addEventListener('popstate', follow);
    return () => window.removeEventListener('popstate', follow);
  }, []);
  if (failure) return <p role="alert">{failure}</p>;
  if (!plugins) return <p>Loading…</p>;
  const [, pluginId] = PLUGIN_PAGE.exec(path) ?? [];
  if (pluginId) return <ConsolePage key={pluginId} pluginId={pluginId} components={plugins.components(pluginId)} />;
  return (
    <main data-testid="channel">
      {plugins.manifests.map(({ id, name }) => (
        <a
          key={id}
          href={`/admin_console/plugins/plugin_${id}`}
          onClick={(event) => {
            event.preventDefault();
            window.history.pushState(null, '', event.currentTarget.href + window.location.search);
            setPath(window.location.pathname);
          }}
        >
          {name}
        </a>
      ))}
    </main>
  );
};

get('/api/v4/users/me').then(
  () => createRoot(document.getElementById('root')).render(<App />),
  (error) => document.getElementById('root').append(`Sign in first: ${error.message}`),
);
