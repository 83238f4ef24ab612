/**
 * How WeChat's functions are called: with `success`, `fail` and `complete`, or without any of them for a promise.
 * Either way the answer comes later and carries an errMsg.
 */

/** A refusal. Its text follows `name:fail ` in errMsg. */
export class ApiError extends Error {
  /**
   * @param {string} reason
   * @param {Record<string, any>} [fields] that the program finds beside errMsg, such as errno
   */
  constructor(reason, fields = {}) {
    super(reason);
    this.name = 'ApiError';
    this.fields = fields;
  }
}

/**
 * @param {import('../realm.js').Realm} realm
 * @param {string} name
 * @param {(options: any) => any} run what the function does: returns the fields of the answer, or a promise of them;
 *     refuses by throwing
 * @returns {(options?: any) => any} the function of `wx`
 */
export function apiFunction(realm, name, run) {
  return (options = {}) => {
    const given = options === null || typeof options !== 'object' ? {} : options;
    const wanted = ['success', 'fail', 'complete'].some((key) => typeof given[key] === 'function');
    const answer = answerOf(realm, name, () => run(given));
    if (!wanted) {
      return realm.promise((resolve, reject) => {
        void answer.then(({ok, result}) => (ok ? resolve(result) : reject(result)));
      });
    }
    void answer.then(({ok, result}) => {
      tell(realm, `${name} ${ok ? 'success' : 'fail'}`, given[ok ? 'success' : 'fail'], result);
      tell(realm, `${name} complete`, given.complete, result);
    });
    return undefined;
  };
}

/**
 * @param {import('../realm.js').Realm} realm
 * @param {string} name
 * @param {() => any} run
 * @returns {Promise<{ok: boolean, result: any}>} never rejects
 */
async function answerOf(realm, name, run) {
  /** @type {any} */
  let outcome;
  try {
    outcome = run();
  } catch (error) {
    // As late as an answer: calls are answered in their order.
    outcome = Promise.reject(error);
  }
  try {
    const fields = await outcome;
    return {ok: true, result: realm.own({errMsg: `${name}:ok`, ...fields})};
  } catch (error) {
    const {message, fields = {}} = /** @type {any} */ (error);
    return {ok: false, result: realm.own({errMsg: `${name}:fail${message ? ` ${message}` : ''}`, ...fields})};
  }
}

/**
 * @param {import('../realm.js').Realm} realm
 * @param {string} where
 * @param {unknown} callback
 * @param {...any} args
 */
export function tell(realm, where, callback, ...args) {
  if (typeof callback === 'function') realm.guard(where, () => callback(...args));
}

/** Listeners of one kind of event, as `wx.onX` and `wx.offX` keep them. */
export class Listeners {
  #realm;
  #where;
  /** @type {Function[]} */
  #list = [];

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {string} where for errors
   */
  constructor(realm, where) {
    this.#realm = realm;
    this.#where = where;
    /** @param {unknown} listener */
    this.on = (listener) => {
      if (typeof listener === 'function') this.#list.push(listener);
    };
    /** @param {unknown} [listener] all of them if it is left out */
    this.off = (listener) => {
      this.#list = listener === undefined ? [] : this.#list.filter((one) => one !== listener);
    };
  }

  /** @param {any} [payload] */
  emit(payload) {
    const owned = this.#realm.own(payload);
    for (const listener of [...this.#list]) tell(this.#realm, this.#where, listener, owned);
  }
}

/**
 * @template {string} T
 * @param {readonly T[]} names
 * @param {import('../realm.js').Realm} realm
 * @param {string} prefix of the names, for errors
 * @returns {Record<T, Listeners>}
 */
export function listenersFor(names, realm, prefix) {
  const made = names.map((name) => [name, new Listeners(realm, `${prefix}${name}`)]);
  return /** @type {Record<T, Listeners>} */ (Object.fromEntries(made));
}
