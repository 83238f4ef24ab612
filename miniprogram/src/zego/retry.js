/** As the vendor's: the first retry comes soon, later ones ever later, and after five minutes there is none. */
const FIRST_MS = 300;
const MAX_MS = 4_800;
export const GIVE_UP_MS = 300_000;
/** What has gone well for as long is no part of the same trouble. */
const STABLE_MS = 30_000;

/** Does something again until it is well. */
export class Retry {
  #clock;
  #act;
  #giveUp;
  #count = 0;
  /** Since when it is not well. @type {number | null} */
  #since = null;
  /** Since when it is. @type {number | null} */
  #wellSince = null;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {import('../../../web-client/core/ports.js').Clock} clock
   * @param {() => void} act
   * @param {() => void} giveUp
   */
  constructor(clock, act, giveUp) {
    this.#clock = clock;
    this.#act = act;
    this.#giveUp = giveUp;
  }

  /** It failed. While a retry is to come, further failures are part of it. */
  failed() {
    if (this.#timer !== null) return;
    const now = this.#clock.now();
    if (this.#wellSince !== null && now - this.#wellSince >= STABLE_MS) this.#count = 0;
    this.#wellSince = null;
    this.#since ??= now;
    if (now - this.#since >= GIVE_UP_MS) return this.#giveUp();
    const delayMs = Math.min(FIRST_MS * 2 ** this.#count, MAX_MS);
    this.#count = Math.min(this.#count + 1, MAX_MS / FIRST_MS);
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      this.#act();
    }, delayMs);
  }

  /** It is well. */
  succeeded() {
    this.#since = null;
    this.#wellSince ??= this.#clock.now();
  }

  stop() {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}
