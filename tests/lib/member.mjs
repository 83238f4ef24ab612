/**
 * Somebody in a room by the browser SDK alone: what is sent and shown is up to the test, and so are the sizes.
 */
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toRecording } from './chromium.mjs';

const LIB = fileURLToPath(new URL('.', import.meta.url));

/** @typedef {import('../../web-client/sdk/client.js').Client} Client */

/**
 * What the page holds.
 *
 * @typedef {object} Held
 * @property {typeof import('../../web-client/sdk/index.js').default} sdk
 * @property {Client} client
 * @property {import('../../web-client/sdk/local-video-track.js').LocalVideoTrack} [picture]
 * @property {Map<string, { collect: () => import('./page/viewer.js').Seen }>} probes
 */

/** A tab with the SDK in it. */
export class Member {
  /** @param {import('playwright-core').Page} page @param {import('playwright-core').JSHandle<Held>} held */
  constructor(page, held) {
    this.page = page;
    this.held = held;
  }

  /**
   * @param {import('./suite.mjs').Suite} suite
   * @param {import('./scope.mjs').Scope} scope
   * @param {string} room @param {string} uid
   */
  static async join(suite, scope, room, uid) {
    const context = await suite.browser.browser.newContext();
    scope.defer(() => context.close());
    await context.route('**/instruments/**', async (route) => {
      const path = normalize(new URL(route.request().url()).pathname.replace('/instruments/', ''));
      await route.fulfill({ contentType: 'text/javascript', body: await readFile(join(LIB, path)) });
    });
    const page = await context.newPage();
    // Any file of the server makes a page of its origin.
    await page.goto(`http://${suite.server.http}/sdk/log.js`);
    const held = await page.evaluateHandle(async (who) => {
      const address = '/sdk/index.js';
      /** @type {typeof import('../../web-client/sdk/index.js')} */
      const { default: sdk } = await import(address);
      const client = sdk.createClient({ mode: 'rtc', codec: 'h264' });
      await client.join('demo', who.room, null, who.uid);
      return { sdk, client, probes: new Map() };
    }, { room, uid });
    return new Member(page, /** @type {any} */ (held));
  }

  /**
   * Publishes the test source.
   * @param {{ width: number, height: number, fps: number, layers: 1 | 2 | 3, kbps: number }} options
   */
  async publish(options) {
    await this.held.evaluate(async (held, { width, height, fps, layers, kbps }) => {
      const address = '/instruments/page/publisher.js';
      /** @type {typeof import('./page/publisher.js')} */
      const { makeSource } = await import(address);
      const { stream } = makeSource({ tone: 440, fps, width, height, firstNumber: 0 });
      const [picture] = stream.getVideoTracks();
      const [sound] = stream.getAudioTracks();
      if (!picture || !sound) throw new Error('no source');
      held.picture = held.sdk.createCustomVideoTrack({ mediaStreamTrack: picture, bitrateMax: kbps, optimizationMode: 'detail', layers });
      await held.client.publish([held.picture, held.sdk.createCustomAudioTrack({ mediaStreamTrack: sound })]);
    }, options);
  }

  /** The layers that flow, with the width of each. */
  async sent() {
    const { layers = [] } = await this.held.evaluate(({ client }) => client.getLocalVideoStats());
    return Object.fromEntries(layers.flatMap(({ layer, sendFrameRate = 0, sendResolutionWidth = 0 }) =>
      (sendFrameRate > 0 ? [[layer, sendResolutionWidth]] : [])));
  }

  /** Watches somebody's camera. @param {string} uid */
  async watch(uid) {
    await this.page.waitForFunction(({ held, who }) => held.client.remoteUsers.some((user) => user.uid === who && user.hasVideo), { held: this.held, who: uid });
    await this.held.evaluate(async ({ client, probes }, who) => {
      const address = '/instruments/page/viewer.js';
      /** @type {typeof import('./page/viewer.js')} */
      const { probe } = await import(address);
      const track = await client.subscribe(who, 'video');
      const video = document.createElement('video');
      document.documentElement.append(video);
      track.play(video);
      probes.set(who, probe(video));
    }, uid);
  }

  /** @param {string} uid @param {import('../../web-client/core/protocol.js').Layer} layer */
  async limit(uid, layer) {
    await this.held.evaluate(({ client }, { who, most }) => client.setRemoteVideoLayer(who, most), { who: uid, most: layer });
  }

  /** The width of the pictures of somebody that came last, 0 if none have. @param {string} uid */
  width(uid) {
    return this.held.evaluate(({ client }, who) => client.getRemoteVideoStats()[who]?.receiveResolutionWidth ?? 0, uid);
  }

  /** What has been seen of somebody since the beginning. @param {string} uid */
  async seen(uid) {
    return toRecording(await this.held.evaluate(({ probes }, who) => {
      const seen = probes.get(who)?.collect();
      if (!seen) throw new Error('is not watched');
      return seen;
    }, uid));
  }

  async leave() {
    await this.held.evaluate(({ client }) => client.leave());
  }
}
