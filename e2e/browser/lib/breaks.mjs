// Ways to break the page, each with the tests that must notice: a test that no break fails proves nothing. See broken.mjs.
import { STATIC } from './paths.mjs';

/** Changes what the worker answers; `change` runs in the page. */
const answers = (change) => (context) =>
  context.addInitScript(`{
    const Real = window.Worker;
    const change = ${change};
    window.Worker = class extends Real {
      set onmessage(listener) {
        super.onmessage = ({ data }) => listener(new MessageEvent('message', { data: change(structuredClone(data)) }));
      }
    };
  }`);

/** Does something with what is asked of the worker. */
const questions = (look) => (context) =>
  context.addInitScript(`{
    const Real = window.Worker;
    const look = ${look};
    window.Worker = class extends Real {
      postMessage(message) {
        look(message);
        super.postMessage(message);
      }
    };
  }`);

/** Changes the page's script. */
const script = (from, to) => (context) =>
  context.route(`**${STATIC}*_bundle.js`, async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    if (!text.includes(from)) throw new Error(`the script has no ${from}`);
    await route.fulfill({ response, body: text.replaceAll(from, to) });
  });

/** Does something to elements whenever they come. */
const elements = (selector, act) => (context) =>
  context.addInitScript(`
    new MutationObserver(() => document.querySelectorAll(${JSON.stringify(selector)}).forEach(${act})).observe(document, { childList: true, subtree: true });
  `);

/** What is broken, and which tests must fail then. */
export const breaks = {
  'labels that belong to no field': { apply: script('htmlFor:', '"data-for":'), fails: /^every setting|^an empty page|^axe-core finds nothing serious(, | in)/ },
  'a section without its heading': { apply: script('"Notifications"', '"Other"'), fails: /^every setting/ },
  'a self-test that always fails': { apply: answers((data) => (data.event && (data.event.outcome = 'failed'), data)), fails: /^an empty page|second cluster|Tab, Space and Enter|plain HTTP|replaced, and removed/ },
  'a self-test that is always content': { apply: answers((data) => (data.event && (data.event.outcome = 'ok'), data)), fails: /^the self-test finds|replaced, and removed/ },
  'findings without a cure': { apply: answers((data) => (data.event && ((data.event.message = 'It does not work.'), (data.event.command = '')), data)), fails: /^the self-test finds/ },
  'a self-test that forgets other clusters': { apply: answers((data) => (data.event?.cluster ? { ...data, event: { ...data.event, cluster: '' } } : data)), fails: /second cluster/ },
  'credentials of which nothing is said': { apply: answers((data) => (data.output?.sealed && ((data.output.problems = []), (data.output.user = '')), data)), fails: /^pasting|^an empty page/ },
  'settings of which nothing is said': { apply: answers((data) => (Array.isArray(data.output) ? { ...data, output: [] } : data)), fails: /^a save of unusable|^what is missing/ },
  'a refusal without its reason': {
    apply: (context) => context.route('**/api/v4/config/patch', async (route) => {
      const response = await route.fetch();
      await (response.ok() ? route.fulfill({ response }) : route.fulfill({ response, json: { message: 'No.' } }));
    }),
    fails: /^a save of unusable|^where /,
  },
  'a save that saves nothing': {
    apply: (context) => context.route('**/api/v4/config/patch', (route) => route.fulfill({ json: { PluginSettings: { Plugins: {}, PluginStates: {} } } })),
    fails: /^an empty page|^what is missing|second cluster|^Enter in a field|Tab, Space and Enter/,
  },
  'an import that says nothing': { apply: answers((data) => (data.output?.notes && (data.output.notes = []), data)), fails: /^the file \d/ },
  'an import that fills in nothing': { apply: answers((data) => (data.output?.notes && (data.output.settings = {}), data)), fails: /^the file \d|^the settings leave|^import, export/ },
  'an import that takes what is wrong': { apply: answers((data) => (data.output?.errors?.length ? { ...data, output: { settings: { TeleportAddress: 'other' }, notes: [], errors: [] } } : data)), fails: /^a file that is none/ },
  'an export with secrets': { apply: answers((data) => (typeof data.output === 'string' ? { ...data, output: `${data.output}\nidentity = "sealed:v1:AAAA"\n` } : data)), fails: /^the settings leave/ },
  'a server that repeats a secret': {
    apply: questions((message) => {
      if (message.call !== 'checkCredentials') return;
      const line = JSON.stringify(message.input).split('\\n').find((line) => line.length === 64 && !line.includes('-----'));
      const csrf = document.cookie.match(/MMCSRF=(\w+)/)?.[1] ?? '';
      const nickname = (nickname) => fetch('/api/v4/users/me/patch', { method: 'PUT', headers: { 'X-CSRF-Token': csrf, 'X-Requested-With': 'XMLHttpRequest' }, body: JSON.stringify({ nickname }) });
      if (line) void nickname(line).then(() => nickname(''));
    }),
    fails: /^no response to the browser/,
  },
  'a page that keeps a secret': {
    apply: questions((message) => { if (message.call === 'checkCredentials' && JSON.stringify(message.input).includes('PRIVATE')) localStorage.setItem('draft', JSON.stringify(message.input)); }),
    fails: /^no response to the browser/,
  },
  'a secret that cannot be replaced': { apply: answers((data) => (data.output?.sealed && (data.output.sealed = { Identity: '********' }), data)), fails: /replaced, and removed/ },
  'a button that the keyboard does not reach': { apply: elements('[data-testid="teleport-settings"] button', (button) => (button.tabIndex = -1)), fails: /Tab, Space and Enter|^import, export/ },
  'a focus that is lost': { apply: script('.focus()', '.focus'), fails: /^import, export/ },
  'buttons that send the form': { apply: script('type:"button"', 'type:"submit"'), fails: /^Enter in a field/ },
  'colours that are too weak': {
    apply: (context) => context.addInitScript(() => addEventListener('DOMContentLoaded', () => {
      const style = document.createElement('style');
      style.textContent = '[data-testid="teleport-settings"] * { color: rgba(128, 128, 128, 0.5) !important; }';
      document.head.append(style);
    })),
    fails: /^axe-core/,
  },
  'a worker that is started on every page': { apply: (context) => context.addInitScript(`if (location.pathname.startsWith('/ops/')) void fetch('${STATIC}worker-early.js')`), fails: /^on other pages/ },
  'a policy that lets everything through': {
    apply: (context) => context.route('**/admin_console/**', async (route) => {
      const response = await route.fetch();
      const { 'content-security-policy': _, ...headers } = response.headers();
      await route.fulfill({ response, headers, body: (await response.text()).replace('http-equiv', 'data-none') });
    }),
    fails: /^the pages have/,
  },
  'a page that is silent without its engine': { apply: script('"no-engine"', '"nothing"'), fails: /^where |reduced form/ },
  'a copy that copies nothing': { apply: (context) => context.addInitScript(() => (document.execCommand = () => false)), fails: /plain HTTP/ },
};
