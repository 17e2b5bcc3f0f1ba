// The real core in its browser form, without a browser: what it says is what the plugin says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../../build/webapp/', import.meta.url);
const core = await import(new URL('core.js', folder).href);
await core.default({ module_or_path: readFileSync(new URL('core_bg.wasm', folder)) });

test('settings are checked with the texts of the core', () => {
  const problems = JSON.parse(core.check(JSON.stringify({ TeleportAddress: 'http://tp', Recipients: 'ops/x', Colour: 'red' })));
  const about = (setting) => problems.find((problem) => problem.setting === setting);
  assert.equal(about('TeleportAddress').severity, 'wrong');
  assert.match(about('TeleportAddress').message, /plain HTTP/);
  assert.equal(about('Identity').severity, 'missing');
  assert.equal(about('Colour').severity, 'warning');
  assert.equal(about('Recipients'), undefined);
});

test('no text from outside breaks it', () => {
  for (const text of ['', '{', 'null', '[]', '"x"', '{"TeleportAddress":{}}', '\u0000', '🦀'.repeat(10_000), '['.repeat(100_000)]) {
    assert.ok(Array.isArray(JSON.parse(core.check(text))), text.slice(0, 20));
    const imported = JSON.parse(core.importToml(text));
    assert.ok(imported.errors || imported.settings, text.slice(0, 20));
  }
});

test('a configuration file becomes settings, and says what is not needed', () => {
  const file = readFileSync(new URL('../../../core/tests/fixtures/2023-role-to-recipients.toml', import.meta.url), 'utf8');
  const { settings, notes } = JSON.parse(core.importToml(file));
  assert.ok(settings.TeleportAddress, JSON.stringify(settings));
  assert.ok(notes.length > 0);
  const again = JSON.parse(core.importToml(core.exportToml(JSON.stringify(settings))));
  assert.equal(again.settings.Recipients, settings.Recipients);
});

test('every setting of the manifest is one of the core’s', () => {
  const { settings_schema: schema } = JSON.parse(readFileSync(new URL('../../../plugin.json', import.meta.url), 'utf8'));
  const values = Object.fromEntries(schema.settings.map(({ key, type, default: value }) => [key, value ?? (type === 'bool' ? false : '')]));
  const problems = JSON.parse(core.check(JSON.stringify(values)));
  assert.deepEqual(
    problems.map(({ setting, severity }) => `${setting}: ${severity}`),
    ['TeleportAddress: missing', 'Identity: missing', 'Recipients: missing'],
  );
});

test('help with setting up is for the version and the authority', () => {
  const wish = { teleportVersion: '18.11.0', authority: 'teleport', userTrait: false, teleportAddress: 'tp.example.com:443' };
  const commands = JSON.parse(core.guide(JSON.stringify(wish))).map(({ command }) => command);
  for (const part of ['submit_for_users', 'tctl auth sign', 'tp.example.com:443']) {
    assert.ok(commands.some((command) => command.includes(part)), part);
  }
  assert.throws(() => core.guide('{}'), /teleportVersion/);
});

test('a token that no header can carry is refused before anything is sent', () => {
  assert.throws(() => new core.Panel('https://mm.example.com', 'a\nb'), /Sign in again/);
});

/** Runs `ask` with a plugin that answers every call with these bytes, as gRPC-web; answers what was sent, too. */
const withPlugin = async (message, status, ask) => {
  const { fetch } = globalThis;
  const sent = [];
  const frame = (flags, bytes) => Buffer.concat([Buffer.from([flags, 0, 0, bytes.length >> 8, bytes.length & 255]), bytes]);
  globalThis.fetch = async (request) => {
    sent.push({ url: request.url, csrf: request.headers.get('x-csrf-token'), body: Buffer.from(await request.arrayBuffer()) });
    const body = Buffer.concat([...(message ? [frame(0, message)] : []), frame(0x80, Buffer.from(status))]);
    return new Response(body, { headers: { 'content-type': 'application/grpc-web+proto' } });
  };
  const panel = new core.Panel('https://mm.example.com/plugins/x', 'token');
  try {
    return { answer: await ask(panel), sent };
  } finally {
    panel.free();
    globalThis.fetch = fetch;
  }
};

const text = (field, value) => Buffer.concat([Buffer.from([(field << 3) | 2, Buffer.byteLength(value)]), Buffer.from(value)]);

test('what waits for an admin’s word is read from the plugin, and the word is given by its id', async () => {
  const waiting = Buffer.concat([text(1, 'pin:1'), text(2, 'Approvers'), text(3, '**@a** is new.'), text(4, 'Accept'), Buffer.from([(5 << 3) | 0, 1])]);
  const listed = await withPlugin(text(1, waiting.toString()), 'grpc-status:0\r\n', (panel) => panel.listConfirmations());
  assert.deepEqual(JSON.parse(listed.answer), [{ id: 'pin:1', setting: 'Approvers', message: '**@a** is new.', action: 'Accept', urgent: true }]);
  assert.deepEqual(listed.sent.map(({ url, csrf }) => [url, csrf]), [['https://mm.example.com/plugins/x/panel.Panel/ListConfirmations', 'token']]);

  const given = await withPlugin(text(1, 'Accepted.'), 'grpc-status:0\r\n', (panel) => panel.confirm('pin:1'));
  assert.equal(given.answer, 'Accepted.');
  assert.match(given.sent[0].url, /\/panel\.Panel\/Confirm$/);
  assert.ok(given.sent[0].body.includes(text(1, 'pin:1')));
});

test('a word that comes too late is refused with the plugin’s words', async () => {
  const refused = withPlugin(undefined, 'grpc-status:9\r\ngrpc-message:This has changed.\r\n', (panel) => panel.confirm('pin:1'));
  await assert.rejects(refused, { message: 'This has changed.', code: 'FailedPrecondition' });
});
