/**
 * FLV (Adobe's Video File Format Specification 10.1, annex E), as far as live H.264 and AAC need it.
 */

/** Kinds of tags. */
export const TAG = Object.freeze({ AUDIO: 8, VIDEO: 9, SCRIPT: 18 });

/** A tag larger than this is not one of a live stream of this size. */
const MAX_TAG_BYTES = 4 << 20;

const FILE_HEADER_BYTES = 9;
const TAG_HEADER_BYTES = 11;
/** Each tag, and the file header, is followed by the size of the one before. */
const TRAILER_BYTES = 4;

const CODEC_AVC = 7;
const FORMAT_AAC = 10;

/**
 * @typedef {object} FlvTag
 * @property {number} type one of {@link TAG}, or another that is to be ignored
 * @property {number} timestamp milliseconds
 * @property {Buffer} data
 */

/** Bytes that are no FLV. */
export class FlvError extends Error {}

/** Cuts a byte stream into tags. */
export class FlvReader {
  /** @type {Buffer[]} */
  #parts = [];
  #length = 0;
  #started = false;

  /**
   * @param {Buffer} chunk
   * @returns {FlvTag[]} the tags that are now complete
   * @throws {FlvError}
   */
  push(chunk) {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    let bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#length);
    if (!this.#started && bytes.length >= FILE_HEADER_BYTES + TRAILER_BYTES) {
      if (bytes.toString('latin1', 0, 3) !== 'FLV') throw new FlvError('the stream does not begin with FLV');
      bytes = bytes.subarray(bytes.readUInt32BE(5) + TRAILER_BYTES);
      this.#started = true;
    }
    /** @type {FlvTag[]} */
    const tags = [];
    while (this.#started && bytes.length >= TAG_HEADER_BYTES) {
      const size = bytes.readUIntBE(1, 3);
      if (size > MAX_TAG_BYTES) throw new FlvError(`a tag of ${size} bytes`);
      const end = TAG_HEADER_BYTES + size + TRAILER_BYTES;
      if (bytes.length < end) break;
      const timestamp = bytes.readUIntBE(4, 3) + bytes.readUInt8(7) * 2 ** 24;
      const data = Buffer.from(bytes.subarray(TAG_HEADER_BYTES, TAG_HEADER_BYTES + size));
      tags.push({ type: bytes.readUInt8(0) & 0x1f, timestamp, data });
      bytes = bytes.subarray(end);
    }
    this.#parts = bytes.length > 0 ? [bytes] : [];
    this.#length = bytes.length;
    return tags;
  }
}

/**
 * The beginning of a stream.
 * @param {{ audio?: boolean, video?: boolean }} [has]
 */
export function flvHeader({ audio = true, video = true } = {}) {
  const flags = (audio ? 4 : 0) | (video ? 1 : 0);
  return Buffer.from([0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, FILE_HEADER_BYTES, 0, 0, 0, 0]);
}

/**
 * One tag with the size that follows it.
 * @param {number} type @param {number} timestamp milliseconds, modulo 2^32 @param {Uint8Array} data
 */
export function flvTag(type, timestamp, data) {
  const out = Buffer.alloc(TAG_HEADER_BYTES + data.length + TRAILER_BYTES);
  const time = Math.round(timestamp) >>> 0;
  out.writeUInt8(type, 0);
  out.writeUIntBE(data.length, 1, 3);
  out.writeUIntBE(time & 0xffffff, 4, 3);
  out.writeUInt8(time >>> 24, 7);
  out.set(data, TAG_HEADER_BYTES);
  out.writeUInt32BE(TAG_HEADER_BYTES + data.length, TAG_HEADER_BYTES + data.length);
  return out;
}

/**
 * What a tag holds.
 * @typedef {object} Content
 * @property {'video' | 'audio' | 'other'} kind
 * @property {'config' | 'frame' | 'other'} part
 * @property {boolean} keyframe
 * @property {Buffer} payload the decoder configuration, or one access unit with its length prefixes, or one AAC frame
 */

/** @param {{ type: number, data: Buffer }} tag @returns {Content} */
export function contentOf({ type, data }) {
  const first = data[0] ?? 0;
  const packet = data[1] ?? 255;
  if (type === TAG.VIDEO && (first & 0x0f) === CODEC_AVC && data.length >= 5) {
    const part = packet === 0 ? 'config' : packet === 1 ? 'frame' : 'other';
    return { kind: 'video', part, keyframe: first >> 4 === 1 && part === 'frame', payload: data.subarray(5) };
  }
  if (type === TAG.AUDIO && first >> 4 === FORMAT_AAC && data.length >= 2) {
    const part = packet === 0 ? 'config' : packet === 1 ? 'frame' : 'other';
    return { kind: 'audio', part, keyframe: false, payload: data.subarray(2) };
  }
  return { kind: 'other', part: 'other', keyframe: false, payload: data };
}

/** @param {string} text */
function amfKey(text) {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** @param {number | string | boolean} value */
function amfValue(value) {
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), amfKey(value)]);
  const out = Buffer.alloc(9);
  out.writeDoubleBE(value, 1);
  return out;
}

/**
 * The script tag that describes a stream.
 * @param {Record<string, number | string | boolean>} values
 */
export function metadataTag(values) {
  const entries = Object.entries(values);
  const head = Buffer.alloc(5);
  head.writeUInt8(8, 0);
  head.writeUInt32BE(entries.length, 1);
  const pairs = entries.flatMap(([key, value]) => [amfKey(key), amfValue(value)]);
  const body = Buffer.concat([amfValue('onMetaData'), head, ...pairs, Buffer.from([0, 0, 9])]);
  return flvTag(TAG.SCRIPT, 0, body);
}
