import { answer } from '../core/answer.js';
import { bitratesWithin } from '../core/bitrates.js';
import { Code, ZegoError } from './errors.js';

/** A component that has just been put into the page may not be ready for its context yet. */
const START_TRIES = 4;
const START_RETRY_MS = 300;

/** A context of WeChat's: methods that take `{success, fail}`. @typedef {Record<string, ((options: object) => unknown) | undefined>} Context */

/** @typedef {import('./stream.js').Sink} Sink */

/**
 * What a component needs of the engine.
 *
 * @typedef {object} ComponentHost
 * @property {(delayMs: number, run: () => void) => void} after
 * @property {() => Context} context makes the component's context
 * @property {(attributes: Record<string, unknown>) => Promise<void>} write puts the attributes into the page; resolves when it shows them
 * @property {() => boolean} moving whether the component reports to be under way
 */

/**
 * A `live-pusher` or `live-player` that the SDK drives: it writes the attributes, and starts the component by its
 * context, whatever the page says of starting by itself.
 *
 * @implements {Sink}
 */
export class LiveComponent {
  /** As they stand in the page's data. @type {Record<string, unknown>} */
  attributes;
  #host;
  #startMethod;
  /** What the page wants of the rate, whatever the server's limits. @type {{ min?: number, max?: number }} */
  #bitrate = {};
  /** @type {import('../core/client.js').PublishLimits | null} */
  #limits = null;
  /** Counts up with every address, so that what was begun for an earlier one ends. */
  #turn = 0;
  /** @type {Context | null} */
  #context = null;

  /**
   * @param {ComponentHost} host
   * @param {'start' | 'play'} startMethod
   * @param {Record<string, unknown>} attributes
   */
  constructor(host, startMethod, attributes) {
    this.#host = host;
    this.#startMethod = startMethod;
    this.attributes = attributes;
    this.#note(attributes);
  }

  /** Merges and shows them. @param {Record<string, unknown>} attributes */
  set(attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined) this.attributes[name] = value;
    }
    this.#note(attributes);
    if (this.#limits !== null) Object.assign(this.attributes, bitratesWithin(this.#bitrate, this.#limits));
    return this.#host.write(this.attributes);
  }

  /** The server's, beside what the page wants. @param {import('../core/client.js').PublishLimits | null} limits */
  limit(limits) {
    if (limits === null && this.#limits === null) return;
    this.#limits = limits;
    Object.assign(this.attributes, bitratesWithin(this.#bitrate, limits));
    void this.#host.write(this.attributes);
  }

  /** @param {Record<string, unknown>} attributes that the page wants */
  #note({ minBitrate: min, maxBitrate: max }) {
    if (typeof min === 'number') this.#bitrate.min = min;
    if (typeof max === 'number') this.#bitrate.max = max;
  }

  /** @param {string} url */
  async show(url) {
    this.#turn += 1;
    const turn = this.#turn;
    if (this.#shown) {
      // Components take a new address up reliably only if they were without one in between.
      this.#stopComponent();
      await this.set({ url: '' });
    }
    if (turn === this.#turn) await this.set({ url });
    if (turn === this.#turn) await this.#start(turn);
  }

  hide() {
    this.#turn += 1;
    if (!this.#shown) return;
    this.#stopComponent();
    void this.set({ url: '' });
  }

  /** The context was of a component that is gone. */
  forget() {
    this.#turn += 1;
    this.#context = null;
    this.attributes['url'] = '';
  }

  /**
   * A method of the component's own context.
   *
   * @param {string} method
   * @param {unknown} [options] `{success, fail, …}`
   * @returns {Promise<any>} what the component answers; rejects with a ZegoError
   */
  call(method, options) {
    const { success, fail, ...rest } = /** @type {{ success?: unknown, fail?: unknown }} */ (
      typeof options === 'object' && options !== null ? options : {});
    return answer(this.#ask(method, rest), success, fail);
  }

  get #shown() {
    return typeof this.attributes['url'] === 'string' && this.attributes['url'] !== '';
  }

  /** @param {number} turn */
  async #start(turn) {
    this.#context = this.#host.context();
    for (let tries = 1; turn === this.#turn; tries += 1) {
      try {
        await this.#ask(this.#startMethod, {});
        return;
      } catch (cause) {
        // One that starts by itself may refuse to start.
        if (this.#host.moving()) return;
        if (tries >= START_TRIES) throw cause;
      }
      await new Promise((resolve) => this.#host.after(START_RETRY_MS, () => resolve(undefined)));
    }
  }

  #stopComponent() {
    // It ends with its element, whether or not it could be stopped.
    this.#ask('stop', {}).catch(() => {});
  }

  /** @param {string} method @param {object} options @returns {Promise<unknown>} */
  #ask(method, options) {
    return new Promise((resolve, reject) => {
      this.#context ??= this.#host.context();
      const context = this.#context;
      const act = context[method];
      const fail = (/** @type {unknown} */ cause) => {
        const { errMsg } = /** @type {{ errMsg?: unknown }} */ (cause ?? {});
        reject(new ZegoError(Code.badParameter, `${method}: ${typeof errMsg === 'string' ? errMsg : 'the component failed'}`));
      };
      if (typeof act !== 'function') return fail({ errMsg: 'this version of WeChat does not have it' });
      act.call(context, { ...options, success: resolve, fail });
    });
  }
}
