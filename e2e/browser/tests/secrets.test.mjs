// A private key goes to the server, and never comes back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { withEachReact } from '../lib/tests.mjs';
import { identityOf, isFine, openSettings, threeFilesOf } from '../lib/settings.mjs';
import { record, stage } from '../lib/stage.mjs';

/** Lines of a private key that stand in nothing else. */
const linesOf = (key) => key.split('\n').filter((line) => line.length > 40 && !line.includes('-----'));

const { double } = stage.clusters;
for (const { name, values, held } of [
  { name: 'an identity file', values: identityOf(double.plugin), held: 'Identity' },
  { name: 'three files', values: threeFilesOf(double.plugin), held: 'ClientKey' },
])
  withEachReact(`no response to the browser holds a line of a pasted key: ${name}`, async (t, react) => {
    const lines = linesOf(double.plugin.key);
    assert.ok(lines.length > 10 && double.plugin.identity.includes(lines[3]));
    const settings = await openSettings(t, { react });
    await settings.ready();
    await settings.fill({ TeleportAddress: double.auth, Recipients: stage.recipient, Approvers: `* = ${stage.approver}`, ...values });
    await settings.facts.waitFor();
    await settings.test();
    await settings.button('Export').click();
    await settings.root.getByRole('button', { name: 'Copy the settings' }).waitFor();
    assert.equal(await settings.save(), '');
    await settings.page.reload();
    await settings.ready();
    await settings.facts.waitFor();
    await settings.test();

    const said = await record();
    // The record has what it must: the configuration, and what the worker heard of the plugin.
    const of = (part) => said.filter(({ path }) => path.includes(part));
    assert.ok(of('/api/v4/config').some(({ body }) => body.includes(stage.recipient)), 'the configuration was not recorded');
    assert.ok(of('/panel.Panel/CheckCredentials').some(({ body }) => body.includes('access-plugin')), 'no check of credentials was recorded');
    assert.ok(of('/panel.Panel/SelfTest').some(({ body }) => body.includes('Permissions')), 'no self-test was recorded');

    assert.ok(settings.opened.frames.some((frame) => frame.includes('config_changed')), 'the websocket was not recorded');

    const everything = [...said.map(({ method, path, header, body }) => [`${method} ${path}`, JSON.stringify(header) + body]), ...settings.opened.frames.map((frame) => ['websocket', frame])];
    for (const [place, text] of everything)
      for (const line of lines) assert.ok(!text.includes(line), `${place} answers a line of the key`);

    // On the server's disk it lies sealed.
    const config = readFileSync(stage.config, 'utf8');
    assert.ok(config.includes(stage.recipient) && config.includes('sealed:'), 'the stored configuration is not the one that was saved');
    for (const line of lines) assert.ok(!config.includes(line), 'the stored configuration holds a line of the key');

    // Nor is it anywhere in the page, where the next person at this desk would find it.
    const fields = await settings.page.evaluate(() => [
      document.documentElement.outerHTML,
      ...Array.from(document.querySelectorAll('input, textarea'), (field) => /** @type {HTMLInputElement} */ (field).value),
      JSON.stringify({ ...localStorage, ...sessionStorage }),
    ]);
    for (const line of lines) assert.ok(!fields.some((text) => text.includes(line)), 'the page still holds a line of the key');
    assert.equal(await settings.text(held).count(), 0, 'a saved secret has no field before it is replaced');
    settings.quiet();
  });

withEachReact('a saved secret is replaced, and removed', async (t, react) => {
  const settings = await openSettings(t, { react });
  await settings.ready();
  await settings.fill({ TeleportAddress: double.auth, Recipients: stage.recipient, Approvers: `* = ${stage.approver}`, Identity: double.stranger.identity });
  await settings.facts.waitFor();
  assert.equal(await settings.save(), '');
  await settings.page.reload();
  await settings.ready();
  assert.ok((await settings.test()).some(({ name, outcome }) => name === 'Permissions' && outcome === 'failed'));

  await settings.root.getByRole('button', { name: 'Replace Identity file' }).click();
  await settings.text('Identity').fill(double.plugin.identity);
  await settings.facts.filter({ hasText: 'access-plugin' }).waitFor();
  assert.equal(await settings.save(), '');
  assert.ok(isFine(await settings.test()));

  await settings.root.getByRole('button', { name: 'Remove Identity file' }).click();
  assert.equal(await settings.save(), '');
  assert.ok((await settings.test()).some(({ name, outcome }) => name === 'Credentials' && outcome === 'failed'));
  settings.quiet();
});
