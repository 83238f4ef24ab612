/** A browser publishes by WebRTC; RTMP and HTTP-FLV players watch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { download, IMPATIENT_INPUT, play, rtmpdump } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const STREAM = 'browser/camera';

const s = suite({
  async prepare({ browser, server }) {
    const tab = await browser.publish({ url: server.whipUrl(STREAM) });
    await until('the browser is connected', 5000, async () => (await tab.state()) === 'connected');
    // Chromium's encoder starts at a low bit rate and is given time to settle.
    await sleep(2000);
  },
});

test('ffmpeg plays a browser by RTMP', { timeout: 60_000 }, async (t) => {
  const player = play(scopeOf(t), s.server.rtmpUrl(STREAM));
  await player.firstFrame(5000);
  await sleep(9000);
  const recording = await player.stop();
  assertContent(t, recording, { seconds: 7, skip: 1, latency: 1000 });
});

test('rtmpdump plays a browser', { timeout: 60_000 }, async (t) => {
  const player = rtmpdump(scopeOf(t), s.server.rtmpUrl(STREAM));
  await sleep(8000);
  const recording = await player.stop();
  assertContent(t, recording, { seconds: 6 });
});

test('an HTTP-FLV player plays a browser', { timeout: 60_000 }, async (t) => {
  const player = download(scopeOf(t), s.server.flvUrl(STREAM));
  await sleep(8000);
  const recording = await player.stop();
  assertContent(t, recording, { seconds: 6 });
});

test('ffmpeg plays a browser by HTTP-FLV as it comes', { timeout: 60_000 }, async (t) => {
  const player = play(scopeOf(t), s.server.flvUrl(STREAM));
  await player.firstFrame(5000);
  await sleep(6000);
  const recording = await player.stop();
  assertContent(t, recording, { seconds: 4, skip: 1, latency: 1000 });
});

// `nobuffer` makes ffmpeg forget the keyframe it joined with, and no RTMP player can ask for another.
test('a player that throws away its first keyframe gets another within five seconds', { timeout: 30_000 }, async (t) => {
  const player = play(scopeOf(t), s.server.rtmpUrl(STREAM), { input: IMPATIENT_INPUT });
  t.diagnostic(`first picture after ${await player.firstFrame(7000)} ms`);
  await player.stop();
});

test('what the server writes of a browser is well-formed FLV with H.264 and AAC', { timeout: 30_000 }, async (t) => {
  const player = new FlvPlayer(scopeOf(t), s.server.flvUrl(STREAM));
  await sleep(4000);
  const tags = await player.stop();
  assert.equal(player.failure, null);
  assert.equal(player.contentType, 'video/x-flv');
  assert.deepEqual(faults(tags), []);
  const kinds = new Set(tags.filter((tag) => tag.type !== 'script').map((tag) => `${tag.type} ${tag.codec}`));
  assert.deepEqual([...kinds].sort(), ['audio 10', 'video 7']);
});

for (const profile of ['42e01f', '4d001f']) {
  test(`ffmpeg plays a browser that prefers the profile ${profile}`, { timeout: 60_000 }, async (t) => {
    const scope = scopeOf(t);
    const stream = `profile-${profile}/camera`;
    const tab = await s.browser.publish({ url: s.server.whipUrl(stream), profile, tone: 660 });
    const player = play(scope, s.server.rtmpUrl(stream));
    await player.firstFrame(8000);
    await sleep(7000);
    const recording = await player.stop();
    await tab.stop();
    assertContent(t, recording, { seconds: 5, skip: 1.5, tone: 660, latency: 1000 });
  });
}
