/**
 * What a live-pusher does when, and which codes it reports in which order. It takes time and what has happened as
 * arguments; what is to be done is taken from it.
 */
import { Attempts } from './attempts.js';
import { FAILURE } from './codes.js';

/** How long a pusher goes on in the background, in milliseconds. */
export const BACKGROUND_PUSH_MS = 180_000;

/** @typedef {'idle' | 'connecting' | 'pushing' | 'retrying' | 'failed' | 'stopped'} PusherPhase */

/**
 * What the shell has to do: report a code, connect, or drop the connection.
 * @typedef {{ type: 'code', code: number } | { type: 'connect' } | { type: 'disconnect' }} PusherAction
 */

/** Steps of the camera, each with its code. @typedef {'off' | 'opening' | 'captured' | 'encoding'} VideoStep */

/** The state of a live-pusher. */
export class PusherMachine {
  /** @type {PusherAction[]} */
  #actions = [];
  /** @type {VideoStep} */
  #video = 'off';
  #attempts;
  #platform;
  #backgroundMs;
  #running = false;
  #suspended = false;
  /** @type {PusherPhase} */
  #rest = 'idle';
  /** When the time in the background is over. @type {number | null} */
  #suspendAt = null;
  /** @type {string | null} */
  #size = null;

  /**
   * @param {object} [options]
   * @param {'android' | 'ios'} [options.platform]
   * @param {number} [options.retries]
   * @param {number} [options.retryDelayMs]
   * @param {number} [options.backgroundMs] how long it pushes in the background
   */
  constructor({ platform = 'android', retries, retryDelayMs, backgroundMs = BACKGROUND_PUSH_MS } = {}) {
    this.#attempts = new Attempts({ retries, delayMs: retryDelayMs });
    this.#platform = platform;
    this.#backgroundMs = backgroundMs;
  }

  /** Whether it has been started and neither stopped nor given up. */
  get running() {
    return this.#running;
  }

  /** Whether tags may be sent. */
  get published() {
    return this.#attempts.phase === 'open';
  }

  /** @returns {PusherPhase} */
  get phase() {
    if (!this.#running) return this.#rest;
    if (this.#attempts.phase === 'open') return 'pushing';
    return this.#attempts.retrying ? 'retrying' : 'connecting';
  }

  /** When `wake` is to be called, on the clock of the arguments. @returns {number | null} */
  get deadline() {
    const times = [this.#attempts.deadline, this.#suspendAt].filter((at) => at !== null);
    return times.length > 0 ? Math.min(...times) : null;
  }

  /** What is to be done, in order; each action is given once. */
  take() {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /**
   * The push begins: camera and encoder first, then the connection.
   * @param {{ camera: boolean }} options whether pictures will be captured
   */
  start({ camera }) {
    if (this.#running) return;
    this.#running = true;
    this.#size = null;
    if (!camera) {
      this.#connect();
      return;
    }
    this.#code(1005);
    if (this.#video === 'encoding') this.#connect();
    else if (this.#video === 'off') this.#video = 'opening';
  }

  /** The camera is switched on or off, be it while pushing or for a preview. @param {boolean} on */
  camera(on) {
    if (!on) {
      this.#video = 'off';
      // Nothing is left to wait for.
      if (this.#running && this.#attempts.phase === 'idle') this.#connect();
    } else if (this.#video === 'off') {
      this.#video = 'opening';
    }
  }

  /** The camera has given a picture. */
  captured() {
    if (this.#video !== 'opening') return;
    this.#video = 'captured';
    this.#code(1003);
    this.#code(1007);
  }

  /**
   * The encoder has given a picture.
   * @param {{ width: number, height: number }} size
   */
  encoded({ width, height }) {
    const size = `${width}x${height}`;
    if (this.#running && this.#size !== null && this.#size !== size) this.#code(1005);
    this.#size = size;
    if (this.#video !== 'captured' || !this.#running) return;
    this.#video = 'encoding';
    this.#code(1008);
    if (this.#attempts.phase === 'idle') this.#connect();
  }

  /** The encoder failed and has been started again. */
  encoderRestarted() {
    if (this.#running) this.#code(1104);
  }

  /** An encoder cannot be made to work. @param {-1303 | -1304 | -1301} code */
  broken(code) {
    if (!this.#running) return;
    this.#code(code);
    this.#end('failed');
  }

  connected() {
    if (this.#attempts.phase === 'opening') this.#code(1001);
  }

  publishing() {
    if (this.#attempts.phase !== 'opening') return;
    this.#attempts.opened();
    this.#attempts.proved();
    this.#code(1002);
  }

  /**
   * The connection failed or broke.
   * @param {number} code 3001 to 3005
   * @param {number} now
   */
  lost(code, now) {
    if (!this.#running || (this.#attempts.phase !== 'opening' && this.#attempts.phase !== 'open')) return;
    this.#actions.push({ type: 'disconnect' });
    this.#code(code);
    if (this.#attempts.lost(now)) {
      this.#code(1102);
      return;
    }
    this.#code(-1307);
    this.#end('failed');
  }

  /** The uplink is slower than the encoder, or the rate has been changed. @param {1101 | 1006} code */
  uplink(code) {
    if (this.published) this.#code(code);
  }

  /** The microphone or the sound was switched; only iOS tells. @param {4998 | 4999} code */
  switched(code) {
    if (this.#running && this.#platform === 'ios') this.#code(code);
  }

  /** A call has taken the microphone. */
  interrupted() {
    if (this.#running) this.#code(5001);
  }

  /**
   * The mini-program goes to the background or comes back.
   * @param {boolean} on
   * @param {number} now
   */
  background(on, now) {
    this.#suspended = false;
    this.#suspendAt = on && this.#running ? now + this.#backgroundMs : null;
  }

  /**
   * Time has passed.
   * @param {number} now
   */
  wake(now) {
    if (this.#suspendAt !== null && now >= this.#suspendAt) this.#suspend(now);
    if (!this.#attempts.wake(now)) return;
    if (this.#suspended) this.lost(FAILURE.CONNECT, now);
    else this.#actions.push({ type: 'connect' });
  }

  /** Stopped by the page, or the element is gone. */
  stop() {
    if (this.#running) this.#end('stopped');
  }

  // Android stops the push; iOS takes the socket away, and the attempts to come back fail until it is in front again.
  /** @param {number} now */
  #suspend(now) {
    this.#suspendAt = null;
    if (this.#platform === 'ios') {
      this.#suspended = true;
      this.lost(FAILURE.BROKEN, now);
      return;
    }
    this.#end('stopped');
    this.#code(5000);
  }

  /** @param {PusherPhase} rest */
  #end(rest) {
    if (this.#attempts.phase === 'opening' || this.#attempts.phase === 'open') {
      this.#actions.push({ type: 'disconnect' });
    }
    this.#attempts.stop();
    this.#running = false;
    this.#suspendAt = null;
    this.#video = 'off';
    this.#rest = rest;
  }

  #connect() {
    this.#attempts.start();
    this.#actions.push({ type: 'connect' });
  }

  /** @param {number} code */
  #code(code) {
    this.#actions.push({ type: 'code', code });
  }
}
