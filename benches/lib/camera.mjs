/**
 * A camera and a microphone in front of an RTMP pusher: a bar-coded frame exactly when it is due, sound in pieces of a
 * few milliseconds. The tests' source makes the same picture and sound, without a pusher's timing of pictures.
 */
import { CLOCK_MODULUS, FLASH_FRAMES, fill, paint, texture } from '../../tests/lib/barcode.mjs';
import { excerpt, synthesize } from '../../tests/lib/sound.mjs';
import { tools } from '../../tests/lib/tools.mjs';

const WIDTH = 360;
const HEIGHT = 640;
export const FPS = 15;
const RATE = 48_000;
const TICK_MS = 4;
/** What an encoder gets to set itself up with, in seconds. */
const FIRST_S = 0.1;

/** @type {('pipe' | 'ignore')[]} */
const PIPES = ['pipe', 'ignore', 'pipe', 'pipe'];

/** @param {boolean} sound @param {number} gop @param {string} audioRate @param {string} url */
function encoder(sound, gop, audioRate, url) {
  const unprobed = ['-probesize', '32', '-analyzeduration', '0'];
  const args = ['-hide_banner', '-nostats', '-loglevel', 'info', ...unprobed];
  args.push('-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-video_size', `${WIDTH}x${HEIGHT}`);
  args.push('-framerate', String(FPS), '-i', 'pipe:0');
  if (sound) args.push(...unprobed, '-f', 's16le', '-ar', String(RATE), '-ac', '1', '-i', 'pipe:3');
  args.push('-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'veryfast', '-tune', 'zerolatency', '-refs', '1');
  args.push('-g', String(gop), '-keyint_min', String(gop), '-sc_threshold', '0', '-threads', '1');
  args.push('-b:v', '600k', '-maxrate', '600k', '-bufsize', '600k');
  // The muxer would hold pictures back until sound that is younger has been encoded.
  if (sound) args.push('-c:a', 'aac', '-b:a', audioRate, '-max_interleave_delta', '1');
  args.push('-flush_packets', '1', '-flvflags', 'no_duration_filesize', '-rtmp_live', 'live', '-f', 'flv', url);
  return args;
}

/**
 * @param {number} number
 * @param {boolean} textured
 */
function picture(number, textured) {
  const frame = new Uint8Array((WIDTH * HEIGHT * 3) / 2).fill(128, WIDTH * HEIGHT);
  const flash = !textured && number % FPS < FLASH_FRAMES;
  paint(frame, WIDTH, HEIGHT, { number, clock: Date.now() % CLOCK_MODULUS, flash });
  if (textured) fill(frame, WIDTH, HEIGHT, texture(number));
  return frame;
}

/**
 * Pushes until the scope closes.
 * @param {import('../../tests/lib/scope.mjs').Scope} scope
 * @param {string} url
 * @param {{ sound: boolean, gop?: number, audioRate?: string, textured?: boolean, speech?: Int16Array, ffmpeg?: string }} options
 * `textured`: pictures are hard to compress, and do not flash; `speech` at 48 kHz is heard instead of the test sound; `ffmpeg`: another
 * one than version 9, which is prompt but hands sound over in lumps of a tenth of a second
 */
export function pushCamera(scope, url, options) {
  const { sound, gop = 3 * FPS, audioRate = '48k', textured = false, speech, ffmpeg = tools().ffmpegWhip } = options;
  const child = scope.spawn(ffmpeg, encoder(sound, gop, audioRate, url), { stdio: PIPES });
  let pictures = 0;
  let samples = 0;
  let started = Infinity;
  child.lineListeners.push((line) => {
    // Until it is ready, an encoder that gets more than it needs to set itself up begins with a backlog.
    if (line.startsWith('Output #0')) started = Math.min(started, performance.now() - (pictures * 1000) / FPS);
  });
  const tick = () => {
    const elapsed = Math.max((performance.now() - started) / 1000, FIRST_S);
    for (; pictures <= elapsed * FPS; pictures += 1) {
      child.writer(0).write(picture(pictures, textured));
    }
    const count = Math.floor(elapsed * RATE) - samples;
    if (sound && count > 0) {
      const pcm = speech
        ? excerpt(speech, samples, count)
        : synthesize({ tone: 440, rate: RATE, channels: 1, from: samples, count });
      child.writer(3).write(new Uint8Array(pcm.buffer));
      samples += count;
    }
  };
  const timer = setInterval(tick, TICK_MS);
  scope.defer(() => clearInterval(timer));
  return child;
}
