/** The first retry is quick: most failures are a network that changed and is back. */
const FIRST_MS = 500;
/** Nobody should wait longer than this after the server came back. */
const MAX_MS = 8_000;

/**
 * How long to wait before another attempt: twice as long every time up to a limit, less up to a quarter so that
 * clients do not return all at once.
 *
 * @param {number} attempt from 0
 * @param {number} random in [0, 1)
 * @returns {number} milliseconds
 */
export function backoffMs(attempt, random) {
  const fullMs = Math.min(FIRST_MS * 2 ** Math.min(attempt, 16), MAX_MS);
  return Math.round(fullMs * (1 - random / 4));
}
