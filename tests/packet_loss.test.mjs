/** One packet in twenty is lost, each way, and the picture recovers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent, report, summary } from './lib/content.mjs';
import { play } from './lib/player.mjs';
import { startRelay } from './lib/relay.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();
const LOSS = 0.05;
/** Frames that may stay missing. A frame takes about four packets, so without repair a fifth of them would break. */
const MISSING = 0.08;
/** Sound is not sent again; what is lost is concealed. */
const STEADY = 0.85;
const LOSSY = { seconds: 10, skip: 2, missing: MISSING, steady: STEADY, freeze: 1.5, latency: 1000 };

/**
 * @param {import('node:test').TestContext} t
 * @param {Awaited<ReturnType<typeof startRelay>>} relay
 */
async function assertLossy(t, relay) {
  const passed = await relay.passed();
  t.diagnostic(`relay: ${JSON.stringify(passed)}`);
  assert.ok(passed.upDropped >= 10 && passed.downDropped >= 10, 'the relay hardly dropped anything');
}

/** @param {import('./lib/recording.mjs').Recording} recording */
function assertStillMoving(recording) {
  const last = recording.readable().at(-1);
  const age = (Date.now() % 2 ** 31) - (last?.clock ?? 0);
  assert.ok(age < 3000, `the last picture is ${age} ms old`);
}

test('a browser that watches RTMP through a lossy network sees a whole, moving picture', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'loss-down/camera';
  const relay = await startRelay(scope, s.server.rtc, { loss: LOSS, seed: 1 });
  pushRtmp(scope, s.server.rtmpUrl(stream), { gop: 45 });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream), viaPort: relay.port });
  await viewer.firstFrame(10_000);
  await sleep(14_000);
  const recording = await viewer.recording();
  t.diagnostic(summary(report(recording.skip(2))));
  assertStillMoving(recording);
  await assertLossy(t, relay);
  await viewer.stop();
  assertContent(recording, LOSSY);
});

test('players of a browser that publishes through a lossy network see a whole, moving picture', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'loss-up/camera';
  const relay = await startRelay(scope, s.server.rtc, { loss: LOSS, seed: 2 });
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream), viaPort: relay.port });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const player = play(scope, s.server.rtmpUrl(stream));
  await player.firstFrame(10_000);
  await viewer.firstFrame(10_000);
  await sleep(14_000);
  assertStillMoving(player.recording);
  const seen = await viewer.recording();
  const played = await player.stop();
  t.diagnostic(`browser: ${summary(report(seen.skip(2)))}`);
  t.diagnostic(`RTMP: ${summary(report(played.skip(2)))}`);
  await assertLossy(t, relay);
  await viewer.stop();
  await publisher.stop();
  assertContent(seen, LOSSY);
  assertContent(played, LOSSY);
});

test('browser to browser with loss on both sides, the picture keeps moving to the end', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'loss-both/camera';
  const up = await startRelay(scope, s.server.rtc, { loss: LOSS, seed: 3 });
  const down = await startRelay(scope, s.server.rtc, { loss: LOSS, seed: 4 });
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream), viaPort: up.port });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream), viaPort: down.port });
  await viewer.firstFrame(10_000);
  await sleep(14_000);
  const recording = await viewer.recording();
  t.diagnostic(summary(report(recording.skip(2))));
  assertStillMoving(recording);
  await assertLossy(t, up);
  await assertLossy(t, down);
  await viewer.stop();
  await publisher.stop();
  assertContent(recording, { ...LOSSY, missing: 0.12 });
});
