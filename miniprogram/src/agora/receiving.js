import { streamKey } from '../core/addresses.js';
import { AgoraError } from './errors.js';

/** @typedef {import('../core/client.js').Kind} Kind */
/** @typedef {import('./uids.js').Source} Source */

/**
 * What is received of whom. Muting somebody here changes what the server sends, which gives the player a new address;
 * with both tracks muted nothing is received until one of them is wanted again.
 */
export class Receiving {
  #core;
  /** @type {Map<string, Record<Kind, boolean>>} */
  #wanted = new Map();

  /** @param {import('../core/client.js').Client} core */
  constructor(core) {
    this.#core = core;
    core.on('stream-removed', (uid, stream) => this.#wanted.delete(streamKey(uid, stream)));
  }

  /**
   * @param {Source} source
   * @param {Record<Kind, boolean>} kinds at least one
   * @returns {Promise<string>} the address for the player
   */
  async subscribe({ uid, stream }, kinds) {
    const { url } = await this.#core.subscribe(uid, { stream, ...kinds });
    this.#wanted.set(streamKey(uid, stream), kinds);
    return url;
  }

  /** @param {Source} source */
  async unsubscribe({ uid, stream }) {
    this.#wanted.delete(streamKey(uid, stream));
    await this.#core.unsubscribe(uid, stream);
  }

  /**
   * @param {Source} source
   * @param {Kind[]} kinds
   * @param {boolean} on
   * @returns {Promise<string | null>} the new address for its player, if anything has changed and is received still
   */
  async want({ uid, stream }, kinds, on) {
    const key = streamKey(uid, stream);
    const before = this.#wanted.get(key);
    if (before === undefined) throw new AgoraError(401, 'not_subscribed', `not subscribed to ${uid}`);
    if (kinds.every((kind) => before[kind] === on)) return null;
    const wanted = { ...before };
    for (const kind of kinds) wanted[kind] = on;
    // At once, so that a second call that does not wait for this one builds on it.
    this.#wanted.set(key, wanted);
    try {
      if (wanted.audio || wanted.video) return (await this.#core.subscribe(uid, { stream, ...wanted })).url;
      await this.#core.unsubscribe(uid, stream);
      return null;
    } catch (cause) {
      if (this.#wanted.get(key) === wanted) this.#wanted.set(key, before);
      throw cause;
    }
  }
}
