/** How often to look whether time has jumped. */
const LOOK_MS = 2_000;
/** A timer that comes this much too late did not wait: the device was asleep, or the page frozen. */
const JUMP_MS = 8_000;

/**
 * What happens around the page that a connection should know of.
 *
 * @typedef {object} SurroundingsEvents
 * @property {() => void} networkChanged another way to the network is in use
 * @property {() => void} woke the device or the page may have been asleep
 * @property {() => void} leaving the page goes away
 */

/** Watches while somebody is in a room. */
export class Surroundings {
  #clock;
  #events;
  #view;
  #abort = new AbortController();
  /** @type {unknown} */
  #timer = null;
  /** Of the day, as the clock that only counts stands still in some browsers while the device sleeps. */
  #seenAt = 0;

  /**
   * @param {import('../core/ports.js').Clock} clock
   * @param {SurroundingsEvents} events
   * @param {Pick<typeof globalThis, 'addEventListener' | 'document' | 'navigator' | 'Date'>} [view] for tests
   */
  constructor(clock, events, view = globalThis) {
    this.#clock = clock;
    this.#events = events;
    this.#view = view;
  }

  start() {
    const { networkChanged, woke, leaving } = this.#events;
    const { signal } = this.#abort;
    const { document } = this.#view;
    this.#view.addEventListener('online', networkChanged, { signal });
    this.#view.addEventListener('pagehide', leaving, { signal });
    this.#view.addEventListener('pageshow', ({ persisted }) => persisted && woke(), { signal });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && woke(), { signal });
    this.#watchConnection(signal);
    this.#look();
  }

  stop() {
    this.#abort.abort();
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  /** @param {AbortSignal} signal */
  #watchConnection(signal) {
    const connection = /** @type {(EventTarget & { type?: string }) | undefined} */ (Reflect.get(this.#view.navigator, 'connection'));
    let type = connection?.type;
    // The event also comes for every new estimate of speed.
    connection?.addEventListener('change', () => {
      if (connection.type === type) return;
      type = connection.type;
      if (type !== 'none') this.#events.networkChanged();
    }, { signal });
  }

  #look() {
    const now = this.#view.Date.now();
    if (this.#timer !== null && now - this.#seenAt > LOOK_MS + JUMP_MS) this.#events.woke();
    this.#seenAt = now;
    this.#timer = this.#clock.setTimer(() => this.#look(), LOOK_MS);
  }
}
