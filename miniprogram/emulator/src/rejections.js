/**
 * Promises that a mini-program's code has rejected and nobody handles.
 *
 * Node tells of all of them in one place, `unhandledRejection` of the process, where test runners listen too and end
 * the test at hand. WeChat tells the program, through onUnhandledRejection, and goes on. Listeners cannot keep an
 * event from one another, so the event itself is looked at first, once there has been a mini-program; those of other
 * promises go on as if nobody had looked.
 *
 * @typedef {(reason: unknown, promise: unknown) => void} Rejected
 */

/**
 * By Promise.prototype of the realm. Those that have ended stay here: their promises may still be rejected.
 *
 * @type {WeakMap<object, Rejected>}
 */
const realms = new WeakMap();
let watching = false;

/**
 * @param {object} prototype Promise.prototype of a realm
 * @param {Rejected} rejected
 * @returns {() => void} from then on they are dropped
 */
export function watchRejections(prototype, rejected) {
  realms.set(prototype, rejected);
  if (!watching) {
    watching = true;
    const emit = process.emit;
    process.emit = /** @type {any} */ (function(/** @type {string} */ event, /** @type {any[]} */ ...args) {
      if (event === 'unhandledRejection' && taken(args[0], args[1])) return true;
      return /** @type {any} */ (emit).call(process, event, ...args);
    });
  }
  return () => realms.set(prototype, () => {});
}

/**
 * @param {unknown} reason
 * @param {any} promise
 * @returns {boolean} whether it is of one of the realms
 */
function taken(reason, promise) {
  for (let at = Object.getPrototypeOf(promise); at; at = Object.getPrototypeOf(at)) {
    const rejected = realms.get(at);
    if (!rejected) continue;
    rejected(reason, promise);
    return true;
  }
  return false;
}
