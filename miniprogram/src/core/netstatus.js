/** What `bindnetstatus` of the two components says, put together. */

/**
 * The fields that are used, as WeChat names them. `netQualityLevel` is not among them: it is undefined on plain RTMP.
 *
 * @typedef {object} NetInfo
 * @property {number} [videoBitrate] kbit/s
 * @property {number} [audioBitrate] kbit/s
 * @property {number} [videoFPS]
 * @property {number} [videoGOP] seconds
 * @property {number} [netSpeed] kbit/s
 * @property {number} [netJitter] milliseconds
 * @property {number} [videoWidth]
 * @property {number} [videoHeight]
 * @property {number} [videoCache] pusher: frames that wait to be sent; player: milliseconds
 * @property {number} [audioCache] as videoCache
 */

/** @typedef {keyof NetInfo} NetField */

/** @type {readonly NetField[]} */
const FIELDS = [
  'videoBitrate', 'audioBitrate', 'videoFPS', 'videoGOP', 'netSpeed', 'netJitter', 'videoWidth', 'videoHeight',
  'videoCache', 'audioCache',
];

/** iOS sends two halves of one report less than this apart. */
const PAIR_MS = 200;

/** The newest report, with both halves of it. */
export class NetStatus {
  /** @type {NetInfo} */
  info = {};
  /** @type {number | null} */
  #at = null;

  /**
   * @param {unknown} info of the event; anything may come from a page
   * @param {number} now milliseconds
   * @returns {NetInfo}
   */
  take(info, now) {
    const half = readInfo(info);
    const pair = this.#at !== null && now - this.#at < PAIR_MS;
    this.info = pair ? { ...this.info, ...withoutZeros(half) } : half;
    this.#at = now;
    return this.info;
  }

  clear() {
    this.info = {};
    this.#at = null;
  }
}

/**
 * @param {NetInfo} info
 * @returns {boolean} whether media flow
 */
export function flows({ videoBitrate = 0, audioBitrate = 0, netSpeed }) {
  return videoBitrate + audioBitrate > 0 && netSpeed !== 0;
}

/**
 * @param {unknown} info
 * @returns {NetInfo} what of it is a number
 */
function readInfo(info) {
  /** @type {NetInfo} */
  const read = {};
  if (typeof info !== 'object' || info === null) return read;
  for (const field of FIELDS) {
    const value = /** @type {Record<string, unknown>} */ (info)[field];
    // Some versions send numbers as text.
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number) && number >= 0) read[field] = number;
  }
  return read;
}

/**
 * The second half of a pair has zeros where the first one has the figures.
 *
 * @param {NetInfo} info
 * @returns {NetInfo}
 */
function withoutZeros(info) {
  return Object.fromEntries(Object.entries(info).filter(([, value]) => value !== 0));
}
