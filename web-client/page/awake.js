/** Keeps the screen of a phone on during a call, where the browser can. It lets go whenever the page is not seen. */
export class Awake {
  #wanted = false;
  /** @type {WakeLockSentinel | null} */
  #lock = null;

  constructor() {
    document.addEventListener('visibilitychange', () => void this.#adjust());
  }

  /** @param {boolean} wanted */
  keep(wanted) {
    this.#wanted = wanted;
    void this.#adjust();
  }

  async #adjust() {
    if (!('wakeLock' in navigator)) return;
    try {
      if (!this.#wanted) await this.#lock?.release();
      else if (document.visibilityState === 'visible') this.#lock = await navigator.wakeLock.request('screen');
    } catch {
      // Refused, as on a low battery: the call goes on without it.
    }
  }
}
