import { uidKey } from '../core/room.js';

/** @typedef {import('../core/protocol.js').Uid} Uid */
/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').Kind} Kind */

/**
 * What a section of the PeerConnection carries now.
 *
 * @typedef {object} Section
 * @property {string} mid
 * @property {string} key the same for the same track of the same participant, whatever its section
 * @property {Uid} uid
 * @property {StreamName} stream
 * @property {Kind} kind
 */

/**
 * @param {Uid} uid which has no slash
 * @param {StreamName} stream
 * @param {Kind} kind
 */
export function sectionKey(uid, stream, kind) {
  return `${uidKey(uid)}/${stream}/${kind}`;
}

/** Which section carries what. A section may carry something else later, and what it carried may move to another. */
export class Sections {
  /** @type {Map<string, Section>} */
  #byMid = new Map();

  get all() {
    return [...this.#byMid.values()];
  }

  /** @param {string} mid */
  get(mid) {
    return this.#byMid.get(mid);
  }

  /** @param {string} key */
  find(key) {
    return this.all.find((section) => section.key === key);
  }

  /**
   * @param {import('../core/protocol.js').Mids} mids of an offer; a section that is not in it carries nothing
   * @returns {{ gone: Section[], come: Section[] }} what is different now
   */
  apply(mids) {
    const before = this.#byMid;
    this.#byMid = new Map(Object.entries(mids).map(([mid, { uid, stream, kind }]) => {
      const key = sectionKey(uid, stream, kind);
      const known = before.get(mid);
      return [mid, known?.key === key ? known : { mid, key, uid, stream, kind }];
    }));
    return {
      gone: [...before.values()].filter((section) => this.#byMid.get(section.mid) !== section),
      come: this.all.filter((section) => before.get(section.mid) !== section),
    };
  }

  /** Nothing is carried any more. @returns {Section[]} what was */
  clear() {
    return this.apply({}).gone;
  }
}
