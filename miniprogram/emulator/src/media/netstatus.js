/**
 * The figures that `bindnetstatus` gives: rates since the last time, gaps and buffers.
 */

/** How often a component tells them, in milliseconds. */
export const NETSTATUS_MS = 1000;
/** iOS tells them in two halves this far apart, in milliseconds. */
export const IOS_HALF_MS = 100;

/** Keys of the half that iOS sends first; all others are in the second. */
const PICTURE_KEYS = new Set([
  'videoBitrate',
  'videoFPS',
  'videoGOP',
  'videoWidth',
  'videoHeight',
  'videoCache',
  'vDecCacheSize',
  'vSumCacheSize',
]);

/** @typedef {Record<string, number | undefined>} NetInfo */

/** Counts what passes by, for either component. */
export class Meter {
  #since;
  #bytes = { video: 0, audio: 0 };
  #frames = 0;
  /** @type {number | null} */
  #keyframeAt = null;
  #gop = 0;
  /** @type {number | null} */
  #last = null;
  #interval = 0;
  #jitter = 0;

  /** @param {number} now */
  constructor(now) {
    this.#since = now;
  }

  /**
   * @param {'video' | 'audio'} kind
   * @param {number} bytes
   * @param {number} now
   * @param {{ keyframe?: boolean, timestamp: number }} frame its time in the stream, in milliseconds
   */
  add(kind, bytes, now, { keyframe = false, timestamp }) {
    this.#bytes[kind] += bytes;
    if (keyframe) {
      if (this.#keyframeAt !== null && timestamp > this.#keyframeAt) this.#gop = (timestamp - this.#keyframeAt) / 1000;
      this.#keyframeAt = timestamp;
    }
    // Mean deviation of the gaps, in the manner of RFC 3550, 6.4.1.
    if (this.#last !== null) {
      const gap = now - this.#last;
      this.#interval += (gap - this.#interval) / 16;
      this.#jitter += (Math.abs(gap - this.#interval) - this.#jitter) / 16;
    }
    this.#last = now;
  }

  /** A picture has been sent, or shown. */
  frame() {
    this.#frames += 1;
  }

  /**
   * The figures since the last call.
   * @param {number} now
   * @returns {NetInfo}
   */
  read(now) {
    const ms = Math.max(1, now - this.#since);
    const videoBitrate = Math.round((this.#bytes.video * 8) / ms);
    const audioBitrate = Math.round((this.#bytes.audio * 8) / ms);
    const videoFPS = Math.round((this.#frames * 1000) / ms);
    this.#since = now;
    this.#bytes = { video: 0, audio: 0 };
    this.#frames = 0;
    return {
      videoBitrate,
      audioBitrate,
      videoFPS,
      videoGOP: Math.round(this.#gop * 10) / 10,
      netSpeed: videoBitrate + audioBitrate,
      netJitter: Math.round(this.#jitter),
      // WeChat leaves it undefined where the address is plain RTMP.
      netQualityLevel: undefined,
    };
  }
}

/**
 * How a platform tells the figures: at once, or in two halves that complement each other.
 * @param {'android' | 'ios'} platform
 * @param {NetInfo} info
 * @returns {NetInfo[]}
 */
export function portions(platform, info) {
  if (platform !== 'ios') return [info];
  const entries = Object.entries(info);
  return [true, false].map((first) => Object.fromEntries(entries.filter(([key]) => PICTURE_KEYS.has(key) === first)));
}
