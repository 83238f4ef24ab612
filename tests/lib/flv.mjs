/**
 * A small FLV reader: enough to judge what the server writes, tag by tag, without a player's tolerance.
 */

/**
 * @typedef {object} Tag
 * @property {'audio' | 'video' | 'script' | 'other'} type
 * @property {number} timestamp milliseconds
 * @property {boolean} keyframe
 * @property {boolean} header a sequence header
 * @property {number} codec the codec id (video) or sound format (audio)
 * @property {Buffer} body
 * @property {number} seen `Date.now()` when the tag was complete
 */

const TYPES = /** @type {const} */ ({ 8: 'audio', 9: 'video', 18: 'script' });

/** Collects tags from bytes as they come. */
export class FlvReader {
  #rest = Buffer.alloc(0);
  #started = false;
  #lastSize = 0;

  /** @type {Tag[]} */
  tags = [];

  /**
   * @param {Uint8Array} chunk
   * @throws {Error} where the bytes are not FLV
   */
  push(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (!this.#started) {
      if (this.#rest.length < 9) return;
      if (this.#rest.toString('latin1', 0, 3) !== 'FLV') throw new Error('no FLV signature');
      this.#rest = this.#rest.subarray(this.#rest.readUInt32BE(5));
      this.#started = true;
    }
    while (this.#takeTag());
  }

  #takeTag() {
    const bytes = this.#rest;
    if (bytes.length < 15) return false;
    const size = bytes.readUIntBE(5, 3);
    if (bytes.length < 15 + size) return false;
    const previous = bytes.readUInt32BE(0);
    if (previous !== this.#lastSize) throw new Error(`previous tag size ${previous}, not ${this.#lastSize}`);
    const number = bytes.readUInt8(4) & 0x1f;
    const type = TYPES[/** @type {8 | 9 | 18} */ (number)] ?? 'other';
    const timestamp = bytes.readUIntBE(8, 3) | (bytes.readUInt8(11) << 24);
    this.tags.push(describe(type, timestamp >>> 0, Buffer.from(bytes.subarray(15, 15 + size))));
    this.#lastSize = size + 11;
    this.#rest = bytes.subarray(15 + size);
    return true;
  }
}

/** @param {Tag['type']} type @param {number} timestamp @param {Buffer} body @returns {Tag} */
function describe(type, timestamp, body) {
  const first = body.length > 0 ? body.readUInt8(0) : 0;
  const codec = type === 'video' ? first & 0x0f : first >> 4;
  return {
    type,
    timestamp,
    keyframe: type === 'video' && first >> 4 === 1,
    header: (type === 'video' || type === 'audio') && body.length > 1 && body.readUInt8(1) === 0,
    codec,
    body,
    seen: Date.now(),
  };
}

/** An HTTP-FLV player that keeps the tags and when they came. */
export class FlvPlayer {
  reader = new FlvReader();
  asked = Date.now();
  status = 0;
  /** @type {unknown} */
  failure = null;
  ended = false;
  #abort = new AbortController();

  /** @param {import('./scope.mjs').Scope} scope @param {string} url */
  constructor(scope, url) {
    scope.defer(() => this.stop());
    this.done = this.#run(url);
  }

  /** @param {string} url */
  async #run(url) {
    try {
      const response = await fetch(url, { signal: this.#abort.signal });
      this.status = response.status;
      this.contentType = response.headers.get('content-type');
      if (!response.ok || !response.body) return;
      for await (const chunk of response.body) this.reader.push(chunk);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.failure = error;
    } finally {
      this.ended = true;
    }
  }

  get tags() {
    return this.reader.tags;
  }

  async stop() {
    this.#abort.abort();
    await this.done;
    return this.tags;
  }
}

/**
 * Everything wrong with a list of tags, in words; empty when a strict player would be content.
 * @param {Tag[]} tags
 */
export function faults(tags) {
  const found = [];
  for (const type of /** @type {const} */ (['video', 'audio'])) {
    const own = tags.filter((tag) => tag.type === type);
    const media = own.filter((tag) => !tag.header);
    if (own.length > 0 && !own[0]?.header) found.push(`${type} starts without a sequence header`);
    if (type === 'video' && media.length > 0 && !media[0]?.keyframe) found.push('video starts without a keyframe');
    media.forEach((tag, i) => {
      const before = media[i - 1];
      if (before && tag.timestamp < before.timestamp) {
        found.push(`${type} goes back from ${before.timestamp} to ${tag.timestamp} ms at tag ${i}`);
      }
    });
  }
  if (tags.some((tag) => tag.type === 'other')) found.push('a tag of unknown type');
  return found;
}
