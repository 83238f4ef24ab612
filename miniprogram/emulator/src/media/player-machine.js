/**
 * What a live-player does when, and which codes it reports in which order. It takes time and what has happened as
 * arguments; what is to be done is taken from it.
 */
import { Attempts } from './attempts.js';
import { FAILURE } from './codes.js';

/**
 * @typedef {'idle' | 'connecting' | 'loading' | 'playing' | 'paused' | 'retrying' | 'failed' | 'stopped'} PlayerPhase
 */

/**
 * What the shell has to do: report a code, connect, or drop the connection.
 * @typedef {{ type: 'code', code: number } | { type: 'connect' } | { type: 'disconnect' }} PlayerAction
 */

/** The state of a live-player. */
export class PlayerMachine {
  /** @type {PlayerAction[]} */
  #actions = [];
  #attempts;
  #running = false;
  #paused = false;
  #decoding = false;
  #keyframe = false;
  #playing = false;
  /** @type {'idle' | 'stopped' | 'failed'} */
  #rest = 'idle';
  /** Of the last sequence header. @type {string | null} */
  #announced = null;
  /** That was last reported. @type {string | null} */
  #reported = null;

  /** @param {{ retries?: number, retryDelayMs?: number }} [options] */
  constructor({ retries, retryDelayMs } = {}) {
    this.#attempts = new Attempts({ retries, delayMs: retryDelayMs });
  }

  get running() {
    return this.#running;
  }

  get paused() {
    return this.#paused;
  }

  /** @returns {PlayerPhase} */
  get phase() {
    if (!this.#running) return this.#rest;
    if (this.#attempts.retrying) return 'retrying';
    if (this.#attempts.phase !== 'open') return 'connecting';
    if (this.#paused) return 'paused';
    return this.#playing ? 'playing' : 'loading';
  }

  /** When `wake` is to be called, on the clock of the arguments. */
  get deadline() {
    return this.#attempts.deadline;
  }

  /** What is to be done, in order; each action is given once. */
  take() {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  start() {
    this.#paused = false;
    if (this.#running) return;
    this.#running = true;
    this.#reported = null;
    this.#attempts.start();
    this.#connect();
  }

  /** Nothing more is shown or heard until `resume`; the connection stays. */
  pause() {
    if (this.#running) this.#paused = true;
  }

  resume() {
    this.#paused = false;
  }

  connected() {
    if (this.#attempts.phase === 'opening') this.#code(2001);
  }

  pulling() {
    if (this.#attempts.phase !== 'opening') return;
    this.#attempts.opened();
    this.#code(2002);
  }

  /**
   * A video sequence header has come.
   * @param {{ width: number, height: number }} size
   */
  videoConfig({ width, height }) {
    this.#attempts.proved();
    this.#announced = `${width}x${height}`;
    if (this.#decoding) return;
    this.#decoding = true;
    this.#code(2008);
  }

  /** A picture has come that needs no other. */
  keyframe() {
    if (!this.#decoding) return;
    if (!this.#keyframe) this.#code(2003);
    this.#keyframe = true;
    if (this.#announced === this.#reported) return;
    this.#reported = this.#announced;
    this.#code(2009);
  }

  /** Sound has come. */
  sound() {
    this.#attempts.proved();
  }

  /** A picture is on the screen. */
  shown() {
    this.#plays();
  }

  /** Sound is in the speaker. Where pictures are coming, playback begins with them. */
  heard() {
    if (!this.#decoding) this.#plays();
  }

  /** The buffer has run dry. */
  starved() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#code(2007);
  }

  /** A message of the publisher has come in the stream. */
  message() {
    if (this.#running) this.#code(2012);
  }

  /** A decoder failed. @param {2101 | 2102} code */
  undecodable(code) {
    if (this.#running) this.#code(code);
  }

  /**
   * The connection failed, broke or ended.
   * @param {number | null} code 3001 to 3005, or null when the stream simply ended
   * @param {number} now
   */
  lost(code, now) {
    if (!this.#running || (this.#attempts.phase !== 'opening' && this.#attempts.phase !== 'open')) return;
    this.#actions.push({ type: 'disconnect' });
    // A player has no code of its own for a refusal.
    if (code !== null) this.#code(code === FAILURE.REFUSED ? FAILURE.BROKEN : code);
    this.#playing = false;
    if (this.#attempts.lost(now)) {
      this.#code(2103);
      return;
    }
    this.#code(-2301);
    this.#running = false;
    this.#rest = 'failed';
  }

  /** @param {number} now */
  wake(now) {
    if (this.#attempts.wake(now)) this.#connect();
  }

  stop() {
    if (!this.#running) return;
    if (this.#attempts.phase === 'opening' || this.#attempts.phase === 'open') {
      this.#actions.push({ type: 'disconnect' });
    }
    this.#attempts.stop();
    this.#running = false;
    this.#playing = false;
    this.#rest = 'stopped';
  }

  #connect() {
    this.#decoding = false;
    this.#keyframe = false;
    this.#playing = false;
    this.#announced = null;
    this.#actions.push({ type: 'connect' });
  }

  #plays() {
    if (!this.#running || this.#playing || this.#paused) return;
    this.#playing = true;
    this.#code(2004);
  }

  /** @param {number} code */
  #code(code) {
    this.#actions.push({ type: 'code', code });
  }
}
