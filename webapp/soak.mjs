// Uses the browser's core as a person types for an hour and longer, and tells its size and how its memory grows:
// soak.mjs FOLDER…, each with the core.js and core_bg.wasm of one build.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

/** Keystrokes: an hour of five a second. */
const KEYS = 18_000;
/** Ten of them, so that a slow leak shows. */
const HOURS = 10;

for (const folder of process.argv.slice(2)) {
  const bytes = readFileSync(resolve(folder, 'core_bg.wasm'));
  const core = await import(pathToFileURL(resolve(folder, 'core.js')).href);
  const { memory } = await core.default({ module_or_path: bytes });
  const pages = () => memory.buffer.byteLength / 65_536;
  const grown = [pages()];
  const began = performance.now();
  for (let hour = 0; hour < HOURS; hour += 1) {
    for (let key = 0; key < KEYS; key += 1) {
      // Texts of every length: what was freed seldom fits what is asked for next.
      const long = 'x'.repeat((key * 7_919) % 4_000);
      const settings = { TeleportAddress: `tp${key}.example.com:443`, Recipients: `ops/${long}`, Approvers: `dba = alice, ${long}` };
      JSON.parse(core.check(JSON.stringify(settings)));
      if (key % 50 === 0) core.importToml(core.exportToml(JSON.stringify(settings)));
    }
    grown.push(pages());
  }
  const milliseconds = (performance.now() - began) / HOURS / KEYS;
  console.log(`${folder}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} compressed, ${milliseconds.toFixed(3)} ms a keystroke`);
  console.log(`  pages of 64 KiB at the start and after each hour: ${grown.join(' ')}`);
}
