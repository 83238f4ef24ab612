/**
 * Events by name, with the arguments that their listeners get.
 *
 * @template {{ [name in keyof Events]: unknown[] }} Events
 */
export class Emitter {
  /** @type {Map<keyof Events, { listener: Function, once: boolean }[]>} */
  #listeners = new Map();
  #report;

  /**
   * @param {(cause: unknown) => void} [report] is given what a listener throws; otherwise it becomes an unhandled
   *   rejection, so that it is seen
   */
  constructor(report = (cause) => void Promise.reject(cause)) {
    this.#report = report;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener
   */
  on(name, listener) {
    this.#add(name, listener, false);
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener is called for the next event of this name only
   */
  once(name, listener) {
    this.#add(name, listener, true);
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} [listener] all of this name if absent
   */
  off(name, listener) {
    const kept = this.#listeners.get(name)?.filter((entry) => listener !== undefined && entry.listener !== listener);
    if (kept === undefined || kept.length === 0) this.#listeners.delete(name);
    else this.#listeners.set(name, kept);
  }

  /** Of all names. */
  get listenerCount() {
    return [...this.#listeners.values()].reduce((count, listeners) => count + listeners.length, 0);
  }

  removeAllListeners() {
    this.#listeners.clear();
  }

  /**
   * Calls those who listened when the event came, in the order in which they began to.
   *
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} args
   */
  emit(name, ...args) {
    for (const entry of [...(this.#listeners.get(name) ?? [])]) {
      if (entry.once) this.#remove(name, entry);
      try {
        entry.listener(...args);
      } catch (cause) {
        this.#report(cause);
      }
    }
  }

  /**
   * @param {keyof Events} name
   * @param {Function} listener
   * @param {boolean} once
   */
  #add(name, listener, once) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { listener, once }]);
  }

  /**
   * @param {keyof Events} name
   * @param {{ listener: Function, once: boolean }} entry
   */
  #remove(name, entry) {
    const kept = (this.#listeners.get(name) ?? []).filter((other) => other !== entry);
    if (kept.length === 0) this.#listeners.delete(name);
    else this.#listeners.set(name, kept);
  }
}
