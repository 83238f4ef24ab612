import {ApiError, Listeners, apiFunction} from './calls.js';

/** As many as WeChat allows at once; the others wait. */
const MAX_REQUESTS = 10;
/** In the background a request has this long to end. */
const BACKGROUND_MS = 5000;
/** WeChat's default. */
const TIMEOUT_MS = 60_000;

/** wx.request of one mini-program. */
export class Requests {
  #realm;
  #rewrite;
  #clock;
  /** @type {Set<AbortController>} */
  #live = new Set();
  /** @type {(() => void)[]} */
  #waiting = [];
  #inBackground = false;
  /** @type {unknown} */
  #interruption;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {(url: string) => string} rewrite the address that is really called
   * @param {import('../clock.js').Clock} clock
   */
  constructor(realm, rewrite, clock) {
    this.#realm = realm;
    this.#rewrite = rewrite;
    this.#clock = clock;
  }

  /** @returns {Record<string, Function>} for `wx` */
  api() {
    return {
      request: (/** @type {any} */ options = {}) => {
        const controller = new AbortController();
        const headers = new Listeners(this.#realm, 'RequestTask.onHeadersReceived');
        // There is no promise of it: what is returned is the task.
        const call = apiFunction(this.#realm, 'request', (given) => this.#run(given, controller, headers));
        call({complete: () => {}, ...options});
        return Object.assign(new this.#realm.globals.Object(), {
          abort: () => controller.abort('abort'),
          onHeadersReceived: headers.on, offHeadersReceived: headers.off,
          onChunkReceived: () => {}, offChunkReceived: () => {},
        });
      },
    };
  }

  /** @param {boolean} on the mini-program is in the background: no new ones, and those that run have to end soon */
  background(on) {
    this.#inBackground = on;
    this.#clock.clearTimeout(this.#interruption);
    if (on) this.#interruption = this.#clock.setTimeout(() => this.#abortAll('interrupted'), BACKGROUND_MS);
  }

  /** Ends all of them. */
  close() {
    this.#clock.clearTimeout(this.#interruption);
    this.#abortAll('abort');
  }

  /** @param {string} reason */
  #abortAll(reason) {
    for (const controller of this.#live) controller.abort(reason);
  }

  /**
   * @param {any} options
   * @param {AbortController} controller
   * @param {Listeners} headers
   */
  async #run(options, controller, headers) {
    const {url, timeout = TIMEOUT_MS, dataType = 'json', responseType = 'text'} = options;
    if (this.#inBackground) throw new ApiError('interrupted');
    if (typeof url !== 'string' || !/^https?:\/\/[^/]/.test(url)) throw new ApiError(`invalid url "${url}"`);
    while (this.#live.size >= MAX_REQUESTS) {
      await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    }
    this.#live.add(controller);
    const timer = this.#clock.setTimeout(() => controller.abort('timeout'), timeout);
    try {
      const {address, init} = fetchArguments(this.#rewrite(url), options);
      const response = await fetch(address, {...init, signal: controller.signal});
      const header = Object.fromEntries(response.headers);
      const cookies = response.headers.getSetCookie();
      headers.emit({header, statusCode: response.status, cookies});
      const body = Buffer.from(await response.arrayBuffer());
      return {data: readBody(body, dataType, responseType), statusCode: response.status, header, cookies};
    } catch (error) {
      if (controller.signal.aborted) throw new ApiError(String(controller.signal.reason));
      const cause = /** @type {any} */ (error).cause;
      throw new ApiError(cause?.code ?? cause?.message ?? /** @type {Error} */ (error).message);
    } finally {
      this.#clock.clearTimeout(timer);
      this.#live.delete(controller);
      this.#waiting.shift()?.();
    }
  }
}

/**
 * @param {string} url
 * @param {any} options of wx.request
 * @returns {{address: string, init: RequestInit}}
 */
function fetchArguments(url, {method = 'GET', header = {}, data}) {
  const verb = String(method).toUpperCase();
  const headers = new Headers();
  for (const [name, value] of Object.entries(header ?? {})) headers.set(name, String(value));
  const text = (/** @type {unknown} */ value) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  const form = (/** @type {any} */ fields) =>
    new URLSearchParams(Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, text(value)])));
  if (data === undefined || data === null) return {address: url, init: {method: verb, headers}};
  if (verb === 'GET' || verb === 'HEAD') {
    if (typeof data !== 'object') return {address: url, init: {method: verb, headers}};
    const address = new URL(url);
    for (const [key, value] of form(data)) address.searchParams.set(key, value);
    return {address: address.href, init: {method: verb, headers}};
  }
  if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  if (typeof data === 'string') return {address: url, init: {method: verb, headers, body: data}};
  if (Object.prototype.toString.call(data) === '[object ArrayBuffer]') {
    return {address: url, init: {method: verb, headers, body: Buffer.from(new Uint8Array(data))}};
  }
  const encoded = headers.get('content-type')?.startsWith('application/x-www-form-urlencoded');
  return {address: url, init: {method: verb, headers, body: encoded ? form(data).toString() : JSON.stringify(data)}};
}

/**
 * @param {Buffer} body
 * @param {string} dataType
 * @param {string} responseType
 */
function readBody(body, dataType, responseType) {
  if (responseType === 'arraybuffer') return body;
  const text = body.toString('utf8');
  if (dataType !== 'json') return text;
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON comes as it is.
    return text;
  }
}
