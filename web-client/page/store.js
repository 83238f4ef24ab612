/**
 * The state of the page, in one place. Whoever shows a part of it watches that part; changes made in one go are told
 * once.
 *
 * @template {object} S
 */
export class Store {
  #state;
  /** @type {Set<Watcher<S>>} */
  #watchers = new Set();
  #due = false;

  /** @param {S} initial */
  constructor(initial) {
    this.#state = initial;
  }

  /** @returns {Readonly<S>} */
  get state() {
    return this.#state;
  }

  /** @param {Partial<S>} patch */
  set(patch) {
    this.#state = { ...this.#state, ...patch };
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => this.#tell());
  }

  /**
   * Calls back now, and whenever one of the selected values is another one than before.
   *
   * @param {(state: Readonly<S>) => readonly unknown[]} select
   * @param {(state: Readonly<S>) => void} listener
   * @returns {() => void} ends it
   */
  watch(select, listener) {
    const watcher = { select, listener, seen: select(this.#state) };
    this.#watchers.add(watcher);
    listener(this.#state);
    return () => this.#watchers.delete(watcher);
  }

  #tell() {
    this.#due = false;
    for (const watcher of [...this.#watchers]) {
      const now = watcher.select(this.#state);
      if (now.every((value, index) => Object.is(value, watcher.seen[index]))) continue;
      watcher.seen = now;
      watcher.listener(this.#state);
    }
  }
}

/**
 * @template {object} S
 * @typedef {{ select: (state: Readonly<S>) => readonly unknown[], listener: (state: Readonly<S>) => void,
 *   seen: readonly unknown[] }} Watcher
 */
