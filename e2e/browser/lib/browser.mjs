// One Chromium for all tests, and a fresh context with the admin's session for each.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { breaks } from './breaks.mjs';
import { PAGE } from './paths.mjs';
import { stage } from './stage.mjs';

/** How long anything on a page may take. Most of it takes milliseconds. */
const PATIENCE_MS = Number(process.env.PATIENCE ?? 30_000);

/** A host name that is no loopback address to the browser, so that its pages are plain, insecure HTTP. */
export const INSECURE_HOST = 'mattermost.test';

let running;
const browser = () =>
  (running ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
    ],
  }));

/** Ends it. */
export const closeBrowser = async () => (await running)?.close();

/** The page of each test that has opened one. */
const opened = new WeakMap();

/** Where pictures of failures go. */
const PICTURES = fileURLToPath(new URL('../../../build/browser/', import.meta.url));

/** Takes a picture of a test's page, for whoever looks into the failure. Answers the file. */
export async function picture(t) {
  mkdirSync(PICTURES, { recursive: true });
  const path = join(PICTURES, `${t.name.replace(/[^a-z0-9]+/gi, '-').slice(0, 100)}.png`);
  await opened.get(t)?.screenshot({ path, fullPage: true, timeout: 10_000 });
  return path;
}

/**
 * @typedef {object} Options
 * @property {string} react Version of React.
 * @property {string} [theme] `light` or `dark`.
 * @property {string} [path] Which page.
 * @property {string} [url] Where Mattermost is to the browser.
 * @property {(context: import('playwright-core').BrowserContext) => Promise<unknown>} [prepare] What to do before the page is opened.
 * @property {{ width: number, height: number }} [viewport] Size of the window.
 */

/** What a test has of a page of Mattermost. */
export class Opened {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
    this.context = page.context();
    /** @type {string[]} Paths that were asked for, by whatever part of the page. */
    this.requests = [];
    /** @type {string[]} What came through websockets. */
    this.frames = [];
    /** @type {string[]} */
    this.faults = [];
    this.context.on('request', (request) => this.requests.push(new URL(request.url()).pathname));
    this.context.on('weberror', (error) => this.faults.push(String(error.error())));
    this.context.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`console: ${message.text()}`);
    });
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => this.frames.push(String(payload))));
  }

  /** Fails where a script failed, or the policy refused something. */
  quiet() {
    if (this.faults.length > 0) throw new Error(`the browser complains:\n${this.faults.join('\n')}`);
  }
}

/**
 * Opens a page of Mattermost as its system admin.
 * @param {Pick<import('node:test').TestContext, 'after'>} t
 * @param {Options} options
 */
export async function open(t, { react, theme = 'light', path = PAGE, url = stage.url, prepare, viewport = { width: 1280, height: 900 } }) {
  const context = await (await browser()).newContext({ baseURL: url, viewport, reducedMotion: 'reduce' });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  opened.set(t, page);
  t.after(() => context.close());
  const signedIn = await context.request.post(`${stage.url}/api/v4/users/login`, {
    headers: { 'X-Requested-With': 'XMLHttpRequest' },
    data: { login_id: stage.admin.username, password: stage.admin.password },
  });
  if (!signedIn.ok()) throw new Error(`cannot sign in: ${await signedIn.text()}`);
  // Only the browser knows hosts that there are not.
  const { hostname: domain } = new URL(url);
  await context.addCookies((await context.cookies()).map((cookie) => ({ ...cookie, domain })));
  await breaks[process.env.BREAK ?? '']?.apply(context);
  await prepare?.(context);
  const here = new Opened(page);
  await page.goto(`${path}?react=${react}&theme=${theme}`);
  return here;
}
