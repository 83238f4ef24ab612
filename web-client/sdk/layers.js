/** Sizes in which one's own pictures are sent at once, and which of somebody else's is enough. Pure. */

/** @typedef {import('../core/protocol.js').Layer} Layer */
/** @typedef {import('./peer-session.js').Encoding} Encoding */

/** From the smallest. @type {readonly Layer[]} */
const LAYERS = ['l', 'm', 'h'];

/** What a layer is sent until the server asks for others. @type {readonly Layer[]} */
export const FIRST_LAYERS = ['h'];

/**
 * From which shorter side on, in pixels, a camera's pictures are sent in how many sizes. Each is half as wide and high as
 * the next: the smallest of three is then 180, of two 240 lines high, below which nobody would see anything.
 *
 * @type {readonly [number, number][]}
 */
const LAYERS_BY_SIDE = [[720, 3], [480, 2]];

/** What a layer takes of the next larger one, half as wide and high: encoders need more bits for each of fewer pixels. */
const BITRATE_STEP = 0.35;

/**
 * Up to which shorter side of the place where pictures are shown, in pixels of the screen, a layer is enough.
 *
 * @type {readonly [number, Layer][]}
 */
const LAYER_BY_SIDE = [[220, 'l'], [400, 'm']];

/**
 * @param {number} width
 * @param {number} height
 */
export function layersFor(width, height) {
  const side = Math.min(width, height);
  return LAYERS_BY_SIDE.find(([least]) => side >= least)?.[1] ?? 1;
}

/**
 * @param {number} width of where the pictures are shown, in pixels of the screen
 * @param {number} height
 * @returns {Layer} the smallest that is enough
 */
export function layerForPlace(width, height) {
  const side = Math.min(width, height);
  return LAYER_BY_SIDE.find(([most]) => side <= most)?.[1] ?? 'h';
}

/**
 * @param {unknown} value
 * @returns {value is Layer}
 */
export function isLayer(value) {
  return LAYERS.some((layer) => layer === value);
}

/**
 * Sets how each layer of a track is encoded, or the only one.
 *
 * @param {RTCRtpEncodingParameters[]} encodings of the sender, from the smallest, changed in place
 * @param {Encoding} encoding of the full picture
 * @param {readonly Layer[]} wanted
 */
export function setEncodings(encodings, { maxBitrate, maxFramerate, scaleResolutionDownBy }, wanted) {
  encodings.forEach((each, index) => {
    const steps = encodings.length - 1 - index;
    set(each, 'maxBitrate', maxBitrate === undefined ? undefined : Math.round(maxBitrate * BITRATE_STEP ** steps));
    set(each, 'maxFramerate', maxFramerate);
    if (encodings.length === 1) return scale(each, scaleResolutionDownBy);
    each.scaleResolutionDownBy = 2 ** steps;
    each.active = wanted.some((layer) => layer === each.rid);
  });
}

/**
 * @param {RTCRtpEncodingParameters} encoding
 * @param {number} [by] the full picture if absent
 */
function scale(encoding, by) {
  if (by !== undefined || encoding.scaleResolutionDownBy !== undefined) encoding.scaleResolutionDownBy = by ?? 1;
}

/**
 * @param {RTCRtpEncodingParameters} encoding
 * @param {'maxBitrate' | 'maxFramerate'} name
 * @param {number | undefined} value
 */
function set(encoding, name, value) {
  if (value === undefined) delete encoding[name];
  else encoding[name] = value;
}
