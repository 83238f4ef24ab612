/** Which stream of a room has which stream id. */

import { byteLength } from './text.js';
import { streamKey } from '../core/addresses.js';

/** @typedef {import('../core/client.js').RemoteStream} RemoteStream */
/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('../core/client.js').StreamName} StreamName */

/** Attributes of a stream (docs/signalling.md) that carry what this shape has and our streams do not. */
export const STREAM_ID = 'zego_stream_id';
export const USER_NAME = 'zego_user_name';
export const EXTRA_INFO = 'zego_extra_info';

/** As long as the vendor's may be; a longer one was not set by this SDK. */
const MAX_BYTES = 256;

/**
 * Stream ids are free texts, each there once in a room. A publisher carries its own in an attribute; those who know of
 * none, such as browsers, have a stream of their uid, and their screen one of the uid with `_screen` after it.
 *
 * Two publishers may say the same id before they know of each other. The first keeps it, and the other stays unknown
 * until it is free, since it will take itself back.
 */
export class Directory {
  /** @type {Map<string, RemoteStream | null>} null: one's own */
  #streams = new Map();
  /** Ids by streamKey. @type {Map<string, string>} */
  #ids = new Map();
  /** Streams whose id another one has, in their order. @type {Map<string, RemoteStream>} */
  #waiting = new Map();

  /** @param {string} id @returns {RemoteStream | undefined} somebody else's */
  find(id) {
    return this.#streams.get(id) ?? undefined;
  }

  /** @param {Uid} uid @param {StreamName} stream @returns {string | undefined} */
  idOf(uid, stream) {
    return this.#ids.get(streamKey(uid, stream));
  }

  /** For a stream of one's own. @param {string} id @returns {boolean} false: somebody else has it */
  claim(id) {
    if (this.#streams.has(id)) return false;
    this.#streams.set(id, null);
    return true;
  }

  /** @param {string} id that was claimed @returns {{ id: string, stream: RemoteStream }[]} who has waited for it */
  release(id) {
    if (this.#streams.get(id) !== null) return [];
    this.#streams.delete(id);
    return this.#admitWaiting();
  }

  /** @param {RemoteStream} stream @returns {string | null} null: it waits for its id */
  add(stream) {
    const key = streamKey(stream.uid, stream.stream);
    const id = candidates(stream).find((candidate) => !this.#streams.has(candidate));
    if (id === undefined) {
      this.#waiting.set(key, stream);
      return null;
    }
    this.#streams.set(id, stream);
    this.#ids.set(key, id);
    return id;
  }

  /**
   * @param {Uid} uid
   * @param {StreamName} stream
   * @returns {{ removed: string | null, added: { id: string, stream: RemoteStream }[] }} `added`: who has waited for its id
   */
  remove(uid, stream) {
    const key = streamKey(uid, stream);
    this.#waiting.delete(key);
    const id = this.#ids.get(key);
    if (id === undefined) return { removed: null, added: [] };
    this.#ids.delete(key);
    this.#streams.delete(id);
    return { removed: id, added: this.#admitWaiting() };
  }

  #admitWaiting() {
    /** @type {{ id: string, stream: RemoteStream }[]} */
    const admitted = [];
    for (const [key, stream] of [...this.#waiting]) {
      this.#waiting.delete(key);
      const id = this.add(stream);
      if (id !== null) admitted.push({ id, stream });
    }
    return admitted;
  }
}

/** @param {RemoteStream} stream @returns {string[]} the ids that it may have, best first */
function candidates({ uid, stream, attributes }) {
  const own = attributes[STREAM_ID];
  if (own !== undefined && own !== '' && byteLength(own) <= MAX_BYTES) return [own];
  return stream === 'camera' ? [`${uid}`, `${uid}_camera`] : [`${uid}_screen`, `${uid}_screen_2`];
}
