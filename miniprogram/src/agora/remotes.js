import { rotationOf } from '../core/client.js';
import { streamKey } from '../core/addresses.js';

/** @typedef {import('../core/client.js').Kind} Kind */
/** @typedef {import('../core/client.js').RemoteStream} RemoteStream */
/** @typedef {import('./client.js').ClientEvents} ClientEvents */

/** @type {readonly Kind[]} */
const KINDS = ['audio', 'video'];

/**
 * Tells of the others' streams in the vendor's events. A track that is muted, held back by an admin or absent counts as
 * muted.
 */
export class Remotes {
  /** What was told of each. @type {Map<string, Record<Kind, boolean>>} */
  #sending = new Map();
  #uids;
  #emit;

  /**
   * @param {import('../core/client.js').Client} core
   * @param {import('./uids.js').Uids} uids
   * @param {<Name extends keyof ClientEvents>(event: Name, payload: ClientEvents[Name]) => void} emit
   */
  constructor(core, uids, emit) {
    this.#uids = uids;
    this.#emit = emit;
    core.on('stream-added', (stream) => {
      this.#sending.set(streamKey(stream.uid, stream.stream), { audio: true, video: true });
      emit('stream-added', { uid: uids.name(stream.uid, stream.stream) });
      this.#compare(stream);
    });
    core.on('track-state', (stream) => this.#compare(stream));
    core.on('rotation', (stream) => {
      emit('video-rotation', { uid: uids.name(stream.uid, stream.stream), rotation: rotationOf(stream) });
    });
    core.on('stream-removed', (uid, stream) => {
      this.#sending.delete(streamKey(uid, stream));
      const name = uids.name(uid, stream);
      uids.forget(uid, stream);
      emit('stream-removed', { uid: name });
    });
  }

  /** @param {RemoteStream} stream */
  #compare(stream) {
    const sending = this.#sending.get(streamKey(stream.uid, stream.stream));
    if (sending === undefined) return;
    const uid = this.#uids.name(stream.uid, stream.stream);
    for (const kind of KINDS) {
      const sends = stream[kind] === 'live';
      if (sends === sending[kind]) continue;
      sending[kind] = sends;
      this.#emit(`${sends ? 'unmute' : 'mute'}-${kind}`, { uid });
    }
  }
}
