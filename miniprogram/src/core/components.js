import { isPublished } from '../../../web-client/core/protocol.js';
import { Component, PLAYER_CODES, PUSHER_CODES } from './component.js';
import { Quality, worst } from './quality.js';
import { streamKey } from './addresses.js';

/** @typedef {import('../../../web-client/core/protocol.js').Uid} Uid */
/** @typedef {import('../../../web-client/core/protocol.js').StreamName} StreamName */
/** @typedef {import('../../../web-client/core/protocol.js').ReceivedName} ReceivedName */
/** @typedef {import('./component.js').PhaseChange} PhaseChange */

/** How often the figures are told to the server and the page: components report about as often. */
const REPORT_MS = 2_000;
/** Events inside events: a component's inside a wrapping component's inside the page's. */
const MAX_NESTING = 4;

/**
 * @typedef {object} Entry
 * @property {Uid | null} uid null: one's own
 * @property {ReceivedName} stream
 * @property {Component} component
 * @property {Quality} quality
 */

/** All components of a client, what they report, and what follows from it for the server. */
export class Components {
  /** @type {Map<StreamName, Entry>} */
  #pushers = new Map();
  /** @type {Map<string, Entry>} */
  #players = new Map();
  #core;
  #clock;
  #pushState;
  #playState;
  #quality;
  /** @type {number | null} */
  #reportedAt = null;

  /**
   * @param {object} options
   * @param {import('../../../web-client/core/client.js').Client} options.core
   * @param {import('../../../web-client/core/ports.js').Clock} options.clock
   * @param {(stream: StreamName, change: PhaseChange) => void} options.pushState
   * @param {(uid: Uid, stream: ReceivedName, change: PhaseChange) => void} options.playState
   * @param {(uplink: number, downlink: number) => void} options.quality
   */
  constructor({ core, clock, pushState, playState, quality }) {
    this.#core = core;
    this.#clock = clock;
    this.#pushState = pushState;
    this.#playState = playState;
    this.#quality = quality;
  }

  /** @param {StreamName} stream */
  pusher(stream) {
    return viewOf(this.#pushers.get(stream));
  }

  /** @param {Uid} uid @param {ReceivedName} stream */
  player(uid, stream) {
    return viewOf(this.#players.get(streamKey(uid, stream)));
  }

  /** There is a new address. @param {StreamName} stream */
  pushStarted(stream) {
    const entry = { uid: null, stream, component: new Component(PUSHER_CODES), quality: new Quality('uplink') };
    this.#pushers.set(stream, entry);
    this.#tell(entry, entry.component.start());
  }

  /** @param {StreamName} stream */
  pushStopped(stream) {
    const entry = this.#pushers.get(stream);
    this.#pushers.delete(stream);
    if (entry !== undefined) this.#tell(entry, entry.component.stop());
  }

  /** @param {Uid} uid @param {ReceivedName} stream */
  playStarted(uid, stream) {
    const entry = { uid, stream, component: new Component(PLAYER_CODES), quality: new Quality('downlink') };
    this.#players.set(streamKey(uid, stream), entry);
    this.#tell(entry, entry.component.start());
  }

  /** @param {Uid} uid @param {ReceivedName} stream */
  playStopped(uid, stream) {
    const entry = this.#players.get(streamKey(uid, stream));
    this.#players.delete(streamKey(uid, stream));
    if (entry !== undefined) this.#tell(entry, entry.component.stop());
  }

  /** @param {unknown} event @param {StreamName} stream */
  pusherState(event, stream) {
    this.#code(this.#pushers.get(stream), event);
  }

  /** @param {unknown} event @param {StreamName} stream */
  pusherNetStatus(event, stream) {
    this.#netStatus(this.#pushers.get(stream), event);
  }

  /** @param {Uid} uid @param {unknown} event @param {ReceivedName} stream */
  playerState(uid, event, stream) {
    this.#code(this.#players.get(streamKey(uid, stream)), event);
  }

  /** @param {Uid} uid @param {unknown} event @param {ReceivedName} stream */
  playerNetStatus(uid, event, stream) {
    this.#netStatus(this.#players.get(streamKey(uid, stream)), event);
  }

  /** @param {Entry | undefined} entry @param {unknown} event */
  #code(entry, event) {
    const code = codeOf(event);
    if (entry === undefined || code === null) return;
    entry.quality.code(code, this.#clock.now());
    this.#tell(entry, entry.component.code(code));
  }

  /** @param {Entry | undefined} entry @param {unknown} event */
  #netStatus(entry, event) {
    if (entry === undefined) return;
    this.#tell(entry, entry.component.netStatus(infoOf(event), this.#clock.now()));
    this.#report();
  }

  /** @param {Entry} entry @param {PhaseChange | null} change */
  #tell({ uid, stream }, change) {
    if (change === null) return;
    if (uid !== null) this.#playState(uid, stream, change);
    else if (isPublished(stream)) this.#pushState(stream, change);
  }

  #report() {
    const now = this.#clock.now();
    if (this.#reportedAt !== null && now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    /** @param {Map<unknown, Entry>} entries */
    const level = (entries) => worst([...entries.values()].map(({ component, quality }) =>
      quality.level(component.phase, component.info, now)));
    const [uplink, downlink] = [level(this.#pushers), level(this.#players)];
    const streams = [...this.#players.values()].map(({ uid, stream, component: { info } }) => ({
      uid: /** @type {Uid} */ (uid),
      stream,
      kbps: (info.videoBitrate ?? 0) + (info.audioBitrate ?? 0),
      ...(info.videoFPS === undefined ? {} : { fps: info.videoFPS }),
      ...(info.netJitter === undefined ? {} : { jitter_ms: info.netJitter }),
    }));
    const { rttMs } = this.#core;
    // Statistics that get lost are followed by newer ones.
    this.#core.reportStats({ uplink, downlink, streams, ...(rttMs === null ? {} : { rtt_ms: rttMs }) }).catch(() => {});
    this.#quality(uplink, downlink);
  }
}

/** @param {Entry | undefined} entry */
function viewOf(entry) {
  return { phase: entry?.component.phase ?? /** @type {const} */ ('idle'), info: entry?.component.info ?? {} };
}

/**
 * @param {unknown} event of `bindstatechange`, or of `binderror`, which brings refused permissions
 * @returns {number | null} its status code
 */
export function codeOf(event) {
  const code = Number(find(event, 'code') ?? find(event, 'errCode'));
  return Number.isInteger(code) ? code : null;
}

/** @param {unknown} event @returns {unknown} its figures */
export function infoOf(event) {
  return find(event, 'info');
}

/** @param {unknown} event @param {string} field of its innermost detail @returns {unknown} */
function find(event, field) {
  let inner = event;
  for (let depth = 0; depth <= MAX_NESTING; depth += 1) {
    if (typeof inner !== 'object' || inner === null) return undefined;
    const fields = /** @type {Record<string, unknown>} */ (inner);
    if (fields[field] !== undefined) return fields[field];
    inner = fields['detail'];
  }
  return undefined;
}
