// What is loaded when, under Mattermost's own policy; and what remains of the page where its engine does not run.
import assert from 'node:assert/strict';

import { withEachReact } from '../lib/tests.mjs';
import { INSECURE_HOST, open } from '../lib/browser.mjs';
import { PAGE, STATIC } from '../lib/paths.mjs';
import { Settings, isFine, openSettings } from '../lib/settings.mjs';
import { hidden, isOldest, savedSettings, setSiteURL, stage } from '../lib/stage.mjs';

withEachReact('the pages have Mattermost’s own policy, and it is in force', async (t, react) => {
  const { page, context } = await open(t, { react });
  const header = (await context.request.get(`${PAGE}?react=${react}`)).headers()['content-security-policy'];
  assert.match(header, /frame-ancestors 'self'.*script-src 'self'/);
  assert.doesNotMatch(header, /unsafe-(inline|eval)|wasm-unsafe-eval|blob:/);
  const refused = await page.evaluate(async () => {
    const attempts = { blob: false, wasm: false, inline: true };
    // An empty module.
    await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).catch(() => (attempts.wasm = true));
    attempts.blob = await new Promise((resolve) => {
      try {
        const worker = new Worker(URL.createObjectURL(new Blob(['postMessage(1)'])));
        worker.onerror = () => resolve(true);
        worker.onmessage = () => resolve(false);
      } catch {
        resolve(true);
      }
    });
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    document.head.append(script);
    attempts.inline = !('ran' in window);
    return attempts;
  });
  assert.deepEqual(refused, { blob: true, wasm: true, inline: true });
});

withEachReact('on other pages nothing of the plugin is loaded but its one script', async (t, react) => {
  const opened = await open(t, { react, path: '/ops/channels/town-square' });
  const { page, requests } = opened;
  const ours = () => requests.filter((path) => path.startsWith(STATIC) || path.startsWith(`/plugins/${stage.pluginId}`));
  await page.getByTestId('channel').waitFor();
  await page.waitForLoadState('networkidle');
  assert.equal(ours().length, 1, ours().join('\n'));
  assert.match(ours()[0], /_bundle\.js$/);

  // The page itself needs no loading anew.
  await page.getByRole('link', { name: 'Teleport Access Requests' }).click();
  const settings = new Settings(opened);
  await settings.ready();
  assert.ok(ours().some((path) => /worker-\w+\.js$/.test(path)), ours().join('\n'));
  assert.ok(ours().some((path) => path.endsWith('.wasm')), ours().join('\n'));
  settings.quiet();
});

/** Ways in which a browser does not run the engine. */
const obstacles = {
  'its worker cannot be loaded': (context) => context.route('**/worker-*.js', (route) => route.abort()),
  'its worker is not there': (context) => context.route('**/worker-*.js', (route) => route.fulfill({ status: 404, body: 'not found' })),
  'its module cannot be loaded': (context) => context.route('**/*.wasm', (route) => route.abort()),
  'there are no workers': (context) => context.addInitScript(() => delete window.Worker),
};

for (const [name, prepare] of Object.entries(obstacles))
  withEachReact(`where ${name}, everything can be edited and saved all the same`, async (t, react) => {
    const { double } = stage.clusters;
    const settings = await openSettings(t, { react, prepare });
    await settings.noEngine.waitFor();
    assert.match(await settings.noEngine.innerText(), /\/teleport status/);
    await settings.fill({ TeleportAddress: double.auth, Recipients: stage.recipient, Approvers: `* = ${stage.approver}`, Identity: double.plugin.identity });
    assert.equal(await settings.save(), '');
    const saved = await savedSettings();
    assert.equal(saved.teleportaddress, double.auth);
    // Where the page cannot seal it, the plugin does so a second later.
    assert.match(saved.identity, isOldest ? /sealed:v2:|PRIVATE KEY/ : hidden);

    // The host checks in the page's stead.
    await settings.fill({ TeleportAddress: 'not an address' });
    assert.match(await settings.save(), /address/i);
    assert.equal((await savedSettings()).teleportaddress, double.auth);
  });

withEachReact('the page works on plain HTTP, where browsers hold much back', async (t, react) => {
  const { double } = stage.clusters;
  const url = new URL(stage.url);
  url.hostname = INSECURE_HOST;
  await setSiteURL(url.origin);
  t.after(() => setSiteURL(stage.url));
  const settings = await openSettings(t, { react, url: url.origin });
  assert.equal(await settings.page.evaluate(() => window.isSecureContext), false);
  await settings.ready();
  await settings.fill({ TeleportAddress: double.auth, Recipients: stage.recipient, Approvers: `* = ${stage.approver}`, Identity: double.plugin.identity });
  await settings.facts.waitFor();
  assert.ok(isFine(await settings.test()));
  await settings.button('Export').click();
  await settings.root.getByRole('button', { name: 'Copy the settings' }).click();
  await settings.root.getByText('Copied').waitFor();
  assert.equal(await settings.save(), '');
  settings.quiet();
});
