/** One packet in twenty is lost, each way, and the picture recovers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { startLink } from './lib/link.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();
const LOSS = 0.05;
/**
 * Frames that may stay unseen. A frame takes about four packets, so without repair every fifth would break, and all
 * after it up to the next keyframe. A frame that was repaired may be shown too late for its turn.
 */
const MISSING = 0.12;
/** Sound is not sent again; what is lost is concealed. */
const STEADY = 0.85;
/** What is lost makes a browser wait longer for sound than for the picture, and it closes the gap only slowly. */
const LIP_SYNC = 0.4;
const LOSSY = {
  seconds: 10,
  // Until jitter buffers have found their delays.
  skip: 5,
  missing: MISSING,
  steady: STEADY,
  freeze: 1.5,
  latency: 1000,
  lipSync: LIP_SYNC,
};

/** @param {import('./lib/scope.mjs').Scope} scope @param {number} seed */
function lossy(scope, seed) {
  return startLink(scope, 'udp', s.server.rtc, { both: { loss: LOSS }, seed });
}

/**
 * @param {import('node:test').TestContext} t
 * @param {Awaited<ReturnType<typeof startLink>>} relay
 */
async function assertLossy(t, relay) {
  const { up, down } = await relay.passed();
  t.diagnostic(`relay: ${JSON.stringify({ up, down })}`);
  // Towards a sender, or from a viewer, there is little but feedback.
  const packets = up.passed + up.lost + down.passed + down.lost;
  const lost = (up.lost + down.lost) / packets;
  assert.ok(up.lost > 0 && down.lost > 0 && packets > 400, `few packets met the link: ${packets}`);
  assert.ok(lost > LOSS / 2 && lost < 2 * LOSS, `${(lost * 100).toFixed(1)} % were lost`);
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
  const relay = await lossy(scope, 1);
  pushRtmp(scope, s.server.rtmpUrl(stream), { gop: 45 });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream), viaPort: relay.port });
  await viewer.firstFrame(10_000);
  await sleep(17_000);
  const recording = await viewer.recording();
  assertStillMoving(recording);
  await assertLossy(t, relay);
  await viewer.stop();
  assertContent(t, recording, LOSSY);
});

test('players of a browser that publishes through a lossy network see a whole, moving picture', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'loss-up/camera';
  const relay = await lossy(scope, 2);
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream), viaPort: relay.port });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const player = play(scope, s.server.rtmpUrl(stream));
  await player.firstFrame(10_000);
  await viewer.firstFrame(10_000);
  await sleep(17_000);
  assertStillMoving(player.recording);
  const seen = await viewer.recording();
  const played = await player.stop();
  await assertLossy(t, relay);
  await viewer.stop();
  await publisher.stop();
  assertContent(t, seen, { ...LOSSY, name: 'browser' });
  assertContent(t, played, { ...LOSSY, name: 'RTMP' });
});

test('browser to browser with loss on both sides, the picture keeps moving to the end', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'loss-both/camera';
  const up = await lossy(scope, 3);
  const down = await lossy(scope, 4);
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream), viaPort: up.port });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream), viaPort: down.port });
  await viewer.firstFrame(10_000);
  await sleep(17_000);
  const recording = await viewer.recording();
  assertStillMoving(recording);
  await assertLossy(t, up);
  await assertLossy(t, down);
  await viewer.stop();
  await publisher.stop();
  assertContent(t, recording, { ...LOSSY, missing: 2 * MISSING });
});
