/**
 * Time as the emulator sees it. A test passes its own, so that no unit test waits for anything.
 *
 * @typedef {object} Clock
 * @property {() => number} now milliseconds, from any point in time, never backwards
 * @property {(run: () => void, ms: number) => unknown} setTimeout returns a handle for clearTimeout
 * @property {(handle: any) => void} clearTimeout
 */

/** @type {Clock} */
export const systemClock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle),
};
