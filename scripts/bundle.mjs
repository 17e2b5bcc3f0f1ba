// Packs the plugin's bundle: bundle.mjs FILE MAX_MEGABYTES PLATFORM…
// The manifest inside names the executables of those platforms only, so that a server of another one says so on upload.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [file, maxMegabytes, ...platforms] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync('plugin.json', 'utf8'));
const executables = Object.entries(manifest.server.executables).filter(([platform]) => platforms.includes(platform));
if (executables.length !== platforms.length) {
  console.error(`plugin.json does not name executables for all of ${platforms.join(', ')}`);
  process.exit(1);
}
manifest.server.executables = Object.fromEntries(executables);

const stage = join('build', 'bundle', platforms.join('+'));
const root = join(stage, manifest.id);
rmSync(stage, { recursive: true, force: true });
const add = (from, to) => {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  cpSync(from, join(root, to), { recursive: true });
};
add('assets', 'assets');
add('LICENSE', 'LICENSE');
add(dirname(manifest.webapp.bundle_path), dirname(manifest.webapp.bundle_path));
add(join('build', 'core.wasm'), 'core/core.wasm');
chmodSync(join(root, 'core', 'core.wasm'), 0o644);
for (const [, path] of executables) {
  add(path, path);
  chmodSync(join(root, path), 0o755);
}
writeFileSync(join(root, 'plugin.json'), JSON.stringify(manifest, null, 2) + '\n');

mkdirSync(dirname(file), { recursive: true });
// The same content always gives the same file.
const tar = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '-C', stage, '-cf', '-', manifest.id];
execFileSync('bash', ['-c', 'set -o pipefail; tar "$@" | gzip -9n > "$0"', file, ...tar], { stdio: 'inherit' });

const megabytes = statSync(file).size / 1e6;
console.log(`${file}: ${megabytes.toFixed(1)} MB`);
if (megabytes > Number(maxMegabytes)) {
  console.error(`That is more than the ${maxMegabytes} MB that such a bundle may have: many servers refuse large uploads.`);
  process.exit(1);
}
