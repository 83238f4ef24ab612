import {format} from 'node:util';
import vm from 'node:vm';

/** A program with more timers than this has lost count of them. */
const MAX_TIMERS = 10_000;
/** A setInterval(fn, 0) must not keep the process from everything else. */
const MIN_INTERVAL_MS = 4;

/**
 * Names of browsers that a program may look at and finds undefined: bundles pass `self` or `window` to their wrapper,
 * which must not be a ReferenceError.
 */
const ABSENT = ['window', 'document', 'frames', 'self', 'location', 'navigator', 'localStorage', 'history', 'screen',
  'alert', 'confirm', 'prompt', 'XMLHttpRequest', 'WebSocket'];

/**
 * @typedef {object} RealmPorts
 * @property {import('./clock.js').Clock} clock
 * @property {(error: unknown, where: string) => void} onError an exception that the program's code has not caught
 * @property {(level: string, text: string) => void} onConsole a line that the program has logged
 */

/**
 * Copies what a program holds so that it is of Node's own realm: tests compare it with what they write down.
 *
 * @param {any} value
 * @param {Map<object, any>} [seen]
 * @returns {any} plain objects and arrays are copied, everything else is left as it is
 */
export function outside(value, seen = new Map()) {
  if (value === null || typeof value !== 'object') return value;
  const known = seen.get(value);
  if (known) return known;
  const prototype = Object.getPrototypeOf(value);
  const plain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!Array.isArray(value) && !plain) return value;
  /** @type {any} */
  const copy = Array.isArray(value) ? [] : {};
  seen.set(value, copy);
  for (const [key, item] of Object.entries(value)) copy[key] = outside(item, seen);
  return copy;
}

/**
 * The global scope that a mini-program's code runs in: what the language has, timers and a console, and nothing of
 * Node's. It keeps programs honest; it is no defence against a hostile one.
 */
export class Realm {
  #ports;
  #context;
  /** @type {Map<number, unknown>} */
  #timers = new Map();
  #nextTimer = 1;
  #closed = false;
  /** The global object of the program. @type {any} */
  globals;

  /** @param {RealmPorts} ports */
  constructor(ports) {
    this.#ports = ports;
    // WeChat compiles no code from strings either.
    this.#context = vm.createContext(Object.create(null), {codeGeneration: {strings: false, wasm: false}});
    this.globals = vm.runInContext('globalThis', this.#context);
    delete this.globals.WebAssembly;
    for (const name of ABSENT) this.globals[name] = undefined;
    this.#defineConsole();
    this.#defineTimers();
  }

  /**
   * Compiles a file as the body of a function.
   *
   * @param {string} code
   * @param {string} filename for stacks and errors
   * @param {string[]} params
   * @returns {Function}
   * @throws {Error} that names the file and the line, if it cannot be parsed
   */
  compile(code, filename, params) {
    try {
      return vm.compileFunction(code, params, {filename, parsingContext: this.#context});
    } catch (error) {
      const {stack = '', message} = /** @type {Error} */ (error);
      // The first line of the stack of a SyntaxError is `file:line`.
      const [first = ''] = stack.split('\n');
      const place = first.startsWith(filename) ? first : filename;
      throw new Error(`${place}: ${message}`, {cause: error});
    }
  }

  /**
   * Runs code of the program; what it throws becomes one of the emulator's `errors`.
   *
   * @template T
   * @param {string} where what it was called for, such as `pages/index/index onLoad`
   * @param {() => T} run
   * @returns {T | undefined}
   */
  guard(where, run) {
    try {
      return run();
    } catch (error) {
      this.#ports.onError(error, where);
      return undefined;
    }
  }

  /**
   * Copies plain values so that they are of this realm: a program's `instanceof Array` must hold for what it is given.
   * Buffers become ArrayBuffers. What belongs to the realm already, functions and instances of classes are left alone.
   *
   * @param {any} value without cycles
   * @returns {any}
   */
  own(value) {
    if (value === null || typeof value !== 'object') return value;
    if (Buffer.isBuffer(value)) return this.arrayBuffer(value);
    if (Array.isArray(value)) {
      const list = new this.globals.Array();
      for (const item of value) list.push(this.own(item));
      return list;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    const copy = new this.globals.Object();
    for (const [key, item] of Object.entries(value)) copy[key] = this.own(item);
    return copy;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {ArrayBuffer} of this realm
   */
  arrayBuffer(bytes) {
    const buffer = new this.globals.ArrayBuffer(bytes.byteLength);
    new Uint8Array(buffer).set(bytes);
    return buffer;
  }

  /**
   * @param {(resolve: (value: any) => void, reject: (reason: any) => void) => void} executor
   * @returns {Promise<any>} of this realm
   */
  promise(executor) {
    return new this.globals.Promise(executor);
  }

  /**
   * @param {unknown} promise
   * @returns {boolean} whether code of this realm has made it
   */
  madePromise(promise) {
    return promise instanceof this.globals.Promise;
  }

  /** Ends all timers; none can be set any more. */
  close() {
    this.#closed = true;
    for (const handle of this.#timers.values()) this.#ports.clock.clearTimeout(handle);
    this.#timers.clear();
  }

  #defineConsole() {
    const console = new this.globals.Object();
    for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace']) {
      console[level] = (/** @type {unknown[]} */ ...args) => this.#ports.onConsole(level, format(...args));
    }
    console.group = console.groupCollapsed = console.log;
    console.groupEnd = console.time = console.timeEnd = () => {};
    console.table = console.dir = console.log;
    this.globals.console = console;
  }

  #defineTimers() {
    const {clock} = this.#ports;
    const clear = (/** @type {number} */ id) => {
      clock.clearTimeout(this.#timers.get(id));
      this.#timers.delete(id);
    };
    const set = (/** @type {Function} */ callback, /** @type {unknown} */ ms, /** @type {boolean} */ repeat,
      /** @type {unknown[]} */ args) => {
      if (typeof callback !== 'function' || this.#closed) return 0;
      if (this.#timers.size >= MAX_TIMERS) throw new this.globals.Error(`more than ${MAX_TIMERS} timers`);
      const id = this.#nextTimer++;
      const delay = Math.max(repeat ? MIN_INTERVAL_MS : 0, Number(ms) || 0);
      const fire = () => {
        if (repeat) this.#timers.set(id, clock.setTimeout(fire, delay));
        else this.#timers.delete(id);
        this.guard(repeat ? 'setInterval' : 'setTimeout', () => callback(...args));
      };
      this.#timers.set(id, clock.setTimeout(fire, delay));
      return id;
    };
    /** @typedef {(callback: Function, ms?: unknown, ...args: unknown[]) => number} Set */
    this.globals.setTimeout = /** @type {Set} */ ((callback, ms, ...args) => set(callback, ms, false, args));
    this.globals.setInterval = /** @type {Set} */ ((callback, ms, ...args) => set(callback, ms, true, args));
    this.globals.clearTimeout = clear;
    this.globals.clearInterval = clear;
  }
}
