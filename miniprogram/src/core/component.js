/** Where a `live-pusher` or `live-player` is, from the codes and figures that the page passes on. */

import { flows, NetStatus } from './netstatus.js';

/**
 * `idle`: has no address. `starting`: has one, and nothing flows yet. `live`. `retrying`: lost its connection and tries
 * again by itself, three times. `failed`: has given up, or cannot: it has to be started anew.
 *
 * @typedef {'idle' | 'starting' | 'live' | 'retrying' | 'failed'} Phase
 */

/**
 * What codes mean to the phase. Those that are not here inform, no more.
 *
 * @typedef {object} CodeTable
 * @property {readonly number[]} starting
 * @property {readonly number[]} live
 * @property {readonly number[]} retrying
 * @property {readonly number[]} failed
 */

/** Codes of `live-pusher`. @type {CodeTable} */
export const PUSHER_CODES = {
  starting: [1001],
  live: [1002],
  retrying: [1102, 3001, 3002, 3003, 3004, 3005],
  failed: [-1301, -1302, -1303, -1304, -1305, -1306, -1307, -1308, -1309, -1310, -1311, -1312, 5000, 10001, 10002],
};

/** Codes of `live-player`. @type {CodeTable} */
export const PLAYER_CODES = {
  starting: [2001, 2002],
  live: [2003, 2004],
  retrying: [2103, 3001, 3002, 3003, 3005],
  failed: [-2301, -2302, 2006],
};

/** The two of the codes above after which only a new connection helps: three tries have failed. */
export const NETWORK_LOST = { pusher: -1307, player: -2301 };

/** WeChat has stopped the pusher in the background. */
export const SUSPENDED = 5000;

/** @typedef {{ phase: Phase, previous: Phase, code: number | null }} PhaseChange `code` is null if figures showed it */

/**
 * One component. Some versions of WeChat leave out the code that says that media flow (1002 or 2003 and 2004): then the
 * first figures that are not zero say it.
 */
export class Component {
  /** @type {Phase} */
  #phase = 'idle';
  #table;
  #status = new NetStatus();

  /** @param {CodeTable} table */
  constructor(table) {
    this.#table = table;
  }

  /** @returns {Phase} */
  get phase() {
    return this.#phase;
  }

  /** The newest figures. */
  get info() {
    return this.#status.info;
  }

  /** It has been given an address. @returns {PhaseChange | null} */
  start() {
    this.#status.clear();
    return this.#enter('starting', null);
  }

  /** It has none any more. @returns {PhaseChange | null} */
  stop() {
    this.#status.clear();
    return this.#enter('idle', null);
  }

  /**
   * @param {number} code of `bindstatechange`
   * @returns {PhaseChange | null}
   */
  code(code) {
    if (this.#phase === 'idle') return null;
    const { starting, live, retrying, failed } = this.#table;
    if (failed.includes(code)) return this.#enter('failed', code);
    if (live.includes(code)) return this.#enter('live', code);
    if (retrying.includes(code)) return this.#phase === 'failed' ? null : this.#enter('retrying', code);
    // A connection alone is no progress for one that is live, but a component that had failed was started again.
    if (starting.includes(code) && this.#phase === 'failed') return this.#enter('starting', code);
    return null;
  }

  /**
   * @param {unknown} info of `bindnetstatus`
   * @param {number} now milliseconds
   * @returns {PhaseChange | null}
   */
  netStatus(info, now) {
    const taken = this.#status.take(info, now);
    return this.#phase === 'starting' && flows(taken) ? this.#enter('live', null) : null;
  }

  /**
   * @param {Phase} phase
   * @param {number | null} code
   * @returns {PhaseChange | null}
   */
  #enter(phase, code) {
    const previous = this.#phase;
    if (phase === previous) return null;
    this.#phase = phase;
    return { phase, previous, code };
  }
}
