// Tests run with both Reacts that Mattermost's web app has, each on settings that nobody has set.
import { test } from 'node:test';

import { picture } from './browser.mjs';
import { clearRecord, saveSettings } from './stage.mjs';

const TEST_MS = 180_000;

/** Declares a test for each React; `run` gets the test's context and the version. */
export function withBothReacts(name, run) {
  for (const react of ['18', '19'])
    test(`${name} (React ${react})`, { timeout: TEST_MS }, async (t) => {
      await saveSettings();
      await clearRecord();
      try {
        await run(t, react);
      } catch (error) {
        t.diagnostic(`a picture: ${await picture(t).catch((reason) => String(reason))}`);
        throw error;
      }
    });
}
