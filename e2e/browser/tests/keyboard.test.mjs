// All of it without a mouse.
import assert from 'node:assert/strict';

import { withEachReact } from '../lib/tests.mjs';
import { isFine, openSettings } from '../lib/settings.mjs';
import { savedSettings, stage } from '../lib/stage.mjs';

/** More fields and buttons than the page has. */
const MOST_TABS = 150;

/** Presses Tab until something has the focus; it must be in sight then. */
async function tabTo(page, locator) {
  for (let presses = 0; presses < MOST_TABS; presses++) {
    await page.keyboard.press('Tab');
    if (await locator.evaluate((element) => element === document.activeElement)) {
      assert.ok(await locator.isVisible());
      return;
    }
  }
  assert.fail(`Tab does not reach ${locator}`);
}

withEachReact('the page is set up, tested and saved with Tab, Space and Enter alone', async (t, react) => {
  const { double } = stage.clusters;
  const settings = await openSettings(t, { react });
  const { page } = settings;
  await settings.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await settings.ready();
  const write = async (key, text) => {
    await tabTo(page, settings.text(key));
    await page.keyboard.type(text);
    assert.equal(await settings.text(key).inputValue(), text);
  };
  const paste = async (key, text) => {
    await page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await tabTo(page, settings.text(key));
    await page.keyboard.press('Control+v');
  };
  await write('TeleportAddress', double.auth);
  await tabTo(page, settings.root.getByRole('radio', { name: 'An identity file' }));
  await page.keyboard.press('ArrowRight');
  await paste('ClientCertificate', double.plugin.certificate);
  await paste('ClientKey', double.plugin.key);
  await paste('ClusterCA', double.plugin.authorities);
  await settings.facts.waitFor();
  await write('Recipients', stage.recipient);
  await tabTo(page, settings.root.getByRole('combobox', { name: 'Who checks decisions' }));
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await write('Approvers', `* = ${stage.approver}`);
  await tabTo(page, settings.testButton);
  await page.keyboard.press('Enter');
  const steps = await settings.testOver();
  assert.ok(isFine(steps), steps.map(({ text, outcome }) => `${outcome}: ${text}`).join('\n'));
  // The focus stays with what was pressed.
  assert.ok(await settings.testButton.evaluate((button) => button === document.activeElement), 'the focus is lost');
  await tabTo(page, settings.saveButton);
  await page.keyboard.press('Space');
  assert.equal(await settings.saved(), '');
  const saved = await savedSettings();
  assert.equal(saved.teleportaddress, double.auth);
  assert.equal(saved.authority, 'approvers');
  settings.quiet();
});

withEachReact('import, export and further clusters work with the keyboard', async (t, react) => {
  const settings = await openSettings(t, { react });
  const { page } = settings;
  await settings.ready();
  await tabTo(page, settings.button('Import'));
  await page.keyboard.press('Enter');
  await tabTo(page, settings.root.getByRole('textbox', { name: 'Configuration file' }));
  await page.keyboard.type('[teleport]\naddr = "typed.example.com:443"\n');
  await tabTo(page, settings.button('Fill in the form'));
  await page.keyboard.press('Space');
  await settings.root.getByTestId('import-notes').waitFor();
  assert.equal(await settings.text('TeleportAddress').inputValue(), 'typed.example.com:443');

  await tabTo(page, settings.button('Add a cluster'));
  await page.keyboard.press('Enter');
  const second = settings.root.getByRole('group', { name: 'Cluster 2', exact: true });
  await second.waitFor();
  // The focus goes where one goes on.
  await page.keyboard.type('second.example.com:443');
  assert.equal(await second.getByRole('textbox', { name: 'Teleport address', exact: true }).inputValue(), 'second.example.com:443');
  await tabTo(page, settings.root.getByRole('button', { name: 'Remove Cluster 2' }));
  await page.keyboard.press('Enter');
  await second.waitFor({ state: 'detached' });
  assert.ok(await settings.button('Add a cluster').evaluate((button) => button === document.activeElement), 'the focus is lost');
  settings.quiet();
});

withEachReact('Enter in a field saves, as everywhere in System Console, and no button of the page does', async (t, react) => {
  const settings = await openSettings(t, { react });
  await settings.ready();
  await settings.fill({ Recipients: stage.recipient });
  for (const name of ['Export', 'Import', 'Test these settings', 'Regenerate']) await settings.button(name).press('Enter');
  assert.ok(await settings.saveButton.isEnabled(), 'a button of the page has saved the form');
  await settings.text('Recipients').press('Enter');
  assert.equal(await settings.saved(), '');
  assert.equal((await savedSettings()).recipients, stage.recipient);
  settings.quiet();
});
