/** Padded base64 (RFC 4648 section 4), for places that have neither btoa nor Buffer. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function toBase64(bytes) {
  let encoded = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const bits = (a << 16) | (b << 8) | c;
    const used = Math.min(bytes.length - at, 3) + 1;
    for (let digit = 0; digit < 4; digit += 1) {
      encoded += digit < used ? ALPHABET.charAt((bits >> (18 - 6 * digit)) & 63) : '=';
    }
  }
  return encoded;
}

/**
 * @param {string} encoded
 * @returns {Uint8Array | null} null if it is not padded base64
 */
export function fromBase64(encoded) {
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return null;
  const padding = encoded.length - encoded.replace(/=+$/, '').length;
  const bytes = new Uint8Array((encoded.length / 4) * 3 - padding);
  for (let at = 0, written = 0; at < encoded.length; at += 4) {
    let bits = 0;
    for (let digit = 0; digit < 4; digit += 1) {
      bits = (bits << 6) | Math.max(ALPHABET.indexOf(encoded.charAt(at + digit)), 0);
    }
    for (let shift = 16; shift >= 0 && written < bytes.length; shift -= 8) {
      bytes[written] = (bits >> shift) & 255;
      written += 1;
    }
  }
  return bytes;
}
