/**
 * What a player holds back so that an uneven network does not show: at least `min`, at most `max`.
 */

/** Tags held at once: eight seconds of sound and pictures at 30 a second. More is a clock gone wrong. */
const MAX_TAGS = 700;
/** Times that are this far from what is expected belong to another time line, in milliseconds. */
const DISCONTINUITY_MS = 8000;
/** So long after the last tag was due the buffer counts as dry, in milliseconds. */
const DRY_MS = 500;
/** So long without sound, and pictures are played by themselves, in milliseconds. */
const SILENT_MS = 1000;
/** Sound that comes later than this moves everything, in milliseconds. */
const LATE_MS = 40;
/** So long it watches how early sound comes before it plays sooner, in milliseconds, and how much is worth it. */
const WATCH_MS = 3000;
const SPARE_MS = 40;
/** By how much the buffer grows each time that it has run dry, in milliseconds. */
const GROWTH_MS = 100;

/**
 * @typedef {object} BufferedTag
 * @property {'video' | 'audio'} kind
 * @property {number} timestamp milliseconds
 * @property {boolean} config
 * @property {boolean} keyframe
 * @property {Buffer} data the body of the tag
 */

/** A jitter buffer over both kinds. No clock of its own. */
export class PlayBuffer {
  /** In the order of arrival, which is that of time but for the distance between sound and picture. */
  /** @type {BufferedTag[]} */
  #queue = [];
  #min = 0;
  #max = 0;
  #target = 0;
  /** Time of play of a tag is its time plus this; null while filling. @type {number | null} */
  #offset = null;
  /** When the first tag of the filling came. */
  #fillingSince = 0;
  #newest = { video: -Infinity, audio: -Infinity };
  /** When the newest of each kind came. */
  #came = { video: -Infinity, audio: -Infinity };
  /** Sound before this is not played any more. */
  #soundFrom = -Infinity;

  /** The least time that sound has waited since a moment. */
  #spare = { since: 0, ms: Infinity };

  /** @param {{ minMs: number, maxMs: number }} bounds */
  constructor(bounds) {
    this.bounds(bounds);
  }

  /** @param {{ minMs: number, maxMs: number }} bounds */
  bounds({ minMs, maxMs }) {
    this.#min = Math.max(0, minMs);
    this.#max = Math.max(this.#min, maxMs);
    this.#target = Math.min(this.#max, Math.max(this.#min, this.#target));
  }

  /** How many tags wait, of either kind. */
  count() {
    const video = this.#queue.filter((tag) => tag.kind === 'video').length;
    return { video, audio: this.#queue.length - video };
  }

  /** Milliseconds that wait, of either kind. */
  held() {
    return { video: this.#span('video'), audio: this.#span('audio') };
  }

  /** By how much the last picture that came is ahead of the last sound, in milliseconds. */
  get skew() {
    const { video, audio } = this.#newest;
    return Number.isFinite(video) && Number.isFinite(audio) ? video - audio : 0;
  }

  /** The level above which it catches up, in milliseconds. */
  get thresholdMs() {
    return this.#max;
  }

  /** @param {BufferedTag} tag @param {number} now */
  push(tag, now) {
    const newest = this.#newestOfAll();
    if (Number.isFinite(newest) && Math.abs(tag.timestamp - newest) > DISCONTINUITY_MS) this.clear();
    if (this.#queue.length === 0 && this.#offset === null) this.#fillingSince = now;
    if (this.#queue.length >= MAX_TAGS) this.#queue.splice(0, this.#queue.length - MAX_TAGS + 1);
    this.#queue.push(tag);
    if (!tag.config && tag.timestamp > this.#newest[tag.kind]) {
      this.#newest[tag.kind] = tag.timestamp;
      this.#came[tag.kind] = now;
    }
    if (this.#offset === null) return;
    if (tag.kind === 'audio' && !tag.config && tag.timestamp >= this.#soundFrom) this.#settle(tag, now, this.#offset);
    if (this.#newest[this.#leader(now)] + this.#offset - now > this.#max) this.#startAt(now);
  }

  /**
   * The tags whose time has come.
   * @param {number} now
   * @returns {{ tags: BufferedTag[], dry: boolean }} `dry` once when it has run out of tags
   */
  due(now) {
    if (this.#offset === null) {
      if (!this.#full(now)) return { tags: [], dry: false };
      this.#startAt(now);
    }
    const position = now - (this.#offset ?? 0);
    const tags = [];
    /** @type {BufferedTag[]} */
    const rest = [];
    for (const tag of this.#queue) {
      if (tag.timestamp > position) rest.push(tag);
      else if (tag.config || tag.kind === 'video' || tag.timestamp >= this.#soundFrom) tags.push(tag);
    }
    this.#queue = rest;
    const dry = rest.length === 0 && position > this.#newestOfAll() + DRY_MS;
    if (dry) {
      this.#offset = null;
      this.#target = Math.min(this.#max, this.#target + GROWTH_MS);
    }
    return { tags, dry };
  }

  /**
   * When `due` has something to say next.
   * @param {number} now
   * @returns {number | null} null as long as no tag comes
   */
  deadline(now) {
    if (this.#offset === null) {
      if (this.#queue.length === 0) return null;
      return this.#full(now) ? now : this.#fillingSince + this.#target;
    }
    if (this.#queue.length === 0) return this.#newestOfAll() + this.#offset + DRY_MS + 1;
    return Math.min(...this.#queue.map((tag) => tag.timestamp)) + this.#offset;
  }

  /** Forgets all, as for another stream. */
  clear() {
    this.#queue = [];
    this.#offset = null;
    this.#newest = { video: -Infinity, audio: -Infinity };
    this.#came = { video: -Infinity, audio: -Infinity };
    this.#soundFrom = -Infinity;
  }

  /** @param {number} now */
  #full(now) {
    const first = this.#queue[0];
    if (!first) return false;
    return now - this.#fillingSince >= this.#target || this.#newestOfAll() - first.timestamp >= this.#target;
  }

  // The newest tag is played `target` after it came. Pictures before that are still decoded, at once; sound is not.
  /** @param {number} now */
  #startAt(now) {
    const leader = this.#leader(now);
    const waited = now - this.#came[leader];
    this.#soundFrom = this.#newest[leader] + (Number.isFinite(waited) ? waited : 0) - this.#target;
    this.#offset = now - this.#soundFrom;
    this.#spare = { since: now, ms: Infinity };
  }

  // Sound that came too late is held back again as at the start; sooner when all of it has come early for a while.
  /** @param {BufferedTag} tag @param {number} now @param {number} offset */
  #settle(tag, now, offset) {
    const wait = tag.timestamp + offset - now;
    if (wait < -LATE_MS) {
      this.#shift(this.#target - wait, now);
      return;
    }
    this.#spare.ms = Math.min(this.#spare.ms, wait);
    if (now - this.#spare.since < WATCH_MS) return;
    const spare = this.#spare.ms - this.#target;
    this.#shift(spare > SPARE_MS ? -spare : 0, now);
  }

  /** @param {number} ms @param {number} now */
  #shift(ms, now) {
    this.#offset = (this.#offset ?? 0) + ms;
    if (ms < 0) this.#soundFrom = now - this.#offset;
    this.#spare = { since: now, ms: Infinity };
  }

  /** The kind that the clock follows: sound while there is any, for a gap in it is heard. @param {number} now */
  #leader(now) {
    return now - this.#came.audio < SILENT_MS ? 'audio' : 'video';
  }

  #newestOfAll() {
    return Math.max(this.#newest.video, this.#newest.audio);
  }

  /** @param {'video' | 'audio'} kind */
  #span(kind) {
    const first = this.#queue.find((tag) => tag.kind === kind && !tag.config);
    return first ? Math.max(0, this.#newest[kind] - first.timestamp) : 0;
  }
}
