import { streamKey } from '../core/addresses.js';
import { ERROR_CODES, VolcEngineRTCError } from './errors.js';
import { EVENTS } from './events.js';
import { streamOf } from './published.js';

/** @typedef {import('../core/client.js').StreamName} StreamName */
/** @typedef {{ audio: boolean, video: boolean }} Tracks */

/**
 * @typedef {object} Subscription
 * @property {Tracks} wanted what was subscribed to
 * @property {Tracks} muted what of it is held back at present
 */

/**
 * What is received, and what of it is held back. Holding back is subscribing to less: the address changes with it. With
 * nothing left there is no subscription at the server, and no address, until something is wanted again.
 */
export class Subscriptions {
  /** As many as there are streams at most: an entry goes with its stream. @type {Map<string, Subscription>} */
  #entries = new Map();
  #core;
  #tell;

  /** @param {import('../core/client.js').Client} core @param {import('./events.js').Tell} tell */
  constructor(core, tell) {
    this.#core = core;
    this.#tell = tell;
  }

  /**
   * Ends what was held back.
   *
   * @param {string} uid
   * @param {StreamName} stream
   * @param {Tracks} tracks
   * @returns {Promise<string>} the address
   */
  async subscribe(uid, stream, tracks) {
    const { url } = await this.#core.subscribe(uid, { stream, ...tracks });
    if (this.#core.play(uid, stream) !== undefined) {
      this.#entries.set(streamKey(uid, stream), { wanted: tracks, muted: { audio: false, video: false } });
    }
    return url;
  }

  /** Of a stream that is gone nothing is left to unsubscribe from. @param {string} uid @param {StreamName} stream */
  async unsubscribe(uid, stream) {
    const had = this.#entries.delete(streamKey(uid, stream)) || this.#core.play(uid, stream) !== undefined;
    if (!had && this.#core.stream(uid, stream) !== undefined) throw notSubscribed(uid);
    if (had) await this.#core.unsubscribe(uid, stream);
  }

  /**
   * @param {string} uid
   * @param {StreamName} stream
   * @param {import('./arguments.js').Switches} mutes true: muted
   */
  async mute(uid, stream, mutes) {
    const entry = this.#entries.get(streamKey(uid, stream));
    if (entry === undefined) throw this.#core.participant(uid) === undefined ? unknownUser(uid) : notSubscribed(uid);
    const [muted, before] = [entry.muted, received(entry)];
    const changed = { ...muted, ...mutes };
    entry.muted = changed;
    const now = received(entry);
    if (now.audio === before.audio && now.video === before.video) return;
    try {
      await this.#receive(uid, stream, now);
    } catch (cause) {
      // A later call may have asked for something else meanwhile.
      if (entry.muted === changed) entry.muted = muted;
      throw cause;
    }
  }

  /** The stream has ended, and the server's subscription with it. @param {string} uid @param {StreamName} stream */
  ended(uid, stream) {
    this.#entries.delete(streamKey(uid, stream));
  }

  /** @param {string} uid @returns {StreamName[]} which streams of a user are received */
  streamsOf(uid) {
    return /** @type {const} */ (['camera', 'screen']).filter((stream) => this.#core.play(uid, stream) !== undefined);
  }

  /** @param {string} uid @param {StreamName} stream @param {Tracks} tracks */
  async #receive(uid, stream, tracks) {
    if (!tracks.audio && !tracks.video) return this.#core.unsubscribe(uid, stream);
    const { url } = await this.#core.subscribe(uid, { stream, ...tracks });
    if (this.#core.play(uid, stream)?.url === url) this.#tell(EVENTS.UPDATE_URL, { ...streamOf(uid, stream), url });
  }
}

/** @param {Subscription} subscription @returns {Tracks} */
function received({ wanted, muted }) {
  return { audio: wanted.audio && !muted.audio, video: wanted.video && !muted.video };
}

/** @param {string} uid */
function unknownUser(uid) {
  return new VolcEngineRTCError(ERROR_CODES.UID_NOT_FOUND, `no user ${uid} in the room`);
}

/** @param {string} uid */
function notSubscribed(uid) {
  return new VolcEngineRTCError(ERROR_CODES.STREAM_ID_NOT_FOUND, `not subscribed to this stream of ${uid}`);
}
