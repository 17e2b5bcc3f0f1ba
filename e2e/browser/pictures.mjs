// Draws the pictures of the settings page for docs/images/: the page set up, in the light and the dark theme, a self-test that
// went well, and one that found something.
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { closeBrowser, open } from './lib/browser.mjs';
import { Settings } from './lib/settings.mjs';
import { forgetSettings, stage } from './lib/stage.mjs';

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const MOST_BYTES = 200_000;

const { double } = stage.clusters;
const values = { TeleportAddress: double.proxy, Recipients: stage.recipient, Approvers: 'dba = alice, bob\nprod-* = channel-admins' };

/** A page of its own; `closing` takes what a test's context would. */
async function settingsPage(theme, height) {
  /** @type {any[]} */
  const closing = [];
  const opened = await open({ after: (close) => void closing.push(close) }, { react: '18', theme, viewport: { width: 1100, height } });
  const settings = new Settings(opened);
  await settings.ready();
  return { settings, close: () => Promise.all(closing.map((close) => close())) };
}

async function draw(name, settings, top) {
  await settings.page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  await top.evaluate((element) => window.scrollTo(0, element.getBoundingClientRect().top + window.scrollY - 16));
  const path = `${FOLDER}${name}.png`;
  await settings.page.screenshot({ path });
  const { size } = statSync(path);
  console.log(`    progress: docs/images/${name}.png: ${Math.round(size / 1000)} kB`);
  if (size > MOST_BYTES) throw new Error(`${path} is larger than ${MOST_BYTES / 1000} kB`);
}

mkdirSync(FOLDER, { recursive: true });
for (const theme of ['light', 'dark']) {
  await forgetSettings();
  const { settings, close } = await settingsPage(theme, 1000);
  await settings.fill({ ...values, Identity: double.plugin.identity });
  await settings.facts.waitFor();
  await draw(`settings-${theme}`, settings, settings.page.locator('h1'));
  if (theme === 'light') {
    const steps = await settings.test();
    if (!steps.every(({ outcome }) => outcome === 'ok')) throw new Error(`not green: ${JSON.stringify(steps)}`);
    await draw('self-test', settings, settings.root.getByRole('heading', { name: 'Connection' }));
    await settings.root.getByRole('button', { name: 'Replace Identity file' }).click();
    await settings.text('Identity').fill(double.stranger.identity);
    await settings.facts.filter({ hasText: 'stranger' }).waitFor();
    const found = await settings.test();
    if (!found.some(({ outcome }) => outcome === 'failed')) throw new Error(`nothing failed: ${JSON.stringify(found)}`);
    await draw('self-test-failed', settings, settings.root.getByRole('heading', { name: 'Connection' }));
  }
  await close();
}
await closeBrowser();
