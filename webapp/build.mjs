// Bundles the page, its worker and the WASM module into dist/. Mattermost lets browsers keep these files for a year and gives
// a name of its own only to main.js, so all others carry a hash of what is in them.
import { rmSync } from 'node:fs';
import { basename } from 'node:path';

import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
const options = {
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome114', 'firefox115', 'safari17'],
  legalComments: 'none',
  outdir: 'dist',
  metafile: true,
  logLevel: 'warning',
};

const worker = await build({
  ...options,
  entryPoints: { worker: 'src/engine/worker.ts' },
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  alias: { 'browser-core': '../build/webapp/core.js', 'browser-core/module': '../build/webapp/core_bg.wasm' },
  loader: { '.wasm': 'file' },
});
const [script] = Object.entries(worker.metafile.outputs).flatMap(([file, { entryPoint }]) => (entryPoint ? [file] : []));

// The host has one React, and so must we.
const hostReact = {
  name: 'host-react',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^react$/ }, () => ({ path: 'React', namespace: 'host' }));
    onLoad({ filter: /.*/, namespace: 'host' }, ({ path }) => ({ contents: `module.exports = window.${path}` }));
  },
};
await build({
  ...options,
  entryPoints: { main: 'src/main.tsx' },
  jsx: 'transform',
  define: { WORKER_FILE: JSON.stringify(basename(script)) },
  plugins: [hostReact],
});
