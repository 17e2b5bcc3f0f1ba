// Configuration files: those of Teleport's own plugin over the years fill the form, and the settings leave as one.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { withEitherReact } from '../lib/tests.mjs';
import { openSettings } from '../lib/settings.mjs';
import { stage } from '../lib/stage.mjs';

const read = (name) => readFileSync(new URL(`../../../core/tests/fixtures/${name}`, import.meta.url), 'utf8');

/** Files that the core's own tests have too: what they fill in, what they hear is not needed, and what is secret in them. */
const files = [
  {
    name: '2020-01-hyphens.toml',
    fills: {
      TeleportAddress: 'teleport.example.com:3025',
      ClientKey: '/var/lib/teleport/plugins/mattermost/auth.key',
      ClientCertificate: '/var/lib/teleport/plugins/mattermost/auth.crt',
      ClusterCA: '/var/lib/teleport/plugins/mattermost/auth.cas',
      // A channel without its team names none.
      Recipients: '',
    },
    needless: ['token', 'secret', 'http'],
    secrets: ['bot-token-1f0', 'signing-secret-2e1'],
  },
  {
    name: '2020-08-underscores.toml',
    fills: {
      TeleportAddress: 'auth.corp.example.com:3025',
      ClientKey: '/var/lib/teleport/plugins/mattermost/auth.key',
      Recipients: 'operations/access-requests',
      LogLevel: 'warn',
    },
    needless: ['url', 'token', 'secret', 'http'],
    secrets: ['bot-token-1f0', 'signing-secret-2e1', 'callback-password-3d2'],
  },
  {
    name: '2023-role-to-recipients.toml',
    fills: {
      TeleportAddress: 'teleport.example.com:443',
      Identity: '/opt/machine-id/identity',
      Recipients: 'operations/access-requests',
      RoleRecipients: 'dba = data/db-access, carol@example.com\neditor = content/editors',
    },
    needless: ['url', 'token', 'refresh_identity'],
    secrets: ['bot-token-1f0'],
  },
];

const importFile = async (settings, text) => {
  await settings.button('Import').click();
  await settings.root.getByRole('textbox', { name: 'Configuration file' }).fill(text);
  await settings.button('Fill in the form').click();
};

for (const { name, fills, needless, secrets } of files)
  withEitherReact(`the file ${name} fills the form, and what it has too much is said`, async (t, react) => {
    const settings = await openSettings(t, { react });
    await settings.ready();
    await importFile(settings, read(name));
    const notes = await settings.root.getByTestId('import-notes').innerText();
    for (const [key, value] of Object.entries(fills)) {
      const field = key === 'LogLevel' ? settings.root.getByRole('combobox', { name: 'Log level' }) : settings.text(key);
      assert.equal((await field.inputValue()).trim(), value, `${key}; the notes: ${notes}`);
    }
    for (const key of needless)
      assert.ok(
        notes.split('\n').some((note) => note.includes(key) && note.includes('not needed')),
        `nothing says that ${key} is not needed: ${notes}`,
      );
    const page = await settings.page.content();
    for (const secret of secrets) assert.ok(!page.includes(secret), `the page still shows ${secret}`);
    settings.quiet();
  });

withEitherReact('a file that is none changes nothing, and the line is named', async (t, react) => {
  const settings = await openSettings(t, { react });
  await settings.ready();
  await settings.fill({ TeleportAddress: 'kept.example.com:443' });
  await importFile(settings, '[teleport]\naddr = "other.example.com:443"\nidentity = /not/quoted\n');
  const errors = await settings.root.getByTestId('import-errors').innerText();
  assert.match(errors, /Line 3/);
  assert.equal(await settings.text('TeleportAddress').inputValue(), 'kept.example.com:443');
  settings.quiet();
});

withEitherReact('the settings leave as a file without secrets, which fills an empty form again', async (t, react) => {
  const { double } = stage.clusters;
  const settings = await openSettings(t, { react });
  await settings.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await settings.ready();
  await settings.fill({ TeleportAddress: double.proxy, Recipients: stage.recipient, Approvers: 'dba = bob', Identity: double.plugin.identity });
  await settings.facts.waitFor();
  await settings.button('Export').click();
  await settings.root.getByRole('button', { name: 'Copy the settings' }).click();
  await settings.root.getByText('Copied').waitFor();
  const file = await settings.page.evaluate(() => navigator.clipboard.readText());
  for (const words of [double.proxy, stage.recipient]) assert.ok(file.includes(words), file);
  assert.ok(!file.includes('sealed:') && !file.includes('PRIVATE KEY'), file);
  const [download] = await Promise.all([settings.page.waitForEvent('download'), settings.button('Download').click()]);
  assert.match(download.suggestedFilename(), /\.toml$/);

  await settings.page.reload();
  await settings.ready();
  assert.equal(await settings.text('TeleportAddress').inputValue(), '');
  await importFile(settings, file);
  await settings.root.getByTestId('import-notes').waitFor();
  assert.equal(await settings.text('TeleportAddress').inputValue(), double.proxy);
  assert.equal(await settings.text('Recipients').inputValue(), stage.recipient);
  assert.equal((await settings.text('Approvers').inputValue()).trim(), 'dba = bob');
  settings.quiet();
});
