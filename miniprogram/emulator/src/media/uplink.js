/**
 * The rate at which a pusher encodes: down when the uplink does not take it, up again when it does.
 */

/** A backlog that takes longer than this to send means that the uplink is too slow, in seconds at the present rate. */
const WEAK_SECONDS = 0.6;
/** Above this, pictures are left out until the next keyframe, or the delay would never end. */
const DROP_SECONDS = 3;
/** Between two changes, in milliseconds: the encoder starts anew each time. */
const DOWN_INTERVAL_MS = 2000;
const UP_INTERVAL_MS = 10_000;
const DOWN = 0.7;
const UP = 1.3;

/** Follows the backlog of one connection. */
export class Uplink {
  #min = 0;
  #max = 0;
  #changedAt = -Infinity;
  /** Since when there has been no backlog. @type {number | null} */
  #clearSince = null;
  /** What to encode at now, in kbit/s. */
  kbps = 0;
  /** Whether pictures are to be left out. */
  dropping = false;

  /**
   * New bounds; the rate begins at the upper one, or stays where the uplink has put it.
   * @param {{ min: number, max: number }} bounds kbit/s
   */
  bounds({ min, max }) {
    const atMax = this.kbps === this.#max;
    this.#min = min;
    this.#max = max;
    this.kbps = atMax ? max : Math.min(max, Math.max(min, this.kbps));
  }

  /**
   * @param {number} backlogBytes written but not yet taken by the connection
   * @param {number} now
   * @returns {{ weak: boolean, changed: boolean }} whether the uplink has just been found too slow, and whether the
   *   rate is another one now
   */
  update(backlogBytes, now) {
    const seconds = (backlogBytes * 8) / (this.kbps * 1000);
    this.dropping = seconds > (this.dropping ? WEAK_SECONDS : DROP_SECONDS);
    if (seconds > WEAK_SECONDS) {
      this.#clearSince = null;
      if (now - this.#changedAt < DOWN_INTERVAL_MS) return { weak: false, changed: false };
      return { weak: true, changed: this.#set(this.kbps * DOWN, now) };
    }
    if (backlogBytes > 0) return { weak: false, changed: false };
    this.#clearSince ??= now;
    const calm = now - Math.max(this.#clearSince, this.#changedAt) >= UP_INTERVAL_MS;
    return { weak: false, changed: calm && this.#set(this.kbps * UP, now) };
  }

  /** @param {number} kbps @param {number} now */
  #set(kbps, now) {
    const before = this.kbps;
    this.#changedAt = now;
    this.kbps = Math.round(Math.min(this.#max, Math.max(this.#min, kbps)));
    return this.kbps !== before;
  }
}
