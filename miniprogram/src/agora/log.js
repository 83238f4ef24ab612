import { answer, callback } from '../core/answer.js';
import { notSupported } from './errors.js';

/** From everything to nothing. */
const LEVELS = { all: -1, debug: 0, info: 1, warn: 2, error: 3, off: 4 };

/** @typedef {'debug' | 'info' | 'warn' | 'error'} Level */

/** @type {number} */
let threshold = LEVELS.error;

/** What the SDK says to developers. Never tokens, nor addresses, which hold tickets. */
export const LOG = {
  /** Is given every line that is written, as text. @type {((text: string) => void) | null} */
  onLog: null,

  /** The spelling of older pages. @type {((text: string) => void) | null} */
  onlog: null,

  /**
   * @param {number} level -1 everything, 0 debug, 1 info, 2 warn, 3 error (at first), 4 nothing
   * @throws {Error} if it is none of these
   */
  setLogLevel(level) {
    if (!Number.isInteger(level) || level < LEVELS.all || level > LEVELS.off) {
      throw new Error(`log level ${level}: it is one of -1, 0, 1, 2, 3 and 4`);
    }
    threshold = level;
  },

  /**
   * There is nowhere to upload to: keep what `onLog` gives.
   *
   * @param {() => void} [onSuccess]
   * @param {(error: import('./errors.js').AgoraError) => void} [onFailure]
   * @returns {Promise<void>} rejects with code 401
   */
  uploadLogs(onSuccess, onFailure) {
    return answer(Promise.reject(notSupported('uploading logs')), onSuccess, onFailure);
  },
};

/** @param {Level} level @param {string} text without secrets */
export function log(level, text) {
  if (LEVELS[level] < threshold) return;
  const line = `[queqiao] ${level} ${text}`;
  console[level === 'debug' ? 'log' : level](line);
  callback(LOG.onLog, [line]);
  callback(LOG.onlog, [line]);
}
