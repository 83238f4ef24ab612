/** What a page and the one that it has opened tell each other. */
export class EventChannel {
  #realm;
  /** @type {Map<string, {listener: Function, once: boolean}[]>} */
  #listeners = new Map();

  /** @param {import('./realm.js').Realm} realm */
  constructor(realm) {
    this.#realm = realm;
  }

  /**
   * @param {string} name
   * @param {Function} listener
   */
  on(name, listener) {
    this.#add(name, listener, false);
  }

  /**
   * @param {string} name
   * @param {Function} listener
   */
  once(name, listener) {
    this.#add(name, listener, true);
  }

  /**
   * @param {string} name
   * @param {Function} [listener] all of them if it is left out
   */
  off(name, listener) {
    const kept = (this.#listeners.get(name) ?? []).filter((entry) => listener && entry.listener !== listener);
    this.#listeners.set(name, kept);
  }

  /**
   * @param {string} name
   * @param {...any} args
   */
  emit(name, ...args) {
    for (const {listener, once} of [...this.#listeners.get(name) ?? []]) {
      if (once) this.off(name, listener);
      this.#realm.guard(`event ${name}`, () => listener(...args));
    }
  }

  /**
   * @param {string} name
   * @param {Function} listener
   * @param {boolean} once
   */
  #add(name, listener, once) {
    if (typeof listener !== 'function') return;
    const entries = this.#listeners.get(name) ?? [];
    entries.push({listener, once});
    this.#listeners.set(name, entries);
  }
}
