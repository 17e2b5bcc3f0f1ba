// Tests run with both Reacts, the one that Mattermost's web app has and the next one, each on settings that nobody has set.
import { after, describe, test } from 'node:test';

import { closeBrowser, picture } from './browser.mjs';
import { clearRecord, saveSettings } from './stage.mjs';

/** How long a test may take. Most take seconds. */
const TEST_MS = 180_000;

const tests = [];

/** Declares a test for each React; `run` gets the test's context and the version. */
export function withBothReacts(name, run) {
  for (const react of ['18', '19']) declare(name, react, run);
}

/** Declares a test with Mattermost's present React alone: for what is up to the server or the core. */
export const withOneReact = (name, run) => declare(name, '18', run);

const declare = (name, react, run) => tests.push({ name: `${name} (React ${react})`, run: (t) => run(t, react) });

/** Runs what was declared; only names that fit the pattern, where there is one. With LIST the names are all there is. */
export function runAll(pattern = '') {
  const wanted = tests.filter(({ name }) => new RegExp(pattern).test(name));
  if (wanted.length === 0) throw new Error(`no test fits ${pattern}`);
  describe('the settings page', () => {
    after(closeBrowser);
    for (const { name, run } of wanted)
      test(name, { timeout: TEST_MS }, async (t) => {
        if (process.env.LIST) return;
        await saveSettings();
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
