/**
 * What a pusher captures when nobody gives it anything else: a picture that moves and a tone.
 */

/**
 * A camera with its microphone. Both follow one clock, which starts with the capture: picture number `i` belongs to
 * second `i / fps`, sample `n` to second `n / rate`.
 * @typedef {object} Camera
 * @property {number} width of its own picture, upright
 * @property {number} height
 * @property {number} fps
 * @property {number} rate samples per second
 * @property {number} channels
 * @property {(index: number, nowMs: number, size: { width: number, height: number }) => Uint8Array} frame
 *   picture `index`, 8-bit grey of the asked size; `nowMs` is the wall clock
 * @property {(from: number, count: number) => Int16Array} samples interleaved, `from` and `count` per channel
 */

const WHITE = 235;
const BLACK = 16;
const GREY = 110;
/** Bars in the width of the picture. */
const BARS = 8;
/** Full scale of a sample, times the loudness. */
const LEVEL = 0.2 * 32767;

/**
 * The default camera: grey bars, with a white line that crosses the picture once in two seconds.
 * @param {{ tone?: number, width?: number, height?: number, fps?: number }} [options] `tone` in hertz
 * @returns {Camera}
 */
export function testPattern({ tone = 440, width = 360, height = 640, fps = 15 } = {}) {
  const rate = 48_000;
  return {
    width,
    height,
    fps,
    rate,
    channels: 1,
    frame(index, _nowMs, size) {
      const row = new Uint8Array(size.width);
      for (let x = 0; x < size.width; x += 1) {
        const bar = Math.floor((x * BARS) / size.width);
        row[x] = BLACK + Math.round(((GREY - BLACK) * bar) / (BARS - 1));
      }
      const plane = new Uint8Array(size.width * size.height);
      for (let y = 0; y < size.height; y += 1) plane.set(row, y * size.width);
      const at = Math.floor(((index % (2 * fps)) / (2 * fps)) * size.height);
      plane.fill(WHITE, at * size.width, Math.min(size.height, at + 8) * size.width);
      return plane;
    },
    samples(from, count) {
      return Int16Array.from({ length: count }, (_, i) => LEVEL * Math.sin((2 * Math.PI * tone * (from + i)) / rate));
    },
  };
}

/**
 * The picture of a camera that is covered.
 * @param {number} width @param {number} height
 */
export function black(width, height) {
  return new Uint8Array(width * height).fill(BLACK);
}
