/** A phone sends what its viewer can take: through the server's event, the SDK, and the attributes of its pusher. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report, summary } from './lib/content.mjs';
import { startLink } from './lib/link.mjs';
import { phoneCamera, startPhone } from './lib/phone.mjs';
import { IMPATIENT_INPUT, play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

const WAIT_MS = 15_000;
/** What the viewer's path lets through of sound and pictures, in kbit/s; the demo sends up to 1000. */
const PATH_KBPS = 450;
/** How long a narrow path may show. */
const SETTLE_MS = 8000;
/** What was too much for the path is tried again 30 s later, and steps up are 3 s apart. */
const RISE_MS = 40_000;

/** @param {import('./lib/scope.mjs').Scope} scope @param {string} room a phone that publishes there, as `phone` */
function pushInto(scope, room) {
  // A picture that moves needs what the encoder may use.
  const camera = phoneCamera({ firstNumber: 0, tone: 440, textured: true });
  return startPhone(scope, { server: `http://${s.server.http}`, room, uid: 'phone', camera });
}

test('a phone sends less while its viewer cannot take more, and more again when it can', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const pusher = await pushInto(scope, 'steered');
  const before = pusher().state.kbps;
  const link = await startLink(scope, 'tcp', s.server.rtmp, { both: {} });
  const player = play(scope, `rtmp://127.0.0.1:${link.port}/demo/steered/phone`, { input: IMPATIENT_INPUT });
  await player.firstFrame(WAIT_MS);
  await sleep(2000);
  assert.equal(pusher().state.kbps, before, 'a viewer that can take everything asks for nothing');

  await link.set({ both: { rate_kbps: PATH_KBPS } });
  const narrowed = Date.now();
  const lower = await until('the encoder is told to send less', WAIT_MS, () => pusher().state.kbps < PATH_KBPS && pusher().state.kbps);
  t.diagnostic(`from ${before} to ${lower} kbit/s ${Date.now() - narrowed} ms after the path became narrow`);
  assert.ok(lower >= 200, 'never below the floor');

  await link.set({ both: {} });
  const freed = Date.now();
  await until('the encoder may send more again', RISE_MS, () => pusher().state.kbps > lower);
  t.diagnostic(`more again ${Date.now() - freed} ms after the path is free`);
});

test('a browser on a path for 60 % of what a phone sends soon sees a whole picture again, and hears all the time', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const pusher = await pushInto(scope, 'steered-web');
  const link = await startLink(scope, 'udp', s.server.rtc, {});
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl('steered-web/phone'), viaPort: link.port });
  await viewer.firstFrame(WAIT_MS);
  await sleep(5000);
  const before = await link.passed();
  await sleep(3000);
  const after = await link.passed();
  const kbps = ((after.down.bytes - before.down.bytes) * 8) / 3000;
  await link.set({ down: { rate_kbps: Math.round(0.6 * kbps), queue_ms: 300 } });
  const narrowed = Date.now();
  await sleep(20_000);
  const recording = await viewer.recording();
  await viewer.stop();
  const since = (/** @type {number} */ ms) =>
    recording.since(recording.frames.find(({ seen }) => seen > narrowed + ms)?.at ?? Infinity);
  const all = report(since(0));
  t.diagnostic(`${Math.round(kbps)} kbit/s before, ${pusher().state.kbps} asked for: ${summary(all)}`);
  const settled = report(since(SETTLE_MS));
  t.diagnostic(`after ${SETTLE_MS} ms: ${summary(settled)}`);
  assert.ok(all.steady > 0.9, 'the sound breaks');
  const shown = recording.frames.filter(({ seen }) => seen > narrowed + SETTLE_MS).map(({ seen }) => seen);
  const longest = Math.max(...shown.slice(1).map((seen, i) => seen - (shown[i] ?? seen)));
  const pace = (1000 * shown.length) / ((shown.at(-1) ?? 0) - (shown[0] ?? 0));
  t.diagnostic(`${pace.toFixed(1)} pictures a second, the longest stays for ${longest} ms`);
  assert.ok(longest < 1500 && pace > 10, 'the picture is not steady');
  assert.ok(settled.latency < 1000, 'the picture is late');
});
