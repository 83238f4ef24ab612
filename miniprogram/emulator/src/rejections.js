/**
 * Promises that a mini-program's code has rejected and nobody handles.
 *
 * Node tells of all of them in one place, `unhandledRejection` of the process, where test runners listen too and end
 * the test at hand. WeChat tells the program, through onUnhandledRejection, and goes on. Listeners cannot keep an
 * event from one another, so the event itself is taken for as long as an emulator is alive; those of other promises
 * go on as if nobody had looked.
 *
 * @typedef {{owns: (promise: unknown) => boolean, rejected: (reason: unknown, promise: unknown) => void}} Watcher
 */

/** @type {Set<Watcher>} */
const watchers = new Set();
/** @type {typeof process.emit | undefined} */
let emit;

/**
 * @param {Watcher} watcher
 * @returns {() => void} ends it
 */
export function watchRejections(watcher) {
  watchers.add(watcher);
  if (!emit) {
    emit = process.emit;
    process.emit = /** @type {any} */ (intercept);
  }
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0 || !emit || process.emit !== /** @type {any} */ (intercept)) return;
    process.emit = emit;
    emit = undefined;
  };
}

/**
 * @this {any}
 * @param {string} event
 * @param {any[]} args
 * @returns {boolean}
 */
function intercept(event, ...args) {
  if (event === 'unhandledRejection') {
    for (const watcher of watchers) {
      if (!watcher.owns(args[1])) continue;
      watcher.rejected(args[0], args[1]);
      return true;
    }
  }
  return /** @type {any} */ (emit).call(this, event, ...args);
}
