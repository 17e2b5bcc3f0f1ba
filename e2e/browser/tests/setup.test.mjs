// From a plugin that was just enabled to one that works.
import assert from 'node:assert/strict';

import { withEachReact } from '../lib/tests.mjs';
import { identityOf, isFine, openSettings, threeFilesOf } from '../lib/settings.mjs';
import { hidden, manifest, savedSettings, stage } from '../lib/stage.mjs';

const outcomes = (steps) => steps.map(({ name, outcome, text }) => `${name}: ${outcome} (${text})`).join('\n');

const isGreen = (steps) => {
  assert.ok(steps.length >= 8, `only these steps: ${outcomes(steps)}`);
  for (const name of ['Credentials', 'Recipients', 'Permissions', 'Watch'])
    assert.ok(steps.some((step) => step.name === name), `no step ${name}: ${outcomes(steps)}`);
  assert.ok(isFine(steps), `not everything is ok:\n${outcomes(steps)}`);
};

withEachReact('every setting has its field and the page its sections', async (t, react) => {
  const settings = await openSettings(t, { react });
  await settings.ready();
  for (const section of ['Connection', 'Credentials', 'Recipients', 'Who may decide', 'Notifications', 'Advanced'])
    await settings.root.getByRole('heading', { name: section, exact: true }).waitFor();
  await settings.root.getByRole('radio', { name: 'Three files' }).check();
  const text = await settings.root.innerText();
  for (const { key, display_name } of manifest.settings_schema.settings)
    if (key !== 'Identity') assert.ok(text.includes(display_name), `nothing on the page is called ${display_name}`);
  await settings.root.getByRole('radio', { name: 'An identity file' }).check();
  await settings.text('Identity').waitFor();
  settings.quiet();
});

for (const { kind, place, form } of [
  { kind: 'real', place: 'auth', form: 'identity file' },
  { kind: 'real', place: 'proxy', form: 'three files' },
  { kind: 'double', place: 'auth', form: 'three files' },
  { kind: 'double', place: 'proxy', form: 'identity file' },
])
  withEachReact(`an empty page is filled in, tested green and saved: ${kind} Teleport, ${place}, ${form}`, async (t, react) => {
    const cluster = stage.clusters[kind];
    const credentials = form === 'three files' ? threeFilesOf(cluster.plugin) : identityOf(cluster.plugin);
    const settings = await openSettings(t, { react });
    await settings.ready();
    await settings.fill({ TeleportAddress: cluster[place], Recipients: stage.recipient, Approvers: `* = ${stage.approver}` });
    await settings.fill(credentials);
    await settings.facts.waitFor();
    const facts = await settings.facts.innerText();
    assert.ok(facts.includes('access-plugin') && facts.includes(cluster.name), facts);
    isGreen(await settings.test());

    assert.equal(await settings.save(), '');
    const saved = await savedSettings();
    assert.equal(saved.teleportaddress, cluster[place]);
    assert.equal(saved.recipients, stage.recipient);
    assert.match(saved.identity || saved.clientkey, hidden);

    // What was saved is what works, secrets that nobody sees included.
    isGreen(await settings.test());
    await settings.page.reload();
    await settings.ready();
    assert.equal(await settings.text('TeleportAddress').inputValue(), cluster[place]);
    isGreen(await settings.test());
    settings.quiet();
  });
