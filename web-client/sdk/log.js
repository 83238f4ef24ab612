/** Levels of Agora's Web SDK: 0 debug, 1 information, 2 warnings, 3 errors, 4 nothing. */
const NONE = 4;

/** A page wants to hear of what is wrong, and of nothing else. */
let level = 2;

/** @param {number} next 0 to 4 */
export function setLogLevel(next) {
  level = Number.isInteger(next) ? Math.min(Math.max(next, 0), NONE) : level;
}

/** What the SDK has to say to developers. Neither tokens nor session descriptions are given to it. */
export const log = {
  /** @param {...unknown} words */
  debug: (...words) => {
    if (level <= 0) console.debug('queqiao:', ...words);
  },
  /** @param {...unknown} words */
  info: (...words) => {
    if (level <= 1) console.info('queqiao:', ...words);
  },
  /** @param {...unknown} words */
  warn: (...words) => {
    if (level <= 2) console.warn('queqiao:', ...words);
  },
  /** @param {...unknown} words */
  error: (...words) => {
    if (level <= 3) console.error('queqiao:', ...words);
  },
};
