/**
 * What a test player saw and heard, in one form for every player.
 */
import { fromInt16 } from './sound.mjs';

/**
 * @typedef {object} Frame
 * @property {number | null} number the frame's number, null when its code could not be read
 * @property {number} clock `Date.now()` modulo 2^31 when it was painted
 * @property {boolean} flash
 * @property {number} at when the player presents it, in seconds on a time line shared with the sound
 * @property {number} seen `Date.now()` when it came out of the player
 */

/**
 * @typedef {object} Anchor
 * @property {number} seconds position in the sound, counted in samples
 * @property {number} at when that position is presented, on the frames' time line
 */

export class Recording {
  constructor() {
    /** `Date.now()` when the player started. */
    this.started = Date.now();
    /** @type {Frame[]} */
    this.frames = [];
    /** Sound of one channel. @type {Buffer[]} */
    this.sound = [];
    this.rate = 48_000;
    /** Ascending. @type {Anchor[]} */
    this.anchors = [];
    /** Picture sizes, as `360x640`. @type {Set<string>} */
    this.sizes = new Set();
  }

  /** The sound so far. */
  pcm() {
    return fromInt16(Buffer.concat(this.sound));
  }

  /** Frames whose code could be read. */
  readable() {
    return /** @type {(Frame & { number: number })[]} */ (this.frames.filter((frame) => frame.number !== null));
  }

  /** The number of the last readable frame, or -1. */
  lastNumber() {
    return this.readable().at(-1)?.number ?? -1;
  }

  /**
   * When a position in the sound is presented.
   * @param {number} seconds
   */
  presented(seconds) {
    let found = this.anchors[0];
    for (const anchor of this.anchors) {
      if (anchor.seconds > seconds) break;
      found = anchor;
    }
    return found ? found.at + (seconds - found.seconds) : seconds;
  }

  /**
   * The part that is presented from a moment on.
   * @param {number} at seconds on the time line of the frames
   */
  since(at) {
    const part = new Recording();
    part.started = this.started;
    part.rate = this.rate;
    part.sizes = this.sizes;
    part.frames = this.frames.filter((frame) => frame.at >= at);
    const anchors = this.anchors.filter((anchor) => anchor.at >= at);
    // A player that times only the start of its sound plays on from there.
    const before = this.anchors.findLast((anchor) => anchor.at < at);
    if (anchors.length === 0 && before) anchors.push({ seconds: before.seconds + at - before.at, at });
    const start = anchors[0]?.seconds ?? 0;
    part.anchors = anchors.map((anchor) => ({ seconds: anchor.seconds - start, at: anchor.at }));
    const bytes = Buffer.concat(this.sound);
    part.sound = anchors.length > 0 ? [bytes.subarray(Math.round(start * this.rate) * 2)] : [];
    return part;
  }

  /**
   * The part that is presented before a moment.
   * @param {number} at seconds on the time line of the frames
   */
  before(at) {
    const part = new Recording();
    part.started = this.started;
    part.rate = this.rate;
    part.sizes = this.sizes;
    part.frames = this.frames.filter((frame) => frame.at < at);
    part.anchors = this.anchors.filter((anchor) => anchor.at < at);
    const last = part.anchors.at(-1);
    const end = last ? last.seconds + at - last.at : 0;
    part.sound = [Buffer.concat(this.sound).subarray(0, Math.round(end * this.rate) * 2)];
    return part;
  }

  /**
   * Leaves out the beginning, in which a player finds its pace.
   * @param {number} seconds
   */
  skip(seconds) {
    const part = this.since((this.frames[0]?.at ?? this.anchors[0]?.at ?? 0) + seconds);
    // A player that does not time its sound is cut by length.
    if (this.anchors.length === 0) part.sound = [Buffer.concat(this.sound).subarray(seconds * this.rate * 2)];
    return part;
  }
}
