/** Speech is not followed faster by eye, and levels are not known more often. */
const MIN_INTERVAL_MS = 100;

/** A beat at which volumes are told, while somebody is in a room. */
export class VolumeIndicator {
  #clock;
  #tell;
  /** @type {number | null} */
  #intervalMs = null;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {import('../core/ports.js').Clock} clock
   * @param {() => void} tell
   */
  constructor(clock, tell) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** @param {number} intervalMs */
  enable(intervalMs) {
    this.#intervalMs = Math.max(intervalMs, MIN_INTERVAL_MS);
  }

  /** Does nothing unless it is enabled. */
  start() {
    this.stop();
    if (this.#intervalMs === null) return;
    this.#timer = this.#clock.setTimer(() => {
      this.start();
      this.#tell();
    }, this.#intervalMs);
  }

  stop() {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}
