import { uidKey } from '../../../web-client/core/room.js';
import { EVENTS } from './events.js';

/** @typedef {import('../core/client.js').RemoteUser} RemoteUser */

/**
 * The users that are told of. The server tells everybody of everybody; who is audience is what Volcengine calls invisible,
 * and is left out here.
 */
export class Peers {
  /** @type {Set<string>} */
  #told = new Set();
  #tell;

  /** @param {import('./events.js').Tell} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /** @param {RemoteUser} user as it is now */
  changed(user) {
    if (user.role === 'audience') return this.left(user);
    if (this.#told.has(uidKey(user.uid))) return;
    this.#told.add(uidKey(user.uid));
    this.#tell(EVENTS.PEER_ONLINE, { uid: String(user.uid) });
  }

  /** @param {RemoteUser} user */
  left({ uid }) {
    if (this.#told.delete(uidKey(uid))) this.#tell(EVENTS.PEER_LEAVE, { uid: String(uid) });
  }
}
