// The real module, as the worker loads it.
import { readFileSync } from 'node:fs';

import init, * as core from 'browser-core';
import { beforeAll, expect, test } from 'vitest';

import { settings } from '../../src/manifest';
import { defaultOf } from '../../src/manifest';

const check = (values: object) => JSON.parse(core.check(JSON.stringify(values))) as unknown;

beforeAll(async () => {
  await init({ module_or_path: readFileSync('../build/webapp/core_bg.wasm') });
});

test('the core says what is missing from new settings, and nothing else', () => {
  const values = Object.fromEntries(settings.map((setting) => [setting.key, defaultOf(setting)]));
  expect(check(values)).toEqual([
    {
      setting: 'TeleportAddress',
      message: 'No Teleport address yet. Give host:port of the Teleport proxy, such as teleport.example.com:443, or of the auth server.',
      severity: 'missing',
    },
    {
      setting: 'Identity',
      message:
        'No credentials yet. Run `tctl auth sign --user=access-plugin --format=file --out=identity` and paste the file here, or give its path on the Mattermost server.',
      severity: 'missing',
    },
    {
      setting: 'Recipients',
      message:
        "No recipient yet. Say where access requests are to be posted: team/channel as in the channel's address, such as ops/access-requests.",
      severity: 'missing',
    },
  ]);
});

test('what is wrong is said in the core’s words', () => {
  const values = { TeleportAddress: 'http://tp', Identity: '/identity', Recipients: 'ops/requests', Reminders: 'soon', Recipiants: '' };
  expect(check(values)).toEqual([
    {
      setting: 'TeleportAddress',
      message: '"http://tp" is plain HTTP, and Teleport speaks TLS only. Give host:port of the proxy, without http://.',
      severity: 'wrong',
    },
    {
      setting: 'Reminders',
      message: '"soon" is no span of time. Write minutes or hours before the expiry, such as `15m` or `2h, 30m`.',
      severity: 'wrong',
    },
    {
      setting: 'Recipiants',
      message: 'There is no setting of this name. Is Recipients meant? As it is, it has no effect.',
      severity: 'warning',
    },
  ]);
});

test('every setting of the manifest is one of the core’s', () => {
  const values = Object.fromEntries(settings.map((setting) => [setting.key, defaultOf(setting)]));
  expect(JSON.stringify(check(values))).not.toContain('no setting of this name');
});

test('good settings have no problem, and garbage is an answer', () => {
  expect(check({ TeleportAddress: 'tp:443', Identity: 'sealed:v1:x', Recipients: 'ops/requests' })).toEqual([]);
  expect(core.check('{')).toContain('cannot be read');
  expect(core.check('')).toContain('missing');
});

test('a configuration file goes in and comes out', () => {
  const file = core.exportToml(JSON.stringify({ TeleportAddress: 'tp:443', Recipients: 'ops/requests', Identity: '-----BEGIN secret' }));
  expect(file).not.toContain('secret');
  const imported = JSON.parse(core.importToml(file)) as { settings: unknown; errors: unknown };
  expect(imported.settings).toMatchObject({ TeleportAddress: 'tp:443', Recipients: 'ops/requests' });
  expect(imported.errors).toEqual([]);
});

test('a file that is none says where and what', () => {
  const { settings, errors } = JSON.parse(core.importToml('[teleport\naddr = 1')) as { settings: object; errors: { line: number; message: string }[] };
  expect(settings).toEqual({});
  expect(errors[0]?.line).toBe(1);
  expect(errors[0]?.message).toBeTruthy();
});

test('help with setting up is for the version and the authority', () => {
  const wish = { teleportVersion: '18.11.0', authority: 'teleport', userTrait: false, teleportAddress: 'tp.example.com:443' };
  const steps = JSON.parse(core.guide(JSON.stringify(wish))) as { title: string; text: string; command: string }[];
  expect(steps.some(({ command }) => command.includes('submit_for_users'))).toBe(true);
  expect(steps.some(({ command }) => command.includes('tctl auth sign'))).toBe(true);
  expect(steps.some(({ command }) => command.includes('tp.example.com:443'))).toBe(true);
  expect(() => core.guide('{}')).toThrow(/teleportVersion/);
});

test('a token that no header can carry is refused before anything is sent', () => {
  expect(() => new core.Panel('https://mm.example.com', 'a\nb')).toThrow(/Sign in again/);
});
