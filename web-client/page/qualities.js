/** The pictures that a camera may be asked for. Pure. */

/**
 * @typedef {object} Quality
 * @property {string} id
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 * @property {number} kbps at most
 */

/** All within what phones decode in H.264 while they do other things. @type {readonly Quality[]} */
export const QUALITIES = [
  { id: '180p', width: 320, height: 180, fps: 15, kbps: 250 },
  { id: '360p', width: 640, height: 360, fps: 30, kbps: 800 },
  { id: '540p', width: 960, height: 540, fps: 30, kbps: 1500 },
  { id: '720p', width: 1280, height: 720, fps: 30, kbps: 2500 },
];

export const USUAL_QUALITY = '360p';

/**
 * @param {string} id
 * @returns {Quality} the usual one if there is none of that name
 */
export function qualityOf(id) {
  const found = QUALITIES.find((quality) => quality.id === id) ?? QUALITIES.find((quality) => quality.id === USUAL_QUALITY);
  if (!found) throw new RangeError('the usual quality is not in the list');
  return found;
}

/**
 * As the SDK takes it.
 *
 * @param {string} id
 */
export function encoderConfiguration(id) {
  const { width, height, fps, kbps } = qualityOf(id);
  return { width, height, frameRate: fps, bitrateMax: kbps };
}
