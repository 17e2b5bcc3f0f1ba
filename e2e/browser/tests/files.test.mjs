// Configuration files: those of Teleport's own plugin over the years fill the form, and the settings leave as one.
import assert from 'node:assert/strict';

import { withEitherReact } from '../lib/tests.mjs';
import { openSettings } from '../lib/settings.mjs';
import { stage } from '../lib/stage.mjs';

/** Files as admins have them: what they fill in, and what they hear is not needed. */
const files = [
  {
    name: 'of the time of Teleport 4.2, with hyphens',
    text: `
[teleport]
auth-server = "auth.example.com:3025"
client-key = "/var/lib/teleport/plugins/mattermost/auth.key"
client-crt = "/var/lib/teleport/plugins/mattermost/auth.crt"
root-cas = "/var/lib/teleport/plugins/mattermost/auth.cas"

[mattermost]
url = "https://mattermost.example.com"
team = "ops"
channel = "access-requests"
token = "oldest-token"
secret = "oldest-signing-secret"

[http]
listen = ":8081"
base-url = "https://teleport-plugin.example.com"
https-key-file = "/var/lib/teleport/plugins/mattermost/server.key"
https-cert-file = "/var/lib/teleport/plugins/mattermost/server.crt"

[log]
output = "stderr"
severity = "INFO"
`,
    fills: {
      TeleportAddress: 'auth.example.com:3025',
      ClientKey: '/var/lib/teleport/plugins/mattermost/auth.key',
      ClientCertificate: '/var/lib/teleport/plugins/mattermost/auth.crt',
      ClusterCA: '/var/lib/teleport/plugins/mattermost/auth.cas',
      Recipients: 'ops/access-requests',
    },
    needless: ['url', 'token', 'secret', 'http'],
    secrets: ['oldest-token', 'oldest-signing-secret'],
  },
  {
    name: 'with buttons, with underscores',
    text: `
[teleport]
auth_server = "teleport.example.com:3025"
client_key = "/etc/teleport/auth.key"
client_crt = "/etc/teleport/auth.crt"
root_cas = "/etc/teleport/auth.cas"

[mattermost]
url = "https://chat.example.com"
team = "platform"
channel = "requests"
token = "bot-token"
secret = "signing-secret"

[http]
public_addr = "plugin.example.com"
listen_addr = ":8081"
https_key_file = "/etc/teleport/server.key"
https_cert_file = "/etc/teleport/server.crt"

[http.tls]
verify_client_cert = true

[http.basic_auth]
user = "someone"
password = "basic-password"

[log]
output = "stderr"
severity = "DEBUG"
`,
    fills: { TeleportAddress: 'teleport.example.com:3025', ClientKey: '/etc/teleport/auth.key', Recipients: 'platform/requests', LogLevel: 'debug' },
    needless: ['url', 'token', 'secret', 'http'],
    secrets: ['bot-token', 'signing-secret', 'basic-password'],
  },
  {
    name: 'that only notifies, with recipients by role',
    text: `
[teleport]
addr = "teleport.example.com:443"
identity = "/var/lib/teleport/access-plugin/identity"
refresh_identity = true
refresh_identity_interval = "1m"

[mattermost]
url = "https://chat.example.com"
token = "notify-token"

[role_to_recipients]
"dba" = ["data/db-access", "carol@example.com"]
"*" = ["ops/access-requests"]

[log]
output = "stderr"
severity = "WARN"
`,
    fills: {
      TeleportAddress: 'teleport.example.com:443',
      Identity: '/var/lib/teleport/access-plugin/identity',
      Recipients: 'ops/access-requests',
      RoleRecipients: 'dba = data/db-access, carol@example.com',
      LogLevel: 'warn',
    },
    needless: ['url', 'token', 'refresh_identity'],
    secrets: ['notify-token'],
  },
];

const importFile = async (settings, text) => {
  await settings.button('Import').click();
  await settings.root.getByRole('textbox', { name: 'Configuration file' }).fill(text);
  await settings.button('Fill in the form').click();
};

for (const { name, text, fills, needless, secrets } of files)
  withEitherReact(`a file ${name} fills the form, and what it has too much is said`, async (t, react) => {
    const settings = await openSettings(t, { react });
    await settings.ready();
    await importFile(settings, text);
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
