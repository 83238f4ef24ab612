/** A page of the server's own origin with the browser SDK in it, and somebody else who publishes. */
import { binary } from '../../tests/lib/server.mjs';
import { until } from '../../tests/lib/scope.mjs';

/** Longer than any measurement. */
const FOREVER = '1h';

/**
 * What the page keeps of one stay in a room.
 * @typedef {object} Stay
 * @property {any} client of the SDK
 * @property {number[]} frames when pictures were shown, by `performance.now()`
 * @property {number} joined when the join began
 */

/**
 * A participant who publishes by WebRTC until the scope ends: picture and sound, 15 frames a second.
 * @param {import('../../tests/lib/scope.mjs').Scope} scope
 * @param {import('../../tests/lib/server.mjs').Server} server
 * @param {string} name the room is this with a number
 * @returns {Promise<string>} the room
 */
export async function publishInto(scope, server, name) {
  const args = ['load', '--server', `http://${server.http}`, '--room', name, '--participants', '1'];
  const child = scope.spawn(binary(), [...args, '--subscribe', '0', '--duration', FOREVER]);
  const connected = new RegExp(`${name}-1.* connected`);
  await until('the publisher', 10_000, () => connected.test(server.log) || child.exit !== null);
  if (child.exit) throw new Error(`the publisher ended: ${child.tail()}`);
  return `${name}-1`;
}

/**
 * A fresh page of the server's origin.
 * @param {import('../../tests/lib/chromium.mjs').Browser} browser
 * @param {string} origin
 */
export async function openPage(browser, origin) {
  const page = await browser.open(`${origin}/config.json`);
  await page.evaluate(async () => {
    const bench = /** @type {any} */ (globalThis);
    bench.sdk = await import(/** @type {any} */ ('/sdk/index.js'));
    bench.sdk.setLogLevel?.(3);
  });
  return page;
}

/**
 * Joins the room in the page and shows the one who publishes there; `globalThis.stay` is kept up to date from then on.
 * @param {import('playwright-core').Page} page
 * @param {string} room
 * @returns {Promise<number>} milliseconds from the call of `join` to the first picture
 */
export function join(page, room) {
  return page.evaluate(async (name) => {
    const bench = /** @type {any} */ (globalThis);
    const client = bench.sdk.createClient({ mode: 'rtc', codec: 'h264' });
    const place = document.createElement('div');
    document.body.replaceChildren(place);
    /** @type {Stay} */
    const stay = { client, frames: [], joined: performance.now() };
    bench.stay = stay;
    /** @type {Promise<number>} */
    const first = new Promise((resolve, reject) => {
      client.on('user-published', async (/** @type {any} */ user, /** @type {string} */ mediaType) => {
        if (mediaType !== 'video') return;
        try {
          const track = await client.subscribe(user, mediaType);
          track.play(place);
        } catch (error) {
          reject(error);
          return;
        }
        const watch = () => {
          const video = place.querySelector('video');
          if (!video) {
            requestAnimationFrame(watch);
            return;
          }
          const shown = (/** @type {number} */ now) => {
            stay.frames.push(now);
            resolve(now - stay.joined);
            video.requestVideoFrameCallback(shown);
          };
          video.requestVideoFrameCallback(shown);
        };
        watch();
      });
    });
    await client.join('demo', name, null);
    return first;
  }, room);
}

/** Leaves. @param {import('playwright-core').Page} page */
export function leave(page) {
  return page.evaluate(() => /** @type {any} */ (globalThis).stay.client.leave());
}

/** The page's clock. @param {import('playwright-core').Page} page @returns {Promise<number>} */
export function clock(page) {
  return page.evaluate(() => performance.now());
}

/** When pictures were shown, by the page's clock. @param {import('playwright-core').Page} page @returns {Promise<number[]>} */
export function frames(page) {
  return page.evaluate(() => /** @type {any} */ (globalThis).stay.frames);
}
