// What cannot be used is not saved, and the page says why in the core's words.
import assert from 'node:assert/strict';

import { withEachReact } from '../lib/tests.mjs';
import { isFine, openSettings } from '../lib/settings.mjs';
import { hidden, isOldest, savedSettings, stage } from '../lib/stage.mjs';

withEachReact('a save of unusable settings is refused with the reason', async (t, react) => {
  const settings = await openSettings(t, { react });
  await settings.ready();
  await settings.fill({ TeleportAddress: 'not an address' });
  // At first the field says that nothing is filled in.
  await settings.problem('TeleportAddress').filter({ hasText: 'not an address' }).waitFor();
  const said = (await settings.problem('TeleportAddress').innerText()).replace(/^Error:\s*/, '').trim();
  const error = await settings.save();
  assert.ok(said.length > 20 && error.includes(said), `the field says “${said}”, the save “${error}”`);
  assert.notEqual((await savedSettings()).teleportaddress, 'not an address');

  // Mended, it is saved.
  await settings.fill({ TeleportAddress: stage.clusters.double.auth });
  assert.equal(await settings.save(), '');
  assert.equal((await savedSettings()).teleportaddress, stage.clusters.double.auth);
});

withEachReact('what is missing may be saved, and is said at its field', async (t, react) => {
  const settings = await openSettings(t, { react });
  await settings.ready();
  await settings.fill({ Recipients: stage.recipient });
  await settings.problem('TeleportAddress').waitFor();
  assert.equal(await settings.save(), '');
  assert.equal((await savedSettings()).recipients, stage.recipient);
  settings.quiet();
});

withEachReact('a second cluster is filled in, tested and saved along', async (t, react) => {
  const { double, real } = stage.clusters;
  const settings = await openSettings(t, { react });
  await settings.ready();
  await settings.fill({ TeleportAddress: double.auth, Recipients: stage.recipient, Approvers: `* = ${stage.approver}`, Identity: double.plugin.identity });
  await settings.facts.waitFor();
  await settings.button('Add a cluster').click();
  const second = settings.root.getByRole('group', { name: 'Cluster 2', exact: true });
  await second.getByRole('textbox', { name: 'Teleport address', exact: true }).fill(real.auth);
  await second.getByRole('textbox', { name: 'Identity file', exact: true }).fill(real.plugin.identity);
  await second.getByTestId('credential-facts').waitFor();
  const steps = await settings.test();
  const said = steps.map(({ text, outcome }) => `${outcome}: ${text}`).join('\n');
  for (const { auth } of [double, real]) assert.ok(steps.some(({ name }) => name === `${auth}: Watch`), said);
  assert.ok(isFine(steps), said);
  assert.equal(await settings.save(), '');
  // It may hold keys, so Mattermost shows nobody what is saved.
  assert.match((await savedSettings()).moreclusters, hidden);
  settings.quiet();

  const later = await openSettings(t, { react });
  await later.ready();
  if (isOldest) {
    await later.button('Remove Cluster 2').click();
  } else {
    await later.root.getByTestId('clusters-hidden').waitFor();
    await later.button('Enter the list anew').click();
  }
  assert.equal(await later.save(), '');
  later.quiet();

  // Asterisks stand for what is saved, whatever that is: the self-test knows that there is no second cluster any more.
  const last = await openSettings(t, { react });
  await last.ready();
  const left = await last.test();
  assert.ok(left.length > 0 && left.every(({ name }) => !name.includes(real.auth)), left.map(({ name }) => name).join('\n'));
  last.quiet();
});
