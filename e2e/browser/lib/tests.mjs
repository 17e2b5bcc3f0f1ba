// Tests run with each React that the server's web app has or will have, each on settings that nobody has set.
import { after, describe, test } from 'node:test';

import { closeBrowser, picture } from './browser.mjs';
import { clearRecord, forgetSettings, isOldest } from './stage.mjs';

/** How long a test may take. Most take seconds. */
const TEST_MS = 180_000;

/** REACT takes one of them. The oldest Mattermost has React 17, and none but it has. */
const reacts = process.env.REACT ? [process.env.REACT] : isOldest ? ['17'] : ['18', '19'];

const tests = [];

/** Declares a test for each React; `run` gets the test's context and the version. */
export function withEachReact(name, run) {
  for (const react of reacts) tests.push({ name: `${name} (React ${react})`, run: (t) => run(t, react) });
}

let turn = 0;

/** Declares a test of what Teleport and the core say, which is the same with any React and server: they take turns. */
export function withEitherReact(name, run) {
  if (isOldest) return;
  const react = reacts[turn++ % reacts.length];
  tests.push({ name: `${name} (React ${react})`, run: (t) => run(t, react) });
}

/** Runs what was declared; only names that fit the pattern, where there is one. With LIST the names are all there is. */
export function runAll(pattern = '') {
  const wanted = tests.filter(({ name }) => new RegExp(pattern).test(name));
  // On the oldest server there are fewer.
  if (wanted.length === 0 && isOldest) return;
  if (wanted.length === 0) throw new Error(`no test fits ${pattern}`);
  describe('the settings page', () => {
    after(closeBrowser);
    for (const { name, run } of wanted)
      test(name, { timeout: TEST_MS }, async (t) => {
        if (process.env.LIST) return;
        await forgetSettings();
        await clearRecord();
        try {
          await run(t);
        } catch (error) {
          t.diagnostic(`a picture: ${await picture(t).catch((reason) => String(reason))}`);
          throw error;
        }
      });
  });
}
