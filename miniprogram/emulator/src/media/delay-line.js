/**
 * Holds things back for a while, in order. No clock of its own.
 */

/** What is held at once: ten seconds of sound. More goes out early. */
const MAX_HELD = 500;

/** @template T */
export class DelayLine {
  /** @type {{ at: number, item: T }[]} */
  #held = [];
  #delayMs = 0;

  /** How long what comes from now on is held. What is in it leaves no later than that either. @param {number} ms */
  delay(ms) {
    this.#delayMs = ms;
  }

  /**
   * @param {T} item
   * @param {number} now
   * @returns {T[]} what leaves now
   */
  push(item, now) {
    this.#held.push({ at: now, item });
    const due = this.#held.findIndex(({ at }) => now - at < this.#delayMs);
    const count = Math.max(due < 0 ? this.#held.length : due, this.#held.length - MAX_HELD);
    return this.#held.splice(0, count).map((one) => one.item);
  }

  clear() {
    this.#held = [];
  }
}
