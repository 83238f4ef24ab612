/**
 * Which size a pusher encodes. Attributes ask for one; the mode and the rate decide.
 */

/** Encoders of phones work in squares of this many pixels, and round up. */
const BLOCK = 16;
const SMALLEST = 64;
const LARGEST = 1920;

/** Modes with a size of their own, upright. @type {Readonly<Record<string, readonly [number, number]>>} */
const FIXED = { QVGA: [240, 320], HVGA: [320, 480], SD: [360, 640], HD: [540, 960], FHD: [720, 1280] };

/** What mode FHD sends at, whatever the attributes say, in kbit/s. */
const FHD_KBPS = 1800;

/** Mode RTC makes the picture smaller at this rate and below, and larger at that rate and above, in kbit/s. */
const SMALL_KBPS = 300;
const LARGE_KBPS = 1800;
const SMALL_SCALE = 0.525;
const LARGE_SCALE = 2;

/**
 * @typedef {object} PictureAttributes
 * @property {string} mode
 * @property {string} orientation
 * @property {string} aspect
 * @property {number} videoWidth
 * @property {number} videoHeight
 * @property {number} minBitrate kbit/s
 * @property {number} maxBitrate kbit/s
 */

/** @param {number} pixels */
function aligned(pixels) {
  const whole = Math.ceil(pixels / BLOCK) * BLOCK;
  return Math.min(LARGEST, Math.max(SMALLEST, whole));
}

/** @param {PictureAttributes} attributes @param {number} kbps @returns {[number, number]} */
function upright({ mode, aspect, videoWidth, videoHeight }, kbps) {
  const fixed = FIXED[mode];
  if (fixed) return [fixed[0], aspect === '3:4' || aspect === '4:3' ? (fixed[0] * 4) / 3 : fixed[1]];
  const height = aspect === '3:4' || aspect === '4:3' ? (videoWidth * 4) / 3 : videoHeight;
  const scale = kbps <= SMALL_KBPS ? SMALL_SCALE : kbps >= LARGE_KBPS ? LARGE_SCALE : 1;
  return [videoWidth * scale, height * scale];
}

/**
 * The size on the wire.
 * @param {PictureAttributes} attributes
 * @param {number} kbps what the uplink allows now
 */
export function sizeOnWire(attributes, kbps) {
  const [width, height] = upright(attributes, kbps).map(aligned);
  const [short = SMALLEST, long = SMALLEST] = [width, height];
  return attributes.orientation === 'horizontal' ? { width: long, height: short } : { width: short, height: long };
}

/**
 * The bounds of the rate, in kbit/s.
 * @param {PictureAttributes} attributes
 */
export function rateBounds({ mode, minBitrate, maxBitrate }) {
  if (mode === 'FHD') return { min: FHD_KBPS, max: FHD_KBPS };
  const max = Math.max(1, maxBitrate);
  return { min: Math.min(Math.max(1, minBitrate), max), max };
}
