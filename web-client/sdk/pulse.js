/** How often to look. It costs next to nothing: browsers keep these times with the packets. */
const LOOK_MS = 250;
/** A stall counts only after media have flowed for as long, so that a stream that stutters asks for no more. */
const STEADY_MS = 5_000;

/** Notices that nothing comes any longer, seconds before ICE does. */
export class Pulse {
  #clock;
  #stallMs;
  #newest;
  #stalled;
  /** @type {unknown} */
  #timer = null;
  #seen = -Infinity;
  /** @type {number | null} */
  #flowsSince = null;
  #heardAt = 0;

  /**
   * @param {object} options
   * @param {import('../core/ports.js').Clock} options.clock
   * @param {number} options.stallMs how long nothing may come
   * @param {(seen: number) => number | undefined} options.newest something that another packet makes different from what
   *   was seen; undefined if none is expected
   * @param {() => void} options.stalled
   */
  constructor({ clock, stallMs, newest, stalled }) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#newest = newest;
    this.#stalled = stalled;
  }

  start() {
    this.stop();
    this.#look();
  }

  stop() {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
    this.#seen = -Infinity;
    this.#flowsSince = null;
  }

  #look() {
    this.#timer = this.#clock.setTimer(() => this.#look(), LOOK_MS);
    const now = this.#clock.now();
    const newest = this.#newest(this.#seen);
    if (newest === undefined) this.#flowsSince = null;
    if (newest !== undefined && newest !== this.#seen) {
      this.#seen = newest;
      this.#heardAt = now;
      this.#flowsSince ??= now;
    } else if (this.#flowsSince !== null && now - this.#heardAt >= this.#stallMs) {
      const steady = this.#heardAt - this.#flowsSince >= STEADY_MS;
      this.#flowsSince = null;
      if (steady) this.#stalled();
    }
  }
}
