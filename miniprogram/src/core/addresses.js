/** The addresses that the server gave for the components: the core's media in a mini-program. */

/** @typedef {import('../../../web-client/core/protocol.js').Uid} Uid */
/** @typedef {import('../../../web-client/core/protocol.js').StreamName} StreamName */
/** @typedef {import('../../../web-client/core/protocol.js').ReceivedName} ReceivedName */

/**
 * @typedef {object} Play where a stream can be played; both addresses hold the same ticket, so only one of them is used
 * @property {Uid} uid
 * @property {ReceivedName} stream
 * @property {string} url rtmp
 * @property {string} flv
 */

/**
 * @typedef {object} AddressEvents
 * @property {(stream: StreamName, url: string, replaces: boolean) => void} push `replaces`: an address that is now void
 * @property {(play: Play, replaces: boolean) => void} play
 * @property {(stream: StreamName) => void} pushEnded
 * @property {(uid: Uid, stream: ReceivedName) => void} playEnded
 */

/** @param {Uid} uid @param {ReceivedName} stream @returns {string} the same for all forms of a uid */
export const streamKey = (uid, stream) => `${uid}/${stream}`;

/** @typedef {import('../../../web-client/core/ports.js').Media} Media */

/** @implements {Media} */
export class Addresses {
  /** @type {Map<StreamName, string>} */
  #pushes = new Map();
  /** @type {Map<string, Play>} */
  #plays = new Map();
  #events;

  /** @param {AddressEvents} events */
  constructor(events) {
    this.#events = events;
  }

  /** @param {StreamName} stream @returns {string | undefined} */
  push(stream) {
    return this.#pushes.get(stream);
  }

  /** @param {Uid} uid @param {ReceivedName} stream @returns {Play | undefined} */
  play(uid, stream) {
    return this.#plays.get(streamKey(uid, stream));
  }

  /** @returns {Play[]} */
  get plays() {
    return [...this.#plays.values()];
  }

  /** @param {import('../../../web-client/core/ports.js').PublishedMedia} media */
  publish({ stream, rtmp }) {
    if (rtmp === undefined) throw new Error(`the server gave no address for ${stream}`);
    const before = this.#pushes.get(stream);
    this.#pushes.set(stream, rtmp);
    if (before !== rtmp) this.#events.push(stream, rtmp, before !== undefined);
  }

  /** @param {StreamName} stream */
  unpublish(stream) {
    if (this.#pushes.delete(stream)) this.#events.pushEnded(stream);
  }

  /** @param {import('../../../web-client/core/ports.js').SubscribedMedia} media */
  subscribe({ uid, stream, rtmp, flv }) {
    if (rtmp === undefined || flv === undefined) throw new Error(`the server gave no address for ${stream} of ${uid}`);
    const before = this.play(uid, stream);
    const play = { uid, stream, url: rtmp, flv };
    this.#plays.set(streamKey(uid, stream), play);
    if (before?.url !== rtmp) this.#events.play(play, before !== undefined);
  }

  /** @param {Uid} uid @param {ReceivedName} stream */
  unsubscribe(uid, stream) {
    if (this.#plays.delete(streamKey(uid, stream))) this.#events.playEnded(uid, stream);
  }

  offer() {
    return Promise.reject(new Error('a mini-program negotiates no media'));
  }

  /** Tickets hold as long as the session does: nothing has changed. */
  resumed() {}

  /** The addresses of the lost session are void; new ones follow and replace them. */
  reset() {}

  close() {
    for (const stream of [...this.#pushes.keys()]) this.unpublish(stream);
    for (const { uid, stream } of this.plays) this.unsubscribe(uid, stream);
  }
}
