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
