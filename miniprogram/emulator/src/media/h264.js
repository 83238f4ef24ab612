/**
 * What has to be known of H.264 without decoding it: the size of the picture, and messages between the pictures.
 */

const NAL_SEI = 6;
/** The payload type in which messages travel (H.264 D.1.1 leaves it to users of the stream). */
const SEI_MESSAGE = 242;
/** A message longer than this is refused: it would delay the pictures. */
export const MAX_MESSAGE_BYTES = 2048;
/** Length prefixes of access units, in bytes. */
const LENGTH_BYTES = 4;

/** Profiles whose sequence parameters tell the chroma format. */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128]);

/** Takes the bytes out that keep start codes away. @param {Uint8Array} bytes */
function unescape(bytes) {
  const out = [];
  let zeros = 0;
  for (const byte of bytes) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out.push(byte);
  }
  return Uint8Array.from(out);
}

/** Reads bits, most significant first; zeros after the end. */
class Bits {
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }

  /** @param {number} count */
  take(count) {
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      value = value * 2 + (((this.bytes[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1);
      this.#at += 1;
    }
    return value;
  }

  /** An unsigned Exp-Golomb number. */
  ue() {
    let zeros = 0;
    while (zeros < 32 && this.take(1) === 0) zeros += 1;
    return 2 ** zeros - 1 + this.take(zeros);
  }

  se() {
    const value = this.ue();
    return value % 2 === 1 ? (value + 1) / 2 : -value / 2;
  }
}

/** @param {Bits} bits @param {number} count */
function skipScalingList(bits, count) {
  let last = 8;
  let next = 8;
  for (let i = 0; i < count; i += 1) {
    if (next !== 0) next = (last + bits.se() + 256) % 256;
    last = next === 0 ? last : next;
  }
}

/** @param {Bits} bits @returns {number} the chroma format */
function skipHighProfile(bits) {
  const chroma = bits.ue();
  if (chroma === 3) bits.take(1);
  bits.ue();
  bits.ue();
  bits.take(1);
  if (bits.take(1) === 1) {
    for (let i = 0; i < (chroma === 3 ? 12 : 8); i += 1) if (bits.take(1) === 1) skipScalingList(bits, i < 6 ? 16 : 64);
  }
  return chroma;
}

/** @param {Bits} bits */
function skipPictureOrder(bits) {
  const type = bits.ue();
  if (type === 0) bits.ue();
  if (type !== 1) return;
  bits.take(1);
  bits.se();
  bits.se();
  const count = Math.min(bits.ue(), 255);
  for (let i = 0; i < count; i += 1) bits.se();
}

/**
 * The size that a sequence parameter set declares (H.264 7.3.2.1.1), cropping applied.
 * @param {Uint8Array} sps the NAL unit
 */
function sizeOfSps(sps) {
  const bits = new Bits(unescape(sps.subarray(1)));
  const profile = bits.take(8);
  bits.take(16);
  bits.ue();
  const chroma = HIGH_PROFILES.has(profile) ? skipHighProfile(bits) : 1;
  bits.ue();
  skipPictureOrder(bits);
  bits.ue();
  bits.take(1);
  const width = (bits.ue() + 1) * 16;
  const mapUnits = bits.ue() + 1;
  const frames = bits.take(1);
  if (frames === 0) bits.take(1);
  const height = mapUnits * 16 * (2 - frames);
  bits.take(1);
  if (bits.take(1) === 0) return { width, height };
  const stepX = chroma === 1 || chroma === 2 ? 2 : 1;
  const stepY = (chroma === 1 ? 2 : 1) * (2 - frames);
  const [left, right, top, bottom] = [bits.ue(), bits.ue(), bits.ue(), bits.ue()];
  return { width: width - (left + right) * stepX, height: height - (top + bottom) * stepY };
}

/**
 * The size of the pictures that a decoder configuration announces.
 * @param {Buffer} config AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)
 * @returns {{ width: number, height: number } | null} null when it holds no sequence parameters
 */
export function sizeOfConfig(config) {
  if (config.length < 8 || ((config[5] ?? 0) & 0x1f) === 0) return null;
  const length = config.readUInt16BE(6);
  if (length < 4 || config.length < 8 + length) return null;
  return sizeOfSps(config.subarray(8, 8 + length));
}

/**
 * A unit with a message, to be put before the units of a picture.
 * @param {string} text
 * @throws {RangeError} when it is empty or longer than {@link MAX_MESSAGE_BYTES}
 */
export function messageUnit(text) {
  const body = Buffer.from(text, 'utf8');
  if (body.length === 0 || body.length > MAX_MESSAGE_BYTES) {
    throw new RangeError(`a message has 1 to ${MAX_MESSAGE_BYTES} bytes`);
  }
  const length = [];
  let rest = body.length;
  for (; rest >= 255; rest -= 255) length.push(255);
  const plain = Buffer.concat([Buffer.from([SEI_MESSAGE, ...length, rest]), body, Buffer.from([0x80])]);
  const out = [NAL_SEI];
  let zeros = 0;
  for (const byte of plain) {
    if (zeros >= 2 && byte <= 3) {
      out.push(3);
      zeros = 0;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out.push(byte);
  }
  const unit = Buffer.alloc(LENGTH_BYTES + out.length);
  unit.writeUInt32BE(out.length, 0);
  unit.set(out, LENGTH_BYTES);
  return unit;
}

/** @param {Uint8Array} unit @returns {string[]} */
function messagesOfUnit(unit) {
  const bytes = Buffer.from(unescape(unit.subarray(1)));
  const texts = [];
  let at = 0;
  const number = () => {
    let value = 0;
    while (bytes[at] === 255) {
      value += 255;
      at += 1;
    }
    value += bytes[at] ?? 0;
    at += 1;
    return value;
  };
  while (at + 2 < bytes.length) {
    const type = number();
    const size = number();
    if (type === SEI_MESSAGE && at + size <= bytes.length) texts.push(bytes.toString('utf8', at, at + size));
    at += size;
  }
  return texts;
}

/**
 * The messages in an access unit.
 * @param {Buffer} unit with length prefixes of four bytes
 */
export function messagesOf(unit) {
  const texts = [];
  for (let at = 0; at + LENGTH_BYTES < unit.length; ) {
    const length = unit.readUInt32BE(at);
    const nal = unit.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length);
    if (((nal[0] ?? 0) & 0x1f) === NAL_SEI) texts.push(...messagesOfUnit(nal));
    at += LENGTH_BYTES + length;
  }
  return texts;
}
