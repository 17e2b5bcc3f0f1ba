// Shows that the tests notice a page that is broken: breaks it in many ways, one at a time, and runs the tests that must fail.
// BREAK takes one of them.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { breaks } from './lib/breaks.mjs';

const all = fileURLToPath(new URL('tests/all.mjs', import.meta.url));

/** Runs tests, and answers how each came out. */
function run(environment) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--test-reporter=tap', all], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (part) => (output += part));
    child.on('close', () => {
      const found = output.matchAll(/^ +(not ok|ok) \d+ - (.*\(React \d+\))$/gm);
      resolve(Array.from(found, ([, verdict, name]) => ({ name: name.replaceAll('\\#', '#'), passed: verdict === 'ok' })));
    });
  });
}

const names = (await run({ LIST: '1', REACT: '18' })).map(({ name }) => name);
const noticed = new Set();
let missed = 0;
for (const [name, { fails }] of Object.entries(breaks).filter(([name]) => !process.env.BREAK || name === process.env.BREAK)) {
  const results = await run({ BREAK: name, ONLY: `(?:${fails.source})`, REACT: '18', PATIENCE: '6000' });
  const failed = results.filter(({ passed }) => !passed);
  for (const { name } of failed) noticed.add(name);
  const passed = results.filter(({ passed }) => passed);
  if (passed.length > 0 || failed.length === 0) missed++;
  console.log(`    progress: ${name}: ${failed.length} tests fail${passed.length ? `, but not\n      ${passed.map(({ name }) => name).join('\n      ')}` : ''}`);
}
if (!process.env.BREAK) {
  const untouched = names.filter((name) => !noticed.has(name));
  for (const name of untouched) console.log(`    no break fails: ${name}`);
  if (untouched.length > 0) missed++;
}
process.exitCode = missed > 0 ? 1 : 0;
