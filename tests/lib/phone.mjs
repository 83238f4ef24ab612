/**
 * A phone in the emulator: what its camera sees, and what its players show and play.
 */
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { CLOCK_MODULUS, FLASH_FRAMES, fill, paint, readPlane, texture } from './barcode.mjs';
import { Recording } from './recording.mjs';
import { until } from './scope.mjs';
import { excerpt, synthesize } from './sound.mjs';

const DEMO = fileURLToPath(new URL('../../miniprogram/demo', import.meta.url));
/** How long the demo's page has for each of its steps. */
const WAIT_MS = 15_000;

const FPS = 15;
const RATE = 48_000;

/**
 * The test source as the camera and microphone of a phone. A pusher that is started again counts its pictures anew; the
 * numbers that are painted go on, so that none that is seen later is lower.
 * @param {{ firstNumber: number, tone: number, textured?: boolean, speech?: Int16Array }} who `textured`: pictures cost the
 * encoder all that it may use, and do not flash; `speech` at 48 kHz is heard, again and again, instead of the test sound
 */
export function phoneCamera({ firstNumber, tone, textured = false, speech }) {
  let base = firstNumber;
  let next = firstNumber;
  return {
    width: 368,
    height: 640,
    fps: FPS,
    rate: RATE,
    channels: 1,
    /** @param {number} index @param {number} nowMs @param {{ width: number, height: number }} size */
    frame(index, nowMs, { width, height }) {
      const plane = new Uint8Array(width * height);
      const flash = !textured && index % FPS < FLASH_FRAMES;
      if (index === 0) base = next;
      const number = base + index;
      next = number + 1;
      paint(plane, width, height, { number, clock: nowMs % CLOCK_MODULUS, flash });
      if (textured) fill(plane, width, height, texture(number));
      return plane;
    },
    /** @param {number} from @param {number} count */
    samples: (from, count) =>
      speech ? excerpt(speech, from, count) : synthesize({ tone, rate: RATE, channels: 1, from, count }),
  };
}

/**
 * Joins a room with the demo, as `uid`, and publishes there.
 * @param {import('./scope.mjs').Scope} scope
 * @param {{ server: string, room: string, uid: string, camera: ReturnType<typeof phoneCamera> }} call
 * @returns {Promise<() => any>} the pusher, which changes when the page does
 */
export async function startPhone(scope, { server, room, uid, camera }) {
  const emulator = await launch({ dir: DEMO, server, device: { camera }, log: () => {} });
  scope.defer(() => emulator.close());
  emulator.find('#room').input(room);
  emulator.find('#uid').input(uid);
  await emulator.until(() => emulator.page.data['uid'] === uid, { what: 'the uid', timeoutMs: WAIT_MS });
  emulator.find('#join').tap();
  const pusher = () => /** @type {any} */ (emulator.findAll('live-pusher')[0])?.media;
  await until('the phone pushes', WAIT_MS, () => pusher()?.state.picturesSent > FPS);
  return pusher;
}

/**
 * Notes what a player shows and plays from now on.
 * @param {{ onFrame: (listener: (frame: { plane: Uint8Array, width: number, height: number, atMs: number }) => void) => void,
 *   onSound: (listener: (pcm: Buffer) => void) => void }} player
 */
export function record(player) {
  const recording = new Recording();
  player.onFrame(({ plane, width, height, atMs }) => {
    const code = readPlane(plane, width, height);
    recording.frames.push({
      number: code?.number ?? null, clock: code?.clock ?? 0, flash: code?.flash ?? false, at: atMs / 1000, seen: Date.now(),
    });
  });
  player.onSound((pcm) => recording.sound.push(pcm));
  return recording;
}
