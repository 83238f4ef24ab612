/**
 * The place of a native component: what it needs of the emulator around it, and how it reports.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ERROR_CODES, PLAYER_CODES, PUSHER_CODES } from './codes.js';
import { IOS_HALF_MS, portions } from './netstatus.js';
import { greyPng } from './png.js';

/**
 * A phone: what all components on it share.
 * @typedef {object} Device
 * @property {import('./camera.js').Camera} camera with its microphone
 * @property {{ pusher?: number[], player?: number[] }} [omitCodes] status codes that this version of WeChat never sends
 * @property {number} [retryDelayMs] before each attempt to reconnect; 3000
 * @property {number} [retries] attempts to reconnect; 3
 * @property {number} [backgroundPushMs] how long a pusher goes on in the background; 180000
 * @property {'silence' | 'stop'} [microphoneOff] what a pusher sends while `enable-mic` is false; silence
 * @property {number} [cameraOffDelayMs] by how much the sound lags once the camera is switched off in mid-stream, a
 *   defect of WeChat that reaches 2 to 3 seconds; 0
 * @property {{ camera?: boolean, microphone?: boolean }} [denied] what the user has forbidden
 */

/**
 * @typedef {object} MediaHost
 * @property {(event: string, detail: object) => void} emit `statechange` with `{code, message}`, `netstatus` with
 *   `{info}`, `error` with `{errCode, errMsg}`, `fullscreenchange` with `{fullScreen, direction}`
 * @property {'android' | 'ios'} platform
 * @property {Device} device
 * @property {string} ffmpeg path of ffmpeg 5 or later
 * @property {(path: string) => string | Promise<string>} resolveFile a package path or an address of an image to a
 *   local path; may throw
 * @property {(level: 'debug' | 'info' | 'warn' | 'error', text: string) => void} log
 */

/**
 * Attributes as pages set them: of the kinds of their defaults, with any value.
 * @template T
 * @typedef {{
 *   -readonly [K in keyof T]: T[K] extends boolean ? boolean : T[K] extends number ? number : string
 * }} Widened
 */

/** What a call of a context gives. @typedef {{ errMsg: string } & Record<string, unknown>} CallResult */

/** Reports of one component, in the words of its platform, until it is closed. */
export class Reporter {
  #host;
  #kind;
  #closed = false;
  /** @type {NodeJS.Timeout | undefined} */
  #half;

  /** @param {MediaHost} host @param {'pusher' | 'player'} kind */
  constructor(host, kind) {
    this.#host = host;
    this.#kind = kind;
  }

  /** @param {number} code @param {string} [message] instead of the usual one */
  code(code, message) {
    if (this.#host.device.omitCodes?.[this.#kind]?.includes(code)) return;
    const texts = this.#kind === 'pusher' ? PUSHER_CODES : PLAYER_CODES;
    this.#emit('statechange', { code, message: message ?? texts[code] ?? '' });
  }

  /** @param {number} errCode */
  error(errCode) {
    this.#emit('error', { errCode, errMsg: ERROR_CODES[errCode] ?? '' });
  }

  /** @param {import('./netstatus.js').NetInfo} info */
  netstatus(info) {
    const [first = {}, second] = portions(this.#host.platform, info);
    this.#emit('netstatus', { info: first });
    if (!second) return;
    clearTimeout(this.#half);
    this.#half = setTimeout(() => this.#emit('netstatus', { info: second }), IOS_HALF_MS);
  }

  /** @param {string} event @param {object} detail */
  event(event, detail) {
    this.#emit(event, detail);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#half);
  }

  // A page runs on a thread of its own: whatever it does about an event comes after the component has finished.
  /** @param {string} event @param {object} detail */
  #emit(event, detail) {
    queueMicrotask(() => {
      if (!this.#closed) this.#host.emit(event, detail);
    });
  }
}

/** Files of one component, gone with it. */
export class TemporaryFiles {
  /** @type {string | null} */
  #directory = null;
  #count = 0;

  /**
   * @param {Uint8Array} plane 8-bit grey @param {number} width @param {number} height
   * @returns {string} path of a PNG
   */
  picture(plane, width, height) {
    this.#directory ??= mkdtempSync(join(tmpdir(), 'queqiao-emulator-'));
    this.#count += 1;
    const path = join(this.#directory, `snapshot-${this.#count}.png`);
    writeFileSync(path, greyPng(plane, width, height));
    return path;
  }

  close() {
    if (this.#directory) rmSync(this.#directory, { recursive: true, force: true });
    this.#directory = null;
  }
}

/**
 * Calls one of the methods that a context has.
 * @param {string} name of the operation, for `errMsg`
 * @param {Record<string, (options: Record<string, unknown>) => object | void | Promise<object | void>>} methods
 * @param {string} method
 * @param {unknown} options
 * @returns {Promise<CallResult>} rejects with `{ errMsg }`
 */
export async function callMethod(name, methods, method, options) {
  const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (!run) throw { errMsg: `${name}:fail ${method} is not supported` };
  try {
    const result = await run(typeof options === 'object' && options !== null ? { ...options } : {});
    return { errMsg: `${name}:ok`, ...result };
  } catch (error) {
    throw { errMsg: `${name}:fail ${error instanceof Error ? error.message : String(error)}` };
  }
}
