/**
 * Chromium as a publisher and as a viewer.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Recording } from './recording.mjs';
import { until } from './scope.mjs';
import { CHROMIUM } from './tools.mjs';

/**
 * @typedef {typeof import('./page/publisher.js').publish} Publish
 * @typedef {typeof import('./page/viewer.js').watch} Watch
 * @typedef {typeof import('./page/viewer.js').probe} Probe
 * @typedef {typeof import('./page/loop.js').loop} Loop
 * @typedef {{ publish: Publish, watch: Watch, probe: Probe, loop: Loop }} Client what `page/index.html` offers
 * @typedef {Awaited<ReturnType<Publish>>} PublishHandle
 * @typedef {Awaited<ReturnType<Watch>>} WatchHandle
 */

/** What Chromium needs to run in a container, without a screen, camera or sound card. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

const LIB = fileURLToPath(new URL('.', import.meta.url));
const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
});

/** Serves the test pages. @param {import('./scope.mjs').Scope} scope */
async function servePages(scope) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
    readFile(join(LIB, path))
      .then((bytes) => response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/plain' }).end(bytes))
      .catch(() => response.writeHead(404).end());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return `http://127.0.0.1:${address.port}/page/index.html`;
}

/** A browser with the test page at hand. */
export class Browser {
  /** @param {import('playwright-core').Browser} browser @param {string} url */
  constructor(browser, url) {
    this.browser = browser;
    this.url = url;
  }

  /** A fresh page of the test client. */
  async tab() {
    const page = await this.open(this.url);
    await page.waitForFunction('globalThis.client');
    return page;
  }

  /** A fresh page of any address. @param {string} url */
  async open(url) {
    const page = await this.browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(url);
    return page;
  }

  /**
   * Publishes the test source by WHIP.
   * @param {Parameters<Publish>[0]} options
   */
  async publish(options) {
    const page = await this.tab();
    const started = (await clientOf(page)).evaluateHandle((client, o) => client.publish(o), options);
    return new Tab(page, /** @type {any} */ (await orClose(page, started)));
  }

  /**
   * Watches by WHEP.
   * @param {Parameters<Watch>[0]} options
   * @param {import('playwright-core').Page} [tab] the page to do it in
   */
  async watch(options, tab) {
    const page = tab ?? (await this.tab());
    const started = (await clientOf(page)).evaluateHandle((client, o) => client.watch(o), options);
    return new Viewer(page, /** @type {any} */ (await orClose(page, started)));
  }

  /** Watches as soon as there is a publisher. @param {Parameters<Watch>[0]} options @param {number} [ms] */
  async watchWhenLive(options, ms = 5000) {
    return this.watch({ ...options, patience: ms });
  }
}

/**
 * What the test page offers.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<import('playwright-core').JSHandle<Client>>}
 */
export async function clientOf(page) {
  return /** @type {any} */ (await page.evaluateHandle('globalThis.client'));
}

/**
 * @template T
 * @param {import('playwright-core').Page} page closed when nothing came of it
 * @param {Promise<T>} started
 */
async function orClose(page, started) {
  try {
    return await started;
  } catch (error) {
    await page.close();
    throw error;
  }
}

/** A page that publishes or watches. */
class Tab {
  /**
   * @param {import('playwright-core').Page} page
   * @param {import('playwright-core').JSHandle<PublishHandle | WatchHandle>} handle
   */
  constructor(page, handle) {
    this.page = page;
    this.handle = handle;
  }

  /** What the server answered. */
  session() {
    return this.handle.evaluate(({ session }) => ({
      status: session.status,
      location: session.location,
      etag: session.etag,
      answer: session.answer,
    }));
  }

  /** @returns {Promise<any[]>} the peer connection's statistics */
  stats() {
    return this.handle.evaluate((client) => client.stats());
  }

  /** The state of the peer connection. */
  state() {
    return this.handle.evaluate((client) => client.peer.connectionState);
  }

  /** Ends the session properly, and closes the page. */
  async stop() {
    await this.handle.evaluate((client) => client.stop());
    await this.page.close();
  }

  /** Closes the page, as when a user closes the tab. */
  async vanish() {
    await this.page.close();
  }
}

/** A page that watches. */
class Viewer extends Tab {
  /** What was seen and heard so far. */
  async recording() {
    const handle = /** @type {import('playwright-core').JSHandle<WatchHandle>} */ (this.handle);
    return toRecording(await handle.evaluate((client) => client.collect()));
  }

  /** Waits for the first picture, gives milliseconds since the request. @param {number} ms */
  async firstFrame(ms) {
    const recording = await until('a first picture in the browser', ms, async () => {
      const seen = await this.recording();
      return seen.readable().length > 0 ? seen : null;
    });
    return (recording.readable()[0]?.seen ?? 0) - recording.started;
  }
}

/** @param {import('./page/viewer.js').Seen} seen */
export function toRecording(seen) {
  const recording = new Recording();
  recording.started = seen.started;
  recording.frames = seen.frames.map(([number, clock, flash, at, when]) => ({ number, clock, flash, at, seen: when }));
  recording.anchors = seen.anchors.map(([seconds, at]) => ({ seconds, at }));
  recording.sound = [Buffer.from(seen.sound, 'base64')];
  recording.sizes = new Set(seen.sizes);
  return recording;
}

/**
 * Starts Chromium; it is closed with the scope.
 * @param {import('./scope.mjs').Scope} scope
 */
export async function launch(scope) {
  const url = await servePages(scope);
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
  scope.defer(() => browser.close());
  return new Browser(browser, url);
}
