import WebSocket from 'ws';
import {ApiError, apiFunction, listenersFor} from './calls.js';

/** As many as WeChat allows to be open at once. */
const MAX_SOCKETS = 5;
/** What a phone waits for a handshake when the program says nothing. */
const CONNECT_TIMEOUT_MS = 60_000;
/** A message larger than this is no signalling; a phone would have run out of memory before. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];
/** Each is `onX` of a task and `onSocketX` of `wx`. */
const EVENTS = /** @type {const} */ (['Open', 'Message', 'Error', 'Close']);

/**
 * The sockets of one mini-program.
 */
export class Sockets {
  #realm;
  #rewrite;
  /** @type {Set<SocketTask>} */
  #live = new Set();
  /** The one opened last: the functions of `wx` without a task are about it. @type {SocketTask | undefined} */
  #current;
  #events;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {(url: string) => string} rewrite the address that is really called
   */
  constructor(realm, rewrite) {
    this.#realm = realm;
    this.#rewrite = rewrite;
    this.#events = listenersFor(EVENTS, realm, 'onSocket');
  }

  /** @returns {number} how many are connecting, open or closing */
  get count() {
    return this.#live.size;
  }

  /** The connection is gone, as when a phone has slept: the program hears of it by onClose with 1006. */
  lose() {
    for (const task of [...this.#live]) task.lose();
  }

  /** @returns {Record<string, Function>} for `wx` */
  api() {
    const realm = this.#realm;
    const onCurrent = (/** @type {string} */ name, /** @type {'transmit' | 'finish'} */ method) =>
      apiFunction(realm, name, (options) => {
        if (!this.#current) throw new ApiError('WebSocket is not connected');
        return this.#current[method](options);
      });
    return {
      connectSocket: (/** @type {any} */ options = {}) => {
        /** @type {SocketTask | undefined} */
        let task;
        // The task is returned at once; the callbacks tell whether there is one.
        const answer = apiFunction(realm, 'connectSocket', (given) => {
          task = this.#connect(given);
          return {};
        });
        answer({complete: () => {}, ...options});
        return task?.handle ?? deadTask(realm);
      },
      sendSocketMessage: onCurrent('sendSocketMessage', 'transmit'),
      closeSocket: onCurrent('closeSocket', 'finish'),
      ...Object.fromEntries(EVENTS.map((name) => [`onSocket${name}`, this.#events[name].on])),
    };
  }

  /** @param {any} options of wx.connectSocket */
  #connect({url, header = {}, protocols = [], timeout = CONNECT_TIMEOUT_MS, perMessageDeflate = false}) {
    if (typeof url !== 'string' || !/^wss?:\/\/[^/]/.test(url)) throw new ApiError(`invalid url "${url}"`);
    if (this.#live.size >= MAX_SOCKETS) throw new ApiError('exceed max task count');
    const socket = new WebSocket(this.#rewrite(url), protocols, {
      headers: withoutReferer(header), handshakeTimeout: timeout, perMessageDeflate, maxPayload: MAX_MESSAGE_BYTES,
    });
    const task = new SocketTask(this.#realm, socket, () => this.#live.delete(task), (name, payload) => {
      if (this.#current === task) this.#events[name].emit(payload);
    });
    this.#live.add(task);
    this.#current = task;
    return task;
  }

  /** Ends all of them. */
  close() {
    for (const task of [...this.#live]) task.terminate();
    this.#live.clear();
  }
}

/** One socket. The program sees its `handle`. */
class SocketTask {
  #realm;
  #socket;
  #gone;
  #also;
  #over = false;
  #events;
  /** Headers of the answer to the handshake. @type {Record<string, any>} */
  #header = {};
  /** @type {any} */
  handle;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {WebSocket} socket
   * @param {() => void} gone it no longer counts
   * @param {(name: typeof EVENTS[number], payload: any) => void} also hears of every event
   */
  constructor(realm, socket, gone, also) {
    this.#realm = realm;
    this.#socket = socket;
    this.#gone = gone;
    this.#also = also;
    this.#events = listenersFor(EVENTS, realm, 'SocketTask.on');
    socket.on('upgrade', (response) => {
      this.#header = {...response.headers};
    });
    socket.on('open', () => this.#emit('Open', {header: this.#header, profile: {}}));
    socket.on('message', (data, binary) => {
      this.#emit('Message', {data: binary ? bufferOf(data) : bufferOf(data).toString('utf8')});
    });
    socket.on('error', (error) => this.#emit('Error', {errMsg: error.message}));
    socket.on('close', (code, reason) => this.#ended(code, reason.toString('utf8')));
    this.handle = this.#makeHandle();
  }

  /** @param {any} options of SocketTask.send */
  async transmit({data}) {
    if (this.#socket.readyState !== OPEN) throw new ApiError('SocketTask.readyState is not OPEN');
    const bytes = typeof data === 'string' ? data : Buffer.from(new Uint8Array(data));
    await new Promise((resolve, reject) => {
      this.#socket.send(bytes, (error) => (error ? reject(new ApiError(error.message)) : resolve(undefined)));
    });
    return {};
  }

  /** @param {any} options of SocketTask.close */
  finish({code = 1000, reason = ''}) {
    if (this.#socket.readyState === CLOSED) throw new ApiError('SocketTask.readyState is not OPEN');
    if (this.#socket.readyState === CONNECTING) {
      // ws would report an error for it, which WeChat does not.
      this.#socket.removeAllListeners('error');
      this.#socket.on('error', () => {});
      this.#socket.terminate();
      this.#ended(code, reason);
    } else {
      this.#socket.close(code, reason);
    }
    return {};
  }

  /** The other side is told nothing; the program is told that the connection broke. */
  lose() {
    this.#socket.removeAllListeners('error');
    this.#socket.on('error', () => {});
    this.#socket.terminate();
    this.#ended(1006, 'abnormal closure');
  }

  /** Ends it without telling the program. */
  terminate() {
    this.#over = true;
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => {});
    this.#socket.terminate();
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #ended(code, reason) {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    this.#emit('Close', {code, reason});
  }

  /**
   * @param {typeof EVENTS[number]} name
   * @param {any} payload
   */
  #emit(name, payload) {
    this.#events[name].emit(payload);
    this.#also(name, payload);
  }

  #makeHandle() {
    const handle = new this.#realm.globals.Object();
    Object.assign(handle, {
      send: apiFunction(this.#realm, 'sendSocketMessage', (options) => this.transmit(options)),
      close: apiFunction(this.#realm, 'closeSocket', (options) => this.finish(options)),
      ...Object.fromEntries(EVENTS.map((name) => [`on${name}`, this.#events[name].on])),
      CONNECTING, OPEN, CLOSING, CLOSED,
    });
    Object.defineProperty(handle, 'readyState', {get: () => this.#socket.readyState, enumerable: true});
    return handle;
  }
}

/**
 * What connectSocket returns when it refuses: every call on it fails.
 *
 * @param {import('../realm.js').Realm} realm
 */
function deadTask(realm) {
  const refuse = () => {
    throw new ApiError('SocketTask.readyState is not OPEN');
  };
  return Object.assign(new realm.globals.Object(), {
    send: apiFunction(realm, 'sendSocketMessage', refuse),
    close: apiFunction(realm, 'closeSocket', refuse),
    onOpen: () => {}, onMessage: () => {}, onError: () => {}, onClose: () => {},
    readyState: CLOSED, CONNECTING, OPEN, CLOSING, CLOSED,
  });
}

/** @param {import('ws').RawData} data */
function bufferOf(data) {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** @param {Record<string, any>} header */
function withoutReferer(header) {
  return Object.fromEntries(Object.entries(header ?? {})
    .filter(([name]) => name.toLowerCase() !== 'referer').map(([name, value]) => [name, String(value)]));
}
