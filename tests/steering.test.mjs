/** A phone sends what its viewer can take: through the server's event, the SDK, and the attributes of its pusher. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { startLink } from './lib/link.mjs';
import { phoneCamera } from './lib/phone.mjs';
import { IMPATIENT_INPUT, play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const DEMO = fileURLToPath(new URL('../miniprogram/demo', import.meta.url));
const s = suite({ browser: false });

const WAIT_MS = 15_000;
/** What the viewer's path lets through of sound and pictures, in kbit/s; the demo sends up to 1000. */
const PATH_KBPS = 450;
/** Steps up are 3 s apart. */
const RISE_MS = 25_000;

test('a phone sends less while its viewer cannot take more, and more again when it can', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const emulator = await launch({
    dir: DEMO,
    server: `http://${s.server.http}`,
    // A picture that moves needs what the encoder may use.
    device: { camera: noisy(phoneCamera({ firstNumber: 0, tone: 440 })) },
    log: () => {},
  });
  scope.defer(() => emulator.close());
  emulator.find('#room').input('steered');
  emulator.find('#uid').input('phone');
  await emulator.until(() => emulator.page.data['uid'] === 'phone', { what: 'the uid', timeoutMs: WAIT_MS });
  emulator.find('#join').tap();
  /** @returns {any} */
  const pusher = () => emulator.findAll('live-pusher')[0]?.media;
  await until('the phone pushes', WAIT_MS, () => pusher()?.state.picturesSent > 15);
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

/** @param {ReturnType<typeof phoneCamera>} camera @returns {typeof camera} with noise below the bar code */
function noisy(camera) {
  return {
    ...camera,
    frame(index, nowMs, size) {
      const plane = camera.frame(index, nowMs, size);
      for (let at = Math.floor(plane.length / 2), seed = index + 1; at < plane.length; at += 1) {
        seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        plane[at] = 96 + ((seed >> 16) & 63);
      }
      return plane;
    },
  };
}
