/** The page that the server serves at `/`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPlane } from './lib/barcode.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

/** The page, with its errors collected. */
async function openPage() {
  const page = await s.browser.open(`http://${s.server.http}/`);
  /** @type {string[]} */
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  // The browser itself reports every 404, which is how a viewer learns that it has to wait.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('Failed to load')) errors.push(message.text());
  });
  return { page, errors };
}

/**
 * How a video element does: its size, and how far it has come.
 * @param {import('playwright-core').Page} page @param {string} id
 */
function videoState(page, id) {
  return page.getByTestId(id).evaluate((element) => {
    const video = /** @type {HTMLVideoElement} */ (element);
    const frames = video.getVideoPlaybackQuality().totalVideoFrames;
    return { width: video.videoWidth, height: video.videoHeight, frames, paused: video.paused };
  });
}

/** @param {import('playwright-core').Page} page @param {string} id */
async function assertMoving(page, id) {
  await until(`a picture in ${id}`, 8000, async () => (await videoState(page, id)).frames > 10);
  const before = await videoState(page, id);
  await sleep(1500);
  const after = await videoState(page, id);
  assert.ok(after.frames >= before.frames + 10, `${id}: ${JSON.stringify([before, after])}`);
}

test('the page publishes a camera that another page and an RTMP player watch', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const host = await openPage();
  await host.page.getByTestId('room').fill('page');
  await host.page.getByTestId('uid').fill('alice');
  await host.page.getByTestId('publish').click();
  await assertMoving(host.page, 'local-video');

  const guest = await openPage();
  await guest.page.getByTestId('room').fill('page');
  await guest.page.getByTestId('uid').fill('bob');
  await guest.page.getByTestId('watch-uid').fill('alice');
  await guest.page.getByTestId('watch').click();
  await assertMoving(guest.page, 'remote-video');

  const player = play(scope, s.server.rtmpUrl('page/alice'));
  await until('a picture by RTMP', 8000, () => player.recording.frames.length > 15);
  await until('sound by RTMP', 4000, () => player.recording.pcm().length > 24_000);
  await player.stop();

  assert.notEqual((await host.page.getByTestId('status').innerText()).trim(), '');
  await host.page.getByTestId('stop-publish').click();
  await until('the stream is gone', 5000, async () => {
    const answer = await fetch(s.server.whepUrl('page/alice'), {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: 'v=0\r\n',
    });
    return answer.status === 404;
  });
  await guest.page.getByTestId('stop-watch').click();
  await sleep(300);
  assert.deepEqual(host.errors, []);
  assert.deepEqual(guest.errors, []);
  await host.page.close();
  await guest.page.close();
});

test('the page shows what an encoder publishes to the address that it names', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const { page, errors } = await openPage();
  await page.getByTestId('room').fill('studio');
  await page.getByTestId('uid').fill('host');
  await page.getByTestId('rtmp-uid').fill('encoder');
  const line = page.getByTestId('ffmpeg-line');
  await until('the ffmpeg line follows the fields', 2000, async () => /studio\/encoder/.test(await line.innerText()));
  const url = /"(rtmp:[^"]+)"$/.exec(await line.innerText())?.[1] ?? '';
  const play = (await page.getByTestId('rtmp-url').innerText()).trim();
  assert.equal(url, s.server.rtmpUrl('studio/encoder'), 'the address to publish to');
  assert.equal(play, s.server.rtmpUrl('studio/host'), 'the address to play');
  pushRtmp(scope, url);
  await sleep(2500);
  await page.getByTestId('watch-uid').fill('encoder');
  await page.getByTestId('watch').click();
  await assertMoving(page, 'remote-video');
  const video = await page.getByTestId('remote-video').elementHandle();
  assert.ok(video);
  const codes = await readBack(video);
  const numbers = codes.map((code) => code?.number ?? -1);
  t.diagnostic(`frames ${numbers}`);
  assert.ok(numbers.filter((number) => number >= 0).length >= 15, 'readable frames');
  await page.getByTestId('stop-watch').click();
  await sleep(300);
  assert.deepEqual(errors, []);
  await page.close();
});

test('the page says so when there is nobody to watch', { timeout: 30_000 }, async (t) => {
  scopeOf(t);
  const { page } = await openPage();
  await page.getByTestId('room').fill('empty');
  await page.getByTestId('watch-uid').fill('nobody');
  const status = page.getByTestId('status');
  const before = await status.innerText();
  await page.getByTestId('watch').click();
  await until('the status changes', 5000, async () => (await status.innerText()) !== before);
  assert.match(await status.innerText(), /nobody|not publishing|no publisher|nothing|waiting/i);
  await page.close();
});

/**
 * Reads two seconds of a video element on a foreign page.
 * @param {import('playwright-core').JSHandle<Element | HTMLElement | SVGElement>} video
 */
async function readBack(video) {
  const frames = await video.evaluate(async (element) => {
    const shown = /** @type {HTMLVideoElement} */ (element);
    const canvas = new OffscreenCanvas(90, 160);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    /** @type {number[][]} */
    const pictures = [];
    const end = performance.now() + 2000;
    while (performance.now() < end && context) {
      await new Promise((resolve) => shown.requestVideoFrameCallback(resolve));
      context.drawImage(shown, 0, 0, 90, 160);
      const { data } = context.getImageData(0, 0, 90, 160);
      pictures.push(Array.from({ length: 90 * 160 }, (_, i) => data[i * 4 + 1] ?? 0));
    }
    return pictures;
  });
  return frames.map((luma) => readPlane(luma, 90, 160));
}
