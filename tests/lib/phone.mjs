/**
 * A phone in the emulator: what its camera sees, and what its players show and play.
 */
import { CLOCK_MODULUS, FLASH_FRAMES, paint, readPlane } from './barcode.mjs';
import { Recording } from './recording.mjs';
import { synthesize } from './sound.mjs';

const FPS = 15;
const RATE = 48_000;

/**
 * The test source as the camera and microphone of a phone. A pusher that is started again counts its pictures anew; the
 * numbers that are painted go on, so that none that is seen later is lower.
 * @param {{ firstNumber: number, tone: number }} who
 */
export function phoneCamera({ firstNumber, tone }) {
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
      const flash = index % FPS < FLASH_FRAMES;
      if (index === 0) base = next;
      const number = base + index;
      next = number + 1;
      paint(plane, width, height, { number, clock: nowMs % CLOCK_MODULUS, flash });
      return plane;
    },
    /** @param {number} from @param {number} count */
    samples: (from, count) => synthesize({ tone, rate: RATE, channels: 1, from, count }),
  };
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
