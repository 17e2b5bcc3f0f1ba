// Each link of the chain, broken: the page says which it is, and what to do.
import assert from 'node:assert/strict';

import { withEitherReact } from '../lib/tests.mjs';
import { identityOf, openSettings, threeFilesOf } from '../lib/settings.mjs';
import { stage } from '../lib/stage.mjs';

const { double, foreign, real } = stage.clusters;
const good = { TeleportAddress: double.auth, Recipients: stage.recipient, Approvers: `* = ${stage.approver}` };

/** The three files by their paths on the server. */
const filesAt = (folder) => ({ ClientCertificate: `${folder}/auth.crt`, ClientKey: `${folder}/auth.key`, ClusterCA: `${folder}/auth.cas` });

/** What is wrong, the step that says so, and words of the finding and its cure. */
const troubles = [
  {
    name: 'a wrong port',
    values: { ...good, TeleportAddress: stage.others.nobody, ...identityOf(double.plugin) },
    step: 'Address',
    words: [stage.others.nobody, 'listens', '3025'],
  },
  {
    name: 'the certificate authority of another cluster',
    values: { ...good, ...threeFilesOf({ ...double.plugin, authorities: foreign.plugin.authorities }) },
    step: 'Secure connection',
    words: ['another authority', 'auth server'],
  },
  {
    name: 'a certificate of another cluster',
    values: { ...good, ...threeFilesOf({ ...foreign.plugin, authorities: double.plugin.authorities }) },
    step: 'Secure connection',
    words: ['refuses', 'certificate', 'sign'],
  },
  {
    name: 'a user without the rule, on a real Teleport',
    values: { ...good, TeleportAddress: real.auth, ...identityOf(real.stranger) },
    step: 'Permissions',
    words: ['access_request', 'list, read, update'],
    command: 'tctl',
  },
  {
    name: 'a user without the rule',
    values: { ...good, ...identityOf(double.stranger) },
    step: 'Permissions',
    words: ['access_request', 'list, read, update'],
    command: 'tctl',
  },
  {
    name: 'an identity file on the server that expired',
    values: { ...good, Identity: `${double.files.expired}/identity` },
    step: 'Credentials',
    words: ['expired', 'sign new ones'],
  },
  {
    name: 'a certificate on the server that expired',
    values: { ...good, ...filesAt(double.files.expired) },
    step: 'Credentials',
    words: ['expired', 'sign new ones'],
  },
  {
    name: 'a key on the server that is another certificate’s',
    values: { ...good, ...filesAt(double.files.plugin), ClientKey: `${foreign.files.plugin}/auth.key` },
    step: 'Credentials',
    words: ['does not match', 'one run'],
  },
  {
    name: 'a file that is not there',
    values: { ...good, Identity: `${double.files.plugin}/nothing` },
    step: 'Credentials',
    // Of a long path its end is shown.
    words: ['plugin/nothing', 'there is no file'],
  },
  {
    name: 'a channel that does not exist',
    values: { ...good, Recipients: 'ops/no-such-channel', ...identityOf(double.plugin) },
    step: 'Recipients',
    words: ['no-such-channel', 'channel'],
  },
  {
    name: 'a web page that is no Teleport',
    values: { ...good, TeleportAddress: stage.others.secure, ...identityOf(double.plugin) },
    step: 'Secure connection',
    words: ['not the auth server'],
  },
  {
    name: 'a web page without TLS',
    values: { ...good, TeleportAddress: stage.others.plain, ...identityOf(double.plugin) },
    step: 'Secure connection',
    words: ['does not speak TLS'],
  },
];

for (const { name, values, step: wanted, words, command = '' } of troubles)
  withEitherReact(`the self-test finds ${name}`, async (t, react) => {
    const settings = await openSettings(t, { react });
    await settings.ready();
    await settings.fill(values);
    // What is wrong with credentials is said in the place of what they are.
    await (wanted === 'Credentials' ? settings.refusal : settings.facts).waitFor();
    const steps = await settings.test();
    const said = steps.map((step) => `${step.name}: ${step.outcome}: ${step.text} ${step.command}`).join('\n');
    assert.deepEqual(steps.filter(({ outcome }) => outcome === 'failed').map((step) => step.name), [wanted], said);
    const step = steps.find((step) => step.name === wanted);
    for (const word of words) assert.ok(step.text.toLowerCase().includes(word.toLowerCase()), `no “${word}” in: ${said}`);
    assert.ok(step.command.includes(command), `no “${command}” to run in: ${said}`);
    assert.ok(!steps.some((step) => step.name === 'Watch' && step.outcome === 'ok') || wanted === 'Recipients', said);
    settings.quiet();
  });

/** What is wrong with credentials is said where they are pasted. */
const unusable = [
  { name: 'an expired certificate', values: threeFilesOf(double.expired), field: 'ClientCertificate', words: ['expired', 'tctl auth sign'] },
  { name: 'an expired identity file', values: identityOf(double.expired), field: 'Identity', words: ['expired', 'tctl auth sign'] },
  {
    name: 'a key that is not the certificate’s',
    values: threeFilesOf({ ...double.plugin, key: foreign.plugin.key }),
    field: 'ClientKey',
    words: ['key', 'certificate'],
  },
  { name: 'half an identity file', values: { Identity: double.plugin.identity.slice(0, 400) }, field: 'Identity', words: ['cut off'] },
  { name: 'a text that is no credential', values: { Identity: '-----BEGIN NOTHING-----\naGVsbG8=\n-----END NOTHING-----\n' }, field: 'Identity', words: ['identity'] },
];

for (const { name, values, field, words } of unusable)
  withEitherReact(`pasting ${name} is answered at its field`, async (t, react) => {
    const settings = await openSettings(t, { react });
    await settings.ready();
    await settings.fill({ ...good, ...values });
    const problem = settings.problem(field);
    await problem.waitFor();
    // The page says at once that something is missing, and then what the plugin says.
    await settings.page.waitForFunction(
      ({ id, words }) => words.every((word) => document.querySelector(`[data-testid="${id}"]`)?.textContent?.toLowerCase().includes(word)),
      { id: `problem-${field}`, words: words.map((word) => word.toLowerCase()) },
    );
    assert.equal(await settings.facts.count(), 0);
    settings.quiet();
  });
