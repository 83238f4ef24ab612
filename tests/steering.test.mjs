/** A phone sends what its viewer can take: through the server's event, the SDK, and the attributes of its pusher. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { report, summary } from './lib/content.mjs';
import { startLink } from './lib/link.mjs';
import { phoneCamera } from './lib/phone.mjs';
import { IMPATIENT_INPUT, play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const DEMO = fileURLToPath(new URL('../miniprogram/demo', import.meta.url));
const s = suite();

const WAIT_MS = 15_000;
/** What the viewer's path lets through of sound and pictures, in kbit/s; the demo sends up to 1000. */
const PATH_KBPS = 450;
/** How long a narrow path may show. */
const SETTLE_MS = 8000;
/** What was too much for the path is tried again 30 s later, and steps up are 3 s apart. */
const RISE_MS = 40_000;

/** @param {import('./lib/scope.mjs').Scope} scope @param {string} room a phone that publishes there, as `phone` */
async function startPhone(scope, room) {
  const emulator = await launch({
    dir: DEMO,
    server: `http://${s.server.http}`,
    // A picture that moves needs what the encoder may use.
    device: { camera: noisy(phoneCamera({ firstNumber: 0, tone: 440 })) },
    log: () => {},
  });
  scope.defer(() => emulator.close());
  emulator.find('#room').input(room);
  emulator.find('#uid').input('phone');
  await emulator.until(() => emulator.page.data['uid'] === 'phone', { what: 'the uid', timeoutMs: WAIT_MS });
  emulator.find('#join').tap();
  /** @returns {any} */
  const pusher = () => emulator.findAll('live-pusher')[0]?.media;
  await until('the phone pushes', WAIT_MS, () => pusher()?.state.picturesSent > 15);
  return pusher;
}

test('a phone sends less while its viewer cannot take more, and more again when it can', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const pusher = await startPhone(scope, 'steered');
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
  const pusher = await startPhone(scope, 'steered-web');
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

/** @param {ReturnType<typeof phoneCamera>} camera @returns {typeof camera} with noise below the bar code, which stays readable */
function noisy(camera) {
  return {
    ...camera,
    frame(index, nowMs, size) {
      const plane = camera.frame(index, nowMs, size);
      for (let at = Math.floor((plane.length * 3) / 4), seed = index + 1; at < plane.length; at += 1) {
        seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        plane[at] = 96 + ((seed >> 16) & 63);
      }
      return plane;
    },
  };
}
