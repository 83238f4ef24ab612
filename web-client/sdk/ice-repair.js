/** ICE often comes back by itself within this time (a Wi-Fi roam, a burst of loss). */
const DISCONNECTED_MS = 500;
/** How long a restart may take: an offer, an answer and a few rounds of checks. */
const RESTART_TIMEOUT_MS = 4_000;
/** After as many restarts without success the room is joined anew. */
const MAX_RESTARTS = 3;

/**
 * When to restart ICE, and when to give up on it. Knows nothing of PeerConnections but the names of their states.
 */
export class IceRepair {
  #clock;
  #restart;
  #giveUp;
  #troubled;
  /** @type {RTCIceConnectionState} */
  #state = 'new';
  #trouble = false;
  #restarts = 0;
  /** A restart that has been asked for and not been answered. @type {object | null} */
  #asking = null;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {object} options
   * @param {import('../core/ports.js').Clock} options.clock
   * @param {() => Promise<void>} options.restart asks the server for an offer with new credentials
   * @param {() => void} options.giveUp
   * @param {(trouble: boolean) => void} options.troubled media are interrupted, or flow again
   */
  constructor({ clock, restart, giveUp, troubled }) {
    this.#clock = clock;
    this.#restart = restart;
    this.#giveUp = giveUp;
    this.#troubled = troubled;
  }

  /** Whether media can flow. */
  get healthy() {
    return this.#state === 'connected' || this.#state === 'completed';
  }

  /** Whether media flowed, or should have, and do not. */
  get trouble() {
    return this.#trouble;
  }

  /** @param {RTCIceConnectionState} state */
  changed(state) {
    if (state === this.#state) return;
    this.#state = state;
    if (this.healthy) return this.#recovered();
    if (state === 'disconnected') {
      this.#setTrouble(true);
      if (this.#timer === null) this.#after(DISCONNECTED_MS, () => this.#tryRestart());
    } else if (state === 'failed') {
      this.#setTrouble(true);
      this.#tryRestart();
    }
  }

  /** The path that ICE has found leads elsewhere now. */
  networkChanged() {
    if (this.#state === 'new' || this.#state === 'closed') return;
    this.#restarts = 0;
    this.#tryRestart();
  }

  /** Nothing comes any longer, though ICE has noticed nothing yet: its path may be gone. */
  suspect() {
    if (this.healthy && this.#timer === null) this.#tryRestart();
  }

  /** There is a reason to look: the device woke up, or the signalling is back. */
  check() {
    if (this.#state !== 'disconnected' && this.#state !== 'failed') return;
    this.#restarts = 0;
    this.#tryRestart();
  }

  /** The connection is replaced: what flowed is interrupted until the next one stands. */
  reset() {
    if (this.healthy) this.#setTrouble(true);
    this.#forget('new');
  }

  /** For good. */
  close() {
    this.#trouble = false;
    this.#forget('closed');
  }

  /** @param {RTCIceConnectionState} state */
  #forget(state) {
    this.#cancel();
    this.#asking = null;
    this.#state = state;
    this.#restarts = 0;
  }

  #tryRestart() {
    if (this.#asking !== null) return;
    this.#cancel();
    if (this.#restarts >= MAX_RESTARTS) return this.#giveUp();
    this.#restarts += 1;
    const asking = {};
    this.#asking = asking;
    const answered = () => {
      if (this.#asking !== asking) return;
      this.#asking = null;
      this.#after(RESTART_TIMEOUT_MS, () => this.#look());
    };
    // A refusal is looked at like a restart that did not help: if the session is lost, a reset comes first.
    this.#restart().then(answered, answered);
  }

  #look() {
    if (this.healthy) this.#restarts = 0;
    else this.#tryRestart();
  }

  #recovered() {
    this.#setTrouble(false);
    if (this.#asking !== null) return;
    this.#cancel();
    this.#restarts = 0;
  }

  /** @param {boolean} trouble */
  #setTrouble(trouble) {
    if (this.#trouble === trouble) return;
    this.#trouble = trouble;
    this.#troubled(trouble);
  }

  /**
   * @param {number} delayMs
   * @param {() => void} run
   */
  #after(delayMs, run) {
    this.#cancel();
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      run();
    }, delayMs);
  }

  #cancel() {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}
