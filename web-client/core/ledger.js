import { KINDS, uidKey } from './room.js';

/** @typedef {import('./protocol.js').StreamName} StreamName */
/** @typedef {import('./protocol.js').ReceivedName} ReceivedName */
/** @typedef {import('./protocol.js').Kind} Kind */
/** @typedef {import('./protocol.js').Uid} Uid */

/**
 * A stream of one's own that the server knows.
 *
 * @typedef {object} Publication
 * @property {StreamName} stream
 * @property {boolean} audio
 * @property {boolean} video
 * @property {number} layers of the pictures
 * @property {Map<string, string>} attributes
 * @property {Record<Kind, import('./protocol.js').TrackState>} state
 * @property {Record<Kind, boolean>} muted what its owner wants, also while an admin blocks the track
 */

/**
 * A stream that is received.
 *
 * @typedef {object} Subscription
 * @property {Uid} uid
 * @property {ReceivedName} stream
 * @property {boolean} audio
 * @property {boolean} video
 * @property {import('./protocol.js').Layer} maxLayer
 */

/** What is published and received, so that a new session can be brought to where the lost one was. */
export class Ledger {
  /** @type {Map<StreamName, Publication>} */
  #publications = new Map();
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();

  get publications() {
    return [...this.#publications.values()];
  }

  get subscriptions() {
    return [...this.#subscriptions.values()];
  }

  /** @param {StreamName} stream */
  publication(stream) {
    return this.#publications.get(stream);
  }

  /**
   * @param {import('./protocol.js').Request<'publish'>} request that the server has granted
   */
  published({ stream, audio, video, layers = 1, attributes = {} }) {
    const before = this.#publications.get(stream);
    const has = { audio, video };
    const state = /** @type {Publication['state']} */ ({});
    for (const kind of KINDS) {
      const earlier = before?.state[kind] ?? 'absent';
      state[kind] = has[kind] ? (earlier === 'absent' ? 'live' : earlier) : 'absent';
    }
    this.#publications.set(stream, {
      stream,
      audio,
      video,
      layers,
      attributes: new Map(Object.entries(attributes)),
      state,
      muted: before?.muted ?? { audio: false, video: false },
    });
  }

  /**
   * @param {StreamName} stream
   * @returns {boolean} whether there was one
   */
  unpublished(stream) {
    return this.#publications.delete(stream);
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   */
  subscription(uid, stream) {
    return this.#subscriptions.get(key(uid, stream));
  }

  /** @param {import('./protocol.js').Request<'subscribe'>} request that the server has granted */
  subscribed({ uid, stream, audio = true, video = true, max_layer: maxLayer = 'h' }) {
    this.#subscriptions.set(key(uid, stream), { uid, stream, audio, video, maxLayer });
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   * @returns {boolean} whether there was one
   */
  unsubscribed(uid, stream) {
    return this.#subscriptions.delete(key(uid, stream));
  }

  clear() {
    this.#publications.clear();
    this.#subscriptions.clear();
  }
}

/**
 * @param {Uid} uid which has no slash
 * @param {ReceivedName} stream
 */
function key(uid, stream) {
  return `${uidKey(uid)}/${stream}`;
}
