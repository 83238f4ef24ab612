/**
 * The calling convention of mini-program SDKs: callbacks and a promise for the same answer. The callback comes first,
 * and never within the call itself.
 *
 * Nobody has to look at the promise: a failure is not reported as an unhandled rejection. What a callback throws
 * becomes an error of the page's own and changes nothing here.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {unknown} onSuccess is called if it is a function
 * @param {unknown} onFailure likewise
 * @param {(value: T) => unknown[]} [argumentsOf] what the success callback gets, if not the value alone
 * @returns {Promise<T>}
 */
export function answer(work, onSuccess, onFailure, argumentsOf = (value) => [value]) {
  const promise = work.then(
    (value) => {
      callback(onSuccess, argumentsOf(value));
      return value;
    },
    (error) => {
      callback(onFailure, [error]);
      throw error;
    },
  );
  promise.catch(() => {});
  return promise;
}

/**
 * Calls a function of the page's.
 *
 * @param {unknown} listener nothing happens if it is none
 * @param {unknown[]} args
 */
export function callback(listener, args) {
  if (typeof listener !== 'function') return;
  try {
    listener(...args);
  } catch (cause) {
    reportPageError(cause);
  }
}

/** Lets the mini-program's `App.onError` hear of what a page has thrown. @param {unknown} cause */
export function reportPageError(cause) {
  setTimeout(() => {
    throw cause;
  }, 0);
}
