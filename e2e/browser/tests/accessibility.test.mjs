// axe-core finds nothing serious in any state of the page, in the light and the dark theme.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { withEachReact } from '../lib/tests.mjs';
import { openSettings } from '../lib/settings.mjs';
import { stage } from '../lib/stage.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const PAGE = '[data-testid="teleport-settings"]';

/** Looks at our part of the page: the rest is Mattermost's. So are the colours of buttons: some of its themes are too weak. */
async function look(settings, state) {
  const found = await settings.page.evaluate(async (page) => {
    const axe = /** @type {any} */ (window).axe;
    const all = await axe.run(page, { rules: { 'color-contrast': { enabled: false } } });
    const colours = await axe.run({ include: page, exclude: '.btn' }, { runOnly: ['color-contrast'] });
    const looked = [...all.passes, ...colours.passes].map(({ id }) => id);
    return { looked, violations: [...all.violations, ...colours.violations] };
  }, PAGE);
  for (const rule of ['color-contrast', 'label', 'button-name']) assert.ok(found.looked.includes(rule), `axe-core did not look at ${rule}`);
  const serious = found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const said = serious.flatMap(({ id, help, nodes }) => nodes.map(({ html, any }) => `${id}: ${help}\n    ${html}\n    ${any.map(({ message }) => message).join('; ')}`));
  assert.equal(serious.length, 0, `${state}:\n${said.join('\n')}`);
}

for (const theme of ['light', 'dark'])
  withEachReact(`axe-core finds nothing serious, ${theme} theme`, async (t, react) => {
    const { double } = stage.clusters;
    const settings = await openSettings(t, { react, theme });
    await settings.ready();
    await settings.page.evaluate(axe);
    await look(settings, 'nothing set');
    await settings.fill({ TeleportAddress: 'not an address', Recipients: 'nowhere', Reminders: 'soon' });
    await settings.problem('TeleportAddress').waitFor();
    await look(settings, 'with problems');
    for (const tool of ['Setup help', 'Import', 'Export', 'Audit trail']) {
      await settings.button(tool).click();
      await settings.root.getByRole('heading', { name: tool }).waitFor();
      await look(settings, tool);
    }
    await settings.button('Add a cluster').click();
    await look(settings, 'with a second cluster');
    await settings.root.getByRole('button', { name: 'Remove Cluster 2' }).click();
    await settings.fill({ TeleportAddress: double.auth, Recipients: 'ops/no-such-channel', Approvers: `* = ${stage.approver}`, Reminders: '', Identity: double.stranger.identity });
    await settings.facts.waitFor();
    const steps = await settings.test();
    assert.ok(steps.some(({ outcome }) => outcome === 'failed') && steps.some(({ outcome }) => outcome === 'ok'));
    await look(settings, 'with a self-test that failed');
    settings.quiet();
  });

for (const theme of ['light', 'dark'])
  withEachReact(`axe-core finds nothing serious in the reduced form, ${theme} theme`, async (t, react) => {
    const settings = await openSettings(t, { react, theme, prepare: (context) => context.route('**/worker-*.js', (route) => route.abort()) });
    await settings.noEngine.waitFor();
    await settings.page.evaluate(axe);
    await look(settings, 'without an engine');
  });
