/**
 * Somebody at the page that the server serves: a browser tab that joins a call, sees, hears and is asked what it shows.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toRecording } from './chromium.mjs';
import { report, summary } from './content.mjs';
import { until } from './scope.mjs';

const LIB = fileURLToPath(new URL('.', import.meta.url));
/** Pictures and tones tell who is who. */
export const CAST = /** @type {const} */ ({
  alice: { firstNumber: 0, tone: 300 },
  bob: { firstNumber: 1_500_000, tone: 440 },
  carol: { firstNumber: 3_000_000, tone: 560 },
  encoder: { firstNumber: 4_500_000, tone: 700 },
  phone: { firstNumber: 6_000_000, tone: 820 },
});
/** No test paints as many pictures. */
export const SPAN = 1_000_000;
/** Of thirty in two seconds: three tabs, an encoder and the server share a small machine here. */
export const FEWEST = 8;
/** When something has to have happened, in milliseconds; on an idle machine all of it takes a tenth. */
export const SOON = 15_000;

/** @typedef {keyof typeof CAST} Name */
/** @typedef {import('playwright-core').Page} Page */

/**
 * Runs in the page before its own scripts: camera and microphone are the test source, and what the page plays is noted.
 * @param {{ firstNumber: number, tone: number }} who
 */
function instrument(who) {
  /** @type {Promise<MediaStream> | undefined} */
  let source;
  const made = async () => {
    // The page's own policy allows scripts of its own origin alone, so that is where the instruments are.
    const address = '/instruments/page/publisher.js';
    /** @type {typeof import('./page/publisher.js')} */
    const { makeSource } = await import(address);
    const { stream } = makeSource({ fps: 15, width: 216, height: 384, ...who });
    for (const canvas of document.querySelectorAll('body > canvas')) {
      Object.assign(/** @type {HTMLElement} */ (canvas).style, { position: 'fixed', left: '-2000px' });
    }
    return stream;
  };
  navigator.mediaDevices.getUserMedia = async ({ audio, video } = {}) => {
    source ??= made();
    const tracks = (await source).getTracks();
    const wanted = tracks.filter(({ kind }) => (kind === 'audio' ? audio : video));
    return new MediaStream(wanted.map((track) => track.clone()));
  };
  /** @type {HTMLAudioElement[]} */
  const players = [];
  Object.assign(globalThis, { players });
  const { Audio } = globalThis;
  globalThis.Audio = /** @type {typeof Audio} */ (
    new Proxy(Audio, {
      construct(target, args) {
        const player = Reflect.construct(target, args);
        players.push(player);
        return player;
      },
    })
  );
}

/** A tab with the call page in it, whose camera and microphone are the test source. */
export class Guest {
  /** @type {string[]} */
  errors = [];

  /** @param {import('playwright-core').BrowserContext} context @param {Page} page @param {Name} name */
  constructor(context, page, name) {
    this.context = context;
    this.page = page;
    this.name = name;
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
  }

  /**
   * @param {import('./suite.mjs').Suite} suite
   * @param {import('./scope.mjs').Scope} scope @param {Name} name
   * @param {{ query?: string, hash?: string, server?: string, options?: import('playwright-core').BrowserContextOptions }} [where]
   */
  static async open(suite, scope, name, { query = '', hash = '', server = suite.server.http, options = {} } = {}) {
    const context = await suite.browser.browser.newContext({ viewport: { width: 960, height: 640 }, locale: 'en-US', ...options });
    scope.defer(() => context.close());
    await context.route('**/instruments/**', async (route) => {
      const path = normalize(new URL(route.request().url()).pathname.replace('/instruments/', ''));
      await route.fulfill({ contentType: 'text/javascript', body: await readFile(join(LIB, path)) });
    });
    await context.addInitScript(instrument, CAST[name]);
    const page = await context.newPage();
    const guest = new Guest(context, page, name);
    await page.goto(`http://${server}/?uid=${name}&${query}${hash}`);
    await guest.on('join').waitFor();
    return guest;
  }

  /** @param {string} id */
  on(id) {
    return this.page.getByTestId(id);
  }

  /** @param {string | number} uid @param {'camera' | 'screen'} [stream] */
  tile(uid, stream = 'camera') {
    return this.page.locator(`[data-testid=tile][data-uid="${uid}"][data-stream="${stream}"]`);
  }

  /** Joins with camera and microphone on, or with nothing as audience. */
  async join() {
    await this.on('join').click();
    await this.on('call').waitFor();
  }

  /**
   * Reads two seconds of somebody's tile.
   * @param {string | number} uid
   */
  async watch(uid) {
    const video = this.tile(uid).locator('video');
    await video.waitFor();
    const seen = await video.evaluate(async (element) => {
      const address = '/instruments/page/viewer.js';
      /** @type {typeof import('./page/viewer.js')} */
      const { probe } = await import(address);
      const { collect } = probe(/** @type {HTMLVideoElement} */ (element));
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return collect();
    });
    return report(toRecording(seen));
  }

  /**
   * Checks that a tile shows who it says, moving, in order.
   * @param {import('node:test').TestContext} t @param {string | number} uid @param {Name} [who] whose pictures they are
   */
  async sees(t, uid, who = /** @type {Name} */ (uid)) {
    const { firstNumber } = CAST[who];
    let seen = await this.watch(uid);
    // A picture that has just begun may still be small, and its first frames hard to read.
    for (let tries = 0; tries < 5 && (seen.frames < FEWEST || seen.unreadable > seen.frames * 0.1); tries += 1) {
      seen = await this.watch(uid);
    }
    t.diagnostic(`${this.name} sees ${uid}: ${summary(seen)}`);
    assert.ok(seen.frames >= FEWEST, `${this.name} sees ${seen.frames} pictures of ${uid}`);
    assert.ok(seen.first >= firstNumber && seen.last < firstNumber + SPAN, `${this.name} sees somebody else as ${uid}`);
    assert.equal(seen.backward, 0, `${uid}’s pictures go back`);
    return seen;
  }

  /** The tones that come out of the page's loudspeakers, in hertz. */
  tones() {
    return this.page.evaluate(async () => {
      const players = /** @type {HTMLAudioElement[]} */ (Reflect.get(globalThis, 'players'));
      const context = new AudioContext({ sampleRate: 48_000 });
      const heard = players
        .filter(({ paused, volume, srcObject }) => !paused && volume > 0 && srcObject instanceof MediaStream)
        .map(({ srcObject }) => {
          const analyser = new AnalyserNode(context, { fftSize: 16_384, smoothingTimeConstant: 0 });
          new MediaStreamAudioSourceNode(context, { mediaStream: /** @type {MediaStream} */ (srcObject) }).connect(analyser);
          return analyser;
        });
      await new Promise((resolve) => setTimeout(resolve, 800));
      const tones = heard.map((analyser) => {
        const bins = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(bins);
        const hertz = context.sampleRate / analyser.fftSize;
        // The beep is above, the hum of nothing below.
        const range = bins.slice(0, Math.round(900 / hertz)).fill(-Infinity, 0, Math.round(150 / hertz));
        const loudest = Math.max(...range);
        return loudest < -60 ? 0 : Math.round((range.indexOf(loudest) * hertz) / 20) * 20;
      });
      await context.close();
      return tones.filter((tone) => tone > 0).sort((a, b) => a - b);
    });
  }

  /** @param {readonly Name[]} names */
  async hears(names) {
    const expected = names.map((name) => CAST[name].tone).sort((a, b) => a - b);
    let heard = /** @type {number[]} */ ([]);
    await until(`${this.name} hears ${names.join(' and ') || 'nobody'}`, SOON, async () => {
      heard = await this.tones();
      return String(heard) === String(expected);
    }).catch((error) => assert.fail(`${error.message}, but ${heard} Hz`));
  }

  /** @param {string | number} uid @param {RegExp} pattern */
  async tileIs(uid, pattern) {
    await until(`${uid} is ${pattern} for ${this.name}`, SOON, async () => {
      return pattern.test((await this.tile(uid).getAttribute('class')) ?? '');
    });
  }

  /** @param {string | number} uid @param {string} item */
  async choose(uid, item) {
    await this.tile(uid).hover();
    await this.tile(uid).getByTestId('tile-menu').click();
    await this.on(item).click();
  }

  /** @param {RegExp} pattern */
  async isTold(pattern) {
    await this.on('notices').locator('.notice', { hasText: pattern }).first().waitFor({ timeout: SOON });
  }

  /** What the page itself has noted, for a test that failed. */
  async diagnosis() {
    try {
      if (!(await this.on('panel-log').isVisible())) await this.on('log').click({ timeout: 2000 });
      return `${this.name}: ${(await this.on('panel-log').innerText()).replace(/\s*\n\s*/g, ' ')}`;
    } catch (error) {
      return `${this.name} is in no call: ${error}`;
    }
  }

  /** @param {string} text */
  async says(text) {
    if (!(await this.on('panel-chat').isVisible())) await this.on('chat').click();
    await this.on('chat-field').fill(text);
    await this.on('chat-field').press('Enter');
  }
}

/** @param {Guest[]} guests */
export function assertNoErrors(...guests) {
  for (const { name, errors } of guests) assert.deepEqual(errors, [], `${name}’s console`);
}
