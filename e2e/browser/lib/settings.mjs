// The settings page as somebody uses it who sees names, not markup.
import { open } from './browser.mjs';
import { nameOf } from './stage.mjs';

/** A cluster's credentials by the settings that hold them. */
export const identityOf = (signed) => ({ Identity: signed.identity });
export const threeFilesOf = (signed) => ({ ClientCertificate: signed.certificate, ClientKey: signed.key, ClusterCA: signed.authorities });

/**
 * Opens the page.
 * @param {Pick<import('node:test').TestContext, 'after'>} t
 * @param {import('./browser.mjs').Options} options
 */
export async function openSettings(t, options) {
  const opened = await open(t, options);
  const settings = new Settings(opened);
  await settings.root.waitFor();
  return settings;
}

export class Settings {
  /** @param {import('./browser.mjs').Opened} opened */
  constructor(opened) {
    this.opened = opened;
    this.page = opened.page;
    this.context = opened.context;
    this.root = this.page.getByTestId('teleport-settings');
    this.saveButton = this.page.getByTestId('saveSetting');
    this.error = this.page.locator('.error-message');
    this.noEngine = this.root.getByTestId('no-engine');
    this.facts = this.root.getByTestId('credential-facts');
    this.refusal = this.root.getByRole('group', { name: 'Credentials', exact: true }).getByRole('alert').first();
    this.testButton = this.button('Test these settings');
    this.steps = this.root.getByTestId('self-test').locator('li');
  }

  /** Fails where the browser complains. */
  quiet() {
    this.opened.quiet();
  }

  button(name) {
    return this.root.getByRole('button', { name, exact: true });
  }

  /** The field of a text setting. */
  text(key) {
    return this.root.getByRole('textbox', { name: nameOf(key), exact: true });
  }

  problem(key) {
    return this.root.getByTestId(`problem-${key}`);
  }

  /** The page's checks run. */
  async ready() {
    await this.testButton.waitFor();
  }

  /** Fills in text settings; credentials are pasted, and waited for until the plugin has taken them. */
  async fill(values) {
    const three = 'ClientKey' in values;
    if (three) await this.root.getByRole('radio', { name: 'Three files' }).first().check();
    for (const [key, text] of Object.entries(values)) await this.text(key).fill(text);
  }

  /** Runs the self-test, and answers its steps. */
  async test() {
    await this.testButton.click();
    return this.testOver();
  }

  /** Waits for the end of a self-test that was started. */
  async testOver() {
    await this.steps.first().waitFor();
    await this.page.waitForFunction(
      (button) => button?.getAttribute('aria-disabled') === 'false',
      await this.testButton.elementHandle(),
    );
    return this.readSteps();
  }

  readSteps() {
    return this.steps.evaluateAll((items) =>
      items.map((item) => ({
        name: item.querySelector('strong')?.textContent ?? '',
        outcome: item.getAttribute('data-outcome'),
        text: item.textContent ?? '',
        command: item.querySelector('pre')?.textContent ?? '',
      })),
    );
  }

  /** Saves, and answers the error that is shown then, if any. */
  async save() {
    await this.saveButton.click();
    return this.saved();
  }

  /** Waits for the end of a save. */
  async saved() {
    await this.page.waitForFunction(
      ([button, error]) =>
        button instanceof HTMLButtonElement && button.textContent === 'Save' && (button.disabled || error?.textContent !== ''),
      await Promise.all([this.saveButton.elementHandle(), this.error.elementHandle()]),
    );
    return (await this.error.textContent()) ?? '';
  }
}

/** Whether a self-test found all in order. None of these pages maps accounts to Teleport's users, so it has one warning: requesters hear nothing. */
export const isFine = (steps) =>
  steps.every(({ name, outcome }) => outcome === (name === 'Requesters' ? 'warning' : 'ok')) && steps.some(({ name }) => name === 'Requesters');
