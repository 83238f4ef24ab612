import { sdkError } from './errors.js';

/** An offer, an answer and a few round trips; longer and something is broken. */
const TIMEOUT_MS = 15_000;

/**
 * @typedef {object} Waiter
 * @property {() => void} resolve
 * @property {(error: Error) => void} reject
 * @property {unknown} timer
 */

/** Promises of sections that the server will open. */
export class Arrivals {
  #clock;
  #isThere;
  /** @type {Map<string, Set<Waiter>>} */
  #waiters = new Map();

  /**
   * @param {import('../core/ports.js').Clock} clock
   * @param {(key: string) => boolean} isThere whether the section of this key is open now
   */
  constructor(clock, isThere) {
    this.#clock = clock;
    this.#isThere = isThere;
  }

  /**
   * @param {string} key of a section
   * @returns {Promise<void>} rejects with TIMEOUT if it does not come
   */
  arrival(key) {
    if (this.#isThere(key)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => {
        waiter.timer = null;
        this.#remove(key, waiter);
        reject(sdkError('TIMEOUT', 'no_media', `the server opened no section for ${key} in ${TIMEOUT_MS / 1000} s`));
      }, TIMEOUT_MS);
      /** @type {Waiter} */
      const waiter = { resolve, reject, timer };
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters.add(waiter));
    });
  }

  /** It is there. @param {string} key */
  settle(key) {
    this.#finish(key, ({ resolve }) => resolve());
  }

  /**
   * It will not come.
   *
   * @param {string} key
   * @param {Error} error
   */
  fail(key, error) {
    this.#finish(key, ({ reject }) => reject(error));
  }

  /** Nothing will come any more. @param {Error} error */
  close(error) {
    for (const key of [...this.#waiters.keys()]) this.fail(key, error);
  }

  /**
   * @param {string} key
   * @param {(waiter: Waiter) => void} tell
   */
  #finish(key, tell) {
    for (const waiter of [...(this.#waiters.get(key) ?? [])]) {
      this.#remove(key, waiter);
      tell(waiter);
    }
  }

  /**
   * @param {string} key
   * @param {Waiter} waiter
   */
  #remove(key, waiter) {
    if (waiter.timer !== null) this.#clock.clearTimer(waiter.timer);
    const waiters = this.#waiters.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(key);
  }
}
