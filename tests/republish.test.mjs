/** A second publisher with the same uid replaces the first, and players go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent, SETTLE } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

/** Frame numbers of the second publisher start here. */
const SECOND = 150_000;
/** The longest standstill while publishers change, in milliseconds. */
const GAP_MS = 2500;
/**
 * Checks that a recording goes from the first publisher to the second, once, and how long that takes.
 * @param {import('node:test').TestContext} t
 * @param {string} name
 * @param {import('./lib/recording.mjs').Recording} recording
 */
function assertHandover(t, name, recording) {
  const frames = recording.readable();
  const at = frames.findIndex((frame) => frame.number >= SECOND);
  assert.ok(at > 0, `${name}: no picture of ${at < 0 ? 'the second' : 'the first'} publisher`);
  assert.ok(
    frames.slice(at).every((frame) => frame.number >= SECOND),
    `${name}: the first publisher comes back`,
  );
  const [before, after] = [frames[at - 1], frames[at]];
  assert.ok(before && after);
  assert.ok(after.at > before.at, `${name}: presentation time goes from ${before.at} to ${after.at} s`);
  const gap = after.seen - before.seen;
  t.diagnostic(`${name}: ${gap} ms from one to the other`);
  assert.ok(gap < GAP_MS, `${name}: ${gap} ms without a picture`);
  assertSecond(t, name, recording.since(after.at));
}

/**
 * Checks what a player saw and heard of the second publisher.
 * @param {import('node:test').TestContext} t
 * @param {string} name
 * @param {import('./lib/recording.mjs').Recording} second
 */
function assertSecond(t, name, second) {
  assertContent(t, second.skip(2), { seconds: 12, tone: 660, latency: 1000, lipSync: 0.3, name });
  assertContent(t, second.skip(SETTLE), { seconds: 3, tone: 660, latency: 1000, name: `${name}, settled` });
}

test('a second RTMP publisher replaces the first while RTMP, HTTP-FLV and WebRTC players go on', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'again-rtmp/camera';
  const first = pushRtmp(scope, s.server.rtmpUrl(stream), { tone: 440 });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const player = play(scope, s.server.rtmpUrl(stream));
  const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
  await player.firstFrame(6000);
  await sleep(2500);
  pushRtmp(scope, s.server.rtmpUrl(stream), { tone: 660, firstNumber: SECOND });
  await until('the first publisher is sent away', 6000, () => first.child.exit !== null);
  await sleep(17_000);
  const seen = await viewer.recording();
  const played = await player.stop();
  assertHandover(t, 'RTMP', played);
  assertHandover(t, 'WebRTC', seen);
  assert.equal(tags.ended, false, 'the HTTP-FLV answer ended');
  assert.deepEqual(faults(await tags.stop()), []);
  await viewer.stop();
});

test('a second WHIP publisher replaces the first while RTMP and WebRTC players go on', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'again-whip/camera';
  const url = s.server.whipUrl(stream);
  const first = await s.browser.publish({ url, tone: 440 });
  const location = (await first.session()).location ?? '';
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const player = play(scope, s.server.rtmpUrl(stream));
  await player.firstFrame(6000);
  await sleep(2500);
  const second = await s.browser.publish({ url, tone: 660, firstNumber: SECOND });
  await sleep(17_000);
  const seen = await viewer.recording();
  const played = await player.stop();
  assertHandover(t, 'RTMP', played);
  assertHandover(t, 'WebRTC', seen);
  assert.equal((await fetch(location, { method: 'DELETE' })).status, 404, 'the first session still exists');
  assert.equal(await second.state(), 'connected');
  await Promise.all([viewer.stop(), second.stop(), first.vanish()]);
});

test('a browser takes over from an encoder with the same uid', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'again-mixed/camera';
  const first = pushRtmp(scope, s.server.rtmpUrl(stream), { tone: 440 });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const player = play(scope, s.server.rtmpUrl(stream));
  await player.firstFrame(6000);
  await sleep(2000);
  const second = await s.browser.publish({ url: s.server.whipUrl(stream), tone: 660, firstNumber: SECOND });
  await until('the encoder is sent away', 6000, () => first.child.exit !== null);
  await sleep(17_000);
  const seen = await viewer.recording();
  const played = await player.stop();
  assertHandover(t, 'RTMP', played);
  assertHandover(t, 'WebRTC', seen);
  await Promise.all([viewer.stop(), second.stop()]);
});

test('a publisher that leaves and comes back goes on to the same players', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'again-later/camera';
  const first = pushRtmp(scope, s.server.rtmpUrl(stream), { tone: 440 });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
  await viewer.firstFrame(6000);
  await sleep(1500);
  await first.stop();
  await sleep(1500);
  pushRtmp(scope, s.server.rtmpUrl(stream), { tone: 660, firstNumber: SECOND });
  await sleep(17_500);
  const recording = await viewer.recording();
  const back = recording.readable().find((frame) => frame.number >= SECOND);
  assert.ok(back, 'the browser saw nothing of the publisher that came back');
  assertSecond(t, 'WebRTC', recording.since(back.at));
  assert.equal(tags.ended, false, 'the HTTP-FLV answer ended');
  assert.deepEqual(faults(await tags.stop()), []);
  await viewer.stop();
});
