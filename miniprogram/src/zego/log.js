/** @typedef {'debug' | 'info' | 'warn' | 'error' | 'report' | 'disable'} LogLevel */

/** From everything to nothing. @type {readonly string[]} */
const LEVELS = ['debug', 'info', 'warn', 'error', 'report', 'disable'];

/** Lines on the mini-program's console. Nothing is sent anywhere. */
export class Log {
  #least = LEVELS.indexOf('warn');

  /** @param {unknown} level @returns {boolean} false: there is no such level */
  setLevel(level) {
    const found = typeof level === 'string' ? LEVELS.indexOf(level) : -1;
    if (found >= 0) this.#least = found;
    return found >= 0;
  }

  /** @param {'debug' | 'info' | 'warn' | 'error'} level @param {string} text without secrets */
  say(level, text) {
    if (LEVELS.indexOf(level) < this.#least) return;
    console[level === 'debug' ? 'log' : level](`[zego] ${text}`);
  }
}
