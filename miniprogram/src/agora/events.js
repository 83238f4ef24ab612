import { callback } from '../core/answer.js';

/** Its listeners hear every event, with the name before the payload. */
const ANY = '*';

/**
 * The vendor's emitter: one payload, or none. What a listener throws is the page's own error and stops nobody else.
 *
 * @template {{ [name in keyof Payloads]: unknown }} Payloads
 */
export class Events {
  /** @type {Map<string, Function[]>} */
  #listeners = new Map();

  /**
   * @template {keyof Payloads & string} Name
   * @param {Name} event
   * @param {(payload: Payloads[Name]) => void} listener
   * @returns {this}
   */
  on(event, listener) {
    if (typeof listener === 'function') this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }

  /**
   * @template {keyof Payloads & string} Name
   * @param {Name} [event] all events if absent
   * @param {(payload: Payloads[Name]) => void} [listener] all of this event if absent
   * @returns {this}
   */
  off(event, listener) {
    if (event === undefined) {
      this.#listeners.clear();
      return this;
    }
    const kept = listener === undefined ? [] : (this.#listeners.get(event) ?? []).filter((other) => other !== listener);
    if (kept.length === 0) this.#listeners.delete(event);
    else this.#listeners.set(event, kept);
    return this;
  }

  /**
   * @template {keyof Payloads & string} Name
   * @param {Name} event
   * @param {Payloads[Name] extends undefined ? [] : [payload: Payloads[Name]]} payload
   */
  emit(event, ...payload) {
    for (const listener of this.#listeners.get(event) ?? []) callback(listener, payload);
    for (const listener of this.#listeners.get(ANY) ?? []) callback(listener, [event, ...payload]);
  }
}
