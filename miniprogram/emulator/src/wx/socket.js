import WebSocket from 'ws';
import {ApiError, Listeners, apiFunction} from './calls.js';

/** As many as WeChat allows to be open at once. */
const MAX_SOCKETS = 5;
/** What a phone waits for a handshake when the program says nothing. */
const CONNECT_TIMEOUT_MS = 60_000;
/** A message larger than this is no signalling; a phone would have run out of memory before. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/**
 * The sockets of one mini-program.
 */
export class Sockets {
  #realm;
  #rewrite;
  /** @type {Set<SocketTask>} */
  #live = new Set();
  /** The socket that the functions of `wx` without a task are about. @type {SocketTask | undefined} */
  #current;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {(url: string) => string} rewrite the address that is really called
   */
  constructor(realm, rewrite) {
    this.#realm = realm;
    this.#rewrite = rewrite;
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
    const connect = (/** @type {any} */ options) => {
      const {url, header = {}, protocols = [], timeout = CONNECT_TIMEOUT_MS, perMessageDeflate = false} = options;
      if (typeof url !== 'string' || !/^wss?:\/\/[^/]/.test(url)) throw new ApiError(`invalid url "${url}"`);
      if (this.#live.size >= MAX_SOCKETS) throw new ApiError('exceed max task count', {errno: 600_003});
      const socket = new WebSocket(this.#rewrite(url), protocols, {
        headers: withoutReferer(header), handshakeTimeout: timeout, perMessageDeflate, maxPayload: MAX_MESSAGE_BYTES,
      });
      const task = new SocketTask(realm, socket, () => this.#live.delete(task));
      this.#live.add(task);
      this.#current = task;
      return task;
    };
    const globalEvents = (/** @type {string} */ name) => (/** @type {Function} */ listener) => {
      this.#current?.[/** @type {'onOpen'} */ (name)](listener);
    };
    const onCurrent = (/** @type {string} */ name, /** @type {'send' | 'close'} */ method) =>
      apiFunction(realm, name, (options) => {
        if (!this.#current) throw new ApiError('WebSocket is not connected');
        return this.#current[method === 'send' ? 'transmit' : 'finish'](options);
      });
    return {
      connectSocket: (/** @type {any} */ options = {}) => {
        /** @type {SocketTask | undefined} */
        let task;
        // The task is returned at once; the callbacks tell whether there is one.
        const answer = apiFunction(realm, 'connectSocket', (given) => {
          task = connect(given);
          return {};
        });
        const wanted = ['success', 'fail', 'complete'].some((key) => typeof options?.[key] === 'function');
        if (wanted) answer(options);
        else void answer({...options, complete: () => {}});
        return task?.handle ?? deadTask(realm);
      },
      sendSocketMessage: onCurrent('sendSocketMessage', 'send'),
      closeSocket: onCurrent('closeSocket', 'close'),
      onSocketOpen: globalEvents('onOpen'),
      onSocketClose: globalEvents('onClose'),
      onSocketError: globalEvents('onError'),
      onSocketMessage: globalEvents('onMessage'),
    };
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
  #over = false;
  #open;
  #message;
  #error;
  #close;
  /** @type {any} */
  handle;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {WebSocket} socket
   * @param {() => void} gone
   */
  constructor(realm, socket, gone) {
    this.#realm = realm;
    this.#socket = socket;
    this.#gone = gone;
    this.#open = new Listeners(realm, 'SocketTask.onOpen');
    this.#message = new Listeners(realm, 'SocketTask.onMessage');
    this.#error = new Listeners(realm, 'SocketTask.onError');
    this.#close = new Listeners(realm, 'SocketTask.onClose');
    this.onOpen = this.#open.on;
    this.onMessage = this.#message.on;
    this.onError = this.#error.on;
    this.onClose = this.#close.on;
    socket.on('upgrade', (response) => {
      this.#header = response.headers;
    });
    socket.on('open', () => this.#open.emit({header: {...this.#header}, profile: {}}));
    socket.on('message', (data, binary) => {
      this.#message.emit({data: binary ? bufferOf(data) : bufferOf(data).toString('utf8')});
    });
    socket.on('error', (error) => this.#error.emit({errMsg: error.message}));
    socket.on('close', (code, reason) => this.#ended(code, reason.toString('utf8')));
    this.handle = this.#makeHandle();
  }

  /** @type {Record<string, any>} */
  #header = {};

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
    this.#close.emit({code, reason});
  }

  #makeHandle() {
    const handle = new this.#realm.globals.Object();
    Object.assign(handle, {
      send: apiFunction(this.#realm, 'sendSocketMessage', (options) => this.transmit(options)),
      close: apiFunction(this.#realm, 'closeSocket', (options) => this.finish(options)),
      onOpen: this.onOpen, onMessage: this.onMessage, onError: this.onError, onClose: this.onClose,
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
