import {ApiError} from './calls.js';

/** WeChat's own limits. */
const MAX_VALUE_BYTES = 1024 * 1024;
const MAX_TOTAL_BYTES = 10 * 1024 * 1024;

/**
 * Storage of one mini-program, for as long as the emulator runs. Values are kept as JSON, as WeChat keeps them.
 */
export class Storage {
  #realm;
  /** @type {Map<string, string>} */
  #values;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {Record<string, unknown>} initial
   */
  constructor(realm, initial) {
    this.#realm = realm;
    this.#values = new Map(Object.entries(initial).map(([key, value]) => [key, JSON.stringify(value)]));
  }

  /** @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}} */
  api() {
    return {
      async: {
        setStorage: ({key, data}) => this.#set(key, data),
        getStorage: ({key}) => {
          if (!this.#values.has(key)) throw new ApiError('data not found');
          return {data: this.#get(key)};
        },
        removeStorage: ({key}) => void this.#values.delete(key),
        clearStorage: () => this.#values.clear(),
        getStorageInfo: () => this.#info(),
      },
      sync: {
        setStorageSync: (/** @type {string} */ key, /** @type {unknown} */ data) => {
          try {
            this.#set(key, data);
          } catch (error) {
            throw new this.#realm.globals.Error(`setStorageSync:fail ${/** @type {Error} */ (error).message}`);
          }
        },
        getStorageSync: (/** @type {string} */ key) => (this.#values.has(key) ? this.#realm.own(this.#get(key)) : ''),
        removeStorageSync: (/** @type {string} */ key) => void this.#values.delete(key),
        clearStorageSync: () => this.#values.clear(),
        getStorageInfoSync: () => this.#realm.own(this.#info()),
      },
    };
  }

  /** @param {string} key */
  #get(key) {
    return JSON.parse(/** @type {string} */ (this.#values.get(key)));
  }

  /**
   * @param {unknown} key
   * @param {unknown} data
   */
  #set(key, data) {
    if (typeof key !== 'string' || key === '') throw new ApiError('parameter error: key should be a string');
    const text = JSON.stringify(data) ?? 'null';
    if (text.length > MAX_VALUE_BYTES) throw new ApiError('entry size limit reached');
    if (this.#bytes() - (this.#values.get(key)?.length ?? 0) + text.length > MAX_TOTAL_BYTES) {
      throw new ApiError('exceed storage max size 10Mb');
    }
    this.#values.set(key, text);
  }

  #bytes() {
    let bytes = 0;
    for (const [key, text] of this.#values) bytes += key.length + text.length;
    return bytes;
  }

  #info() {
    const currentSize = Math.ceil(this.#bytes() / 1024);
    return {keys: [...this.#values.keys()], currentSize, limitSize: MAX_TOTAL_BYTES / 1024};
  }
}
