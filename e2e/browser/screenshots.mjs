// Takes the pictures of the settings page that the documents show: screenshots.mjs FOLDER.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { closeBrowser, openPage } from './lib/browser.mjs';
import { Settings, identityOf } from './lib/settings.mjs';
import { saveSettings, stage } from './lib/stage.mjs';

const [folder = ''] = process.argv.slice(2);
const MOST_BYTES = 200_000;
const { double } = stage.clusters;
const good = { TeleportAddress: double.proxy, Recipients: stage.recipient, Approvers: `${stage.approver}\nprod-* = group:sre, channel-admins` };

/** Every picture is a section of the page at its top: what was clicked last is not in it. */
const pictures = [
  { file: 'settings.png', theme: 'light', values: { ...good, ...identityOf(double.plugin) }, tested: true },
  { file: 'settings-dark.png', theme: 'dark', values: { ...good, ...identityOf(double.plugin) }, tested: true },
  { file: 'settings-failure.png', theme: 'light', values: { ...good, ...identityOf(double.stranger) }, tested: true },
  { file: 'settings-who-may-decide.png', theme: 'light', values: { ...good, ...identityOf(double.plugin) }, section: 'Who may decide' },
];

mkdirSync(folder, { recursive: true });
try {
  for (const { file, theme, values, tested = false, section } of pictures) {
    await saveSettings();
    const opened = await openPage({ react: '18', theme, viewport: { width: 1100, height: 900 } });
    const settings = new Settings(opened);
    await settings.ready();
    await settings.fill(values);
    await settings.facts.waitFor();
    if (tested) await settings.test();
    const part = section ? settings.root.getByRole('region', { name: section }) : settings.root.getByRole('region', { name: 'Connection' });
    await opened.page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
    await part.evaluate((element) => element.scrollIntoView());
    const path = join(folder, file);
    await part.screenshot({ path });
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw new Error(`${file} has ${size} bytes`);
    console.log(`${file}: ${Math.round(size / 1000)} kB`);
    await opened.context.close();
  }
} finally {
  await saveSettings();
  await closeBrowser();
}
