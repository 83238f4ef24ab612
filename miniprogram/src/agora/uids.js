import { streamKey } from '../core/addresses.js';

/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('../core/client.js').StreamName} StreamName */
/** @typedef {{ uid: Uid, stream: StreamName }} Source */

const MAX_UINT32 = 0xffff_ffff;
/** Numbers that are made up come from this half of the range, away from those that people choose. */
const DERIVED_FROM = 0x8000_0000;
/** What a screen's name ends in where uids are strings. No uid can hold it. */
const SCREEN = '~screen';

/** FNV-1a of 32 bits. */
const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

/**
 * How the page calls a stream of somebody else. This SDK knows one stream per uid, and in its usual mode uids are
 * numbers of 32 bits. So a screen, and somebody whose uid is no such number, get a number that follows from what they
 * are: the same in every stay, unless somebody in the channel has it already. Where the page has chosen string uids,
 * names are the uids themselves, and screens end in `~screen`.
 *
 * Names live as long as their streams, so that there are no more of them than the room has streams.
 */
export class Uids {
  #strings;
  #own;
  /** @type {Map<number | string, Source>} */
  #sources = new Map();
  /** @type {Map<string, number | string>} */
  #names = new Map();

  /** @param {boolean} strings the page has chosen string uids @param {Uid} own nobody else gets it */
  constructor(strings, own) {
    this.#strings = strings;
    this.#own = strings ? String(own) : Number(own);
  }

  /** @param {Uid} uid @param {StreamName} stream @returns {number | string} */
  name(uid, stream) {
    const key = streamKey(uid, stream);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = this.#strings ? `${uid}${stream === 'screen' ? SCREEN : ''}` : this.#number(uid, stream);
    this.#names.set(key, name);
    this.#sources.set(name, { uid, stream });
    return name;
  }

  /** @param {Uid} uid @param {StreamName} stream */
  forget(uid, stream) {
    const key = streamKey(uid, stream);
    const name = this.#names.get(key);
    this.#names.delete(key);
    if (name !== undefined) this.#sources.delete(name);
  }

  /** @param {number | string} name @returns {boolean} whether somebody's stream is called so */
  has(name) {
    return this.#sources.has(this.#strings ? String(name) : Number(name));
  }

  /** @param {number | string} name @returns {Source} of a name that nobody has: the camera of whoever has this uid */
  source(name) {
    return this.#sources.get(this.#strings ? String(name) : Number(name)) ?? { uid: name, stream: 'camera' };
  }

  /** @param {Uid} uid @param {StreamName} stream @returns {number} */
  #number(uid, stream) {
    const free = (/** @type {number} */ number) => number !== this.#own && !this.#sources.has(number);
    const own = stream === 'camera' ? uint32(uid) : null;
    if (own !== null && free(own)) return own;
    let number = derived(`${uid}/${stream}`);
    while (!free(number)) number = number === MAX_UINT32 ? DERIVED_FROM : number + 1;
    return number;
  }
}

/**
 * @param {unknown} value
 * @returns {number | null} a uid of the vendor's: 1 to 2^32 - 1, also as text
 */
export function uint32(value) {
  if (typeof value !== 'number' && (typeof value !== 'string' || !/^[1-9]\d*$/.test(value))) return null;
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 && number <= MAX_UINT32 ? number : null;
}

/** @param {string} text @returns {number} from DERIVED_FROM to MAX_UINT32 */
function derived(text) {
  let hash = FNV_OFFSET;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return DERIVED_FROM + (hash >>> 1);
}
