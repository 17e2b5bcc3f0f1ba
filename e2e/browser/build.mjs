// Bundles the console's pages into build/console/, once for each React that Mattermost's web app has, had or will have.
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, '../../build/console');
const { resolve } = createRequire(import.meta.url);

for (const version of ['17', '18', '19']) {
  await build({
    entryPoints: { [`console-${version}`]: join(here, 'console/main.jsx') },
    outdir,
    bundle: true,
    minifySyntax: true,
    format: 'iife',
    target: 'chrome114',
    jsx: 'transform',
    define: { 'process.env.NODE_ENV': '"production"' },
    alias: {
      react: resolve(`react-${version}`),
      'react-dom': resolve(`react-dom-${version}`),
      'react-dom/client': version === '17' ? join(here, 'console/client-17.js') : resolve(`react-dom-${version}/client`),
    },
    logLevel: 'warning',
  });
}
cpSync(join(here, 'console/console.css'), join(outdir, 'console.css'));
