/** @typedef {import('../core/protocol.js').Kind} Kind */
/** @typedef {import('../core/protocol.js').Layer} Layer */
/** @typedef {Record<Kind, boolean>} Kinds */
/** @typedef {Kinds & { maxLayer: Layer }} Wish */

/** How long a page may take to subscribe again to a track that is live again, before the server is told to keep it. */
const KEEP_MS = 5_000;

/**
 * Somebody's stream, as it is wanted and as the server sends it. What is asked for in one go is one request; a track
 * that is muted stays subscribed to, so that it is back without a negotiation.
 */
export class Subscription {
  #clock;
  #subscribe;
  #unsubscribe;
  #report;
  /** @type {Kinds} */
  #wanted = { audio: false, video: false };
  /** Muted, and wanted before that. @type {Kinds} */
  #kept = { audio: false, video: false };
  /** The largest size of the pictures that is wished for. @type {Layer} */
  #maxLayer = 'h';
  /** What the server was asked for last. @type {Wish} */
  #asked = { audio: false, video: false, maxLayer: 'h' };
  /** @type {Promise<void> | null} */
  #running = null;
  /** @type {Map<Kind, unknown>} */
  #timers = new Map();
  #closed = false;

  /**
   * @param {object} options
   * @param {import('../core/ports.js').Clock} options.clock
   * @param {(wish: Wish) => Promise<void>} options.subscribe
   * @param {() => Promise<void>} options.unsubscribe
   * @param {(cause: unknown) => void} options.report what nobody waits for
   */
  constructor({ clock, subscribe, unsubscribe, report }) {
    this.#clock = clock;
    this.#subscribe = subscribe;
    this.#unsubscribe = unsubscribe;
    this.#report = report;
  }

  /** @param {Kind} kind */
  wants(kind) {
    return this.#wanted[kind];
  }

  /** @param {Kind} kind */
  async want(kind) {
    this.#cancel(kind);
    this.#wanted[kind] = true;
    this.#kept[kind] = false;
    try {
      await this.#settle();
    } catch (cause) {
      if (!this.#asked[kind]) this.#wanted[kind] = false;
      throw cause;
    }
  }

  /** @param {Kind} kind */
  drop(kind) {
    this.#cancel(kind);
    this.#wanted[kind] = false;
    this.#kept[kind] = false;
    return this.#settle();
  }

  /** @param {Layer} layer */
  limit(layer) {
    this.#maxLayer = layer;
    return this.#settle();
  }

  /** The track is muted: who wants it again will say so. @param {Kind} kind */
  silent(kind) {
    if (!this.#wanted[kind]) return;
    this.#wanted[kind] = false;
    this.#kept[kind] = true;
  }

  /** The track is live again. @param {Kind} kind */
  live(kind) {
    if (!this.#kept[kind]) return;
    this.#cancel(kind);
    this.#timers.set(kind, this.#clock.setTimer(() => {
      this.#timers.delete(kind);
      this.drop(kind).catch(this.#report);
    }, KEEP_MS));
  }

  /** It has ended. */
  close() {
    this.#closed = true;
    this.#wanted = { audio: false, video: false };
    for (const kind of [...this.#timers.keys()]) this.#cancel(kind);
  }

  #settle() {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run() {
    // What is asked for in the same go comes along.
    await null;
    try {
      for (let next = this.#next(); next !== null; next = this.#next()) await this.#ask(next);
    } finally {
      this.#running = null;
    }
  }

  /** @returns {Wish | null} what to ask for, if that is something else than what was asked for last */
  #next() {
    const audio = this.#wanted.audio || this.#kept.audio;
    const video = this.#wanted.video || this.#kept.video;
    // Without pictures it makes no difference.
    const maxLayer = video ? this.#maxLayer : this.#asked.maxLayer;
    const same = audio === this.#asked.audio && video === this.#asked.video && maxLayer === this.#asked.maxLayer;
    return this.#closed || same ? null : { audio, video, maxLayer };
  }

  /** @param {Wish} next */
  async #ask(next) {
    const before = this.#asked;
    this.#asked = next;
    try {
      await (next.audio || next.video ? this.#subscribe(next) : this.#unsubscribe());
    } catch (cause) {
      this.#asked = before;
      throw cause;
    }
  }

  /** @param {Kind} kind */
  #cancel(kind) {
    if (this.#timers.has(kind)) this.#clock.clearTimer(this.#timers.get(kind));
    this.#timers.delete(kind);
  }
}
