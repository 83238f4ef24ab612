/**
 * How often a component connects anew, and when it gives up. No clock of its own.
 */

/** Attempts after a connection was lost or refused, and the time before each. */
export const RETRIES = 3;
export const RETRY_DELAY_MS = 3000;

/** @typedef {'idle' | 'opening' | 'open' | 'waiting' | 'failed'} AttemptPhase */

/** The attempts to hold one connection. */
export class Attempts {
  /** @type {AttemptPhase} */
  phase = 'idle';
  /** When the next attempt is due, in milliseconds of the caller's clock. @type {number | null} */
  deadline = null;
  #made = 0;
  #retries;
  #delayMs;

  /** @param {{ retries?: number, delayMs?: number }} [options] */
  constructor({ retries = RETRIES, delayMs = RETRY_DELAY_MS } = {}) {
    this.#retries = retries;
    this.#delayMs = delayMs;
  }

  /** Whether this is an attempt to come back rather than the first one. */
  get retrying() {
    return this.#made > 0 && (this.phase === 'opening' || this.phase === 'waiting');
  }

  /** Begins with the first attempt, which the caller makes now. */
  start() {
    this.#made = 0;
    this.#go();
  }

  /** The connection stands, but has not yet proved itself. */
  opened() {
    if (this.phase === 'opening') this.phase = 'open';
  }

  /** The connection has proved itself: the next loss has all attempts before it again. */
  proved() {
    this.#made = 0;
  }

  /**
   * The attempt failed, or the connection broke.
   * @param {number} now
   * @returns {boolean} whether there will be another attempt
   */
  lost(now) {
    if (this.#made >= this.#retries) {
      this.phase = 'failed';
      this.deadline = null;
      return false;
    }
    this.#made += 1;
    this.phase = 'waiting';
    this.deadline = now + this.#delayMs;
    return true;
  }

  /**
   * @param {number} now
   * @returns {boolean} whether an attempt is due, which the caller makes now
   */
  wake(now) {
    if (this.phase !== 'waiting' || this.deadline === null || now < this.deadline) return false;
    this.#go();
    return true;
  }

  stop() {
    this.phase = 'idle';
    this.deadline = null;
  }

  #go() {
    this.phase = 'opening';
    this.deadline = null;
  }
}
