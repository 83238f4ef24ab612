/** Text and its bytes, in a place that has no TextEncoder, and the rules for identifiers. */

import { Code, ZegoError } from './errors.js';

/** The vendor's limits, in bytes of UTF-8. */
const MAX_ROOM_ID = 128;
const MAX_USER_ID = 64;
const MAX_USER_NAME = 256;
const MAX_STREAM_ID = 256;
/** Of a broadcast, a barrage or a command. */
const MAX_MESSAGE = 1024;

/** What the server's identifiers have no place for (docs/signalling.md); the vendor's have some of it. */
// eslint-disable-next-line no-control-regex
const NOT_IN_IDENTIFIERS = /[\s\u0000-\u001f\u007f-\u009f/\\?#%~"<]/;
/** Everything that either of the vendor's two lists allows, but for what would make an address of it. */
const STREAM_ID = /^[A-Za-z0-9~!@#$%^&*()_+=\-`;',.<>\\]+$/;

/** Stands for half of a pair of UTF-16, which is no character. */
const REPLACEMENT = 0xfffd;

/** @param {string} text @returns {Uint8Array} UTF-8 */
export function toUtf8(text) {
  /** @type {number[]} */
  const bytes = [];
  for (const char of text) {
    const found = char.codePointAt(0) ?? REPLACEMENT;
    const point = found >= 0xd800 && found < 0xe000 ? REPLACEMENT : found;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), tail(point >> 6), tail(point));
    else bytes.push(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point));
  }
  return Uint8Array.from(bytes);
}

/** @param {number} bits */
function tail(bits) {
  return 0x80 | (bits & 0x3f);
}

/** @param {Uint8Array} bytes @returns {string | null} null if they are not UTF-8 */
export function fromUtf8(bytes) {
  const escaped = Array.from(bytes, (byte) => `%${byte < 16 ? '0' : ''}${byte.toString(16)}`).join('');
  try {
    return decodeURIComponent(escaped);
  } catch {
    return null;
  }
}

/** @param {string} text @returns {number} bytes of UTF-8 */
export function byteLength(text) {
  return toUtf8(text).length;
}

/** @param {unknown} roomID @returns {string} throws a ZegoError if it is none */
export function checkRoomID(roomID) {
  if (typeof roomID !== 'string' || roomID === '') throw new ZegoError(Code.roomIDEmpty, 'the roomID is a text that is not empty');
  if (byteLength(roomID) > MAX_ROOM_ID) throw new ZegoError(Code.roomIDTooLong, `the roomID has over ${MAX_ROOM_ID} bytes`);
  if (NOT_IN_IDENTIFIERS.test(roomID)) throw new ZegoError(Code.roomIDCharacters, 'the roomID has characters that it may not have');
  return roomID;
}

/**
 * @param {unknown} user `{userID, userName?}`
 * @returns {{ userID: string, userName: string | null }} throws a ZegoError if it is none
 */
export function checkUser(user) {
  const { userID, userName } = /** @type {{ userID?: unknown, userName?: unknown }} */ (user ?? {});
  if (typeof userID !== 'string' || userID === '') throw new ZegoError(Code.userIDEmpty, 'the userID is a text that is not empty');
  if (byteLength(userID) > MAX_USER_ID) throw new ZegoError(Code.userIDTooLong, `the userID has over ${MAX_USER_ID} bytes`);
  if (NOT_IN_IDENTIFIERS.test(userID)) throw new ZegoError(Code.userIDCharacters, 'the userID has characters that it may not have');
  if (userName === undefined || userName === null) return { userID, userName: null };
  if (typeof userName !== 'string' || userName === '') throw new ZegoError(Code.userNameEmpty, 'a userName is a text that is not empty');
  if (byteLength(userName) > MAX_USER_NAME) throw new ZegoError(Code.userNameTooLong, `the userName has over ${MAX_USER_NAME} bytes`);
  return { userID, userName };
}

/** @param {unknown} streamID @returns {string} throws a ZegoError if nothing may be published under it */
export function checkStreamID(streamID) {
  if (typeof streamID !== 'string' || streamID === '') throw new ZegoError(Code.streamIDEmpty, 'the streamID is a text that is not empty');
  if (byteLength(streamID) > MAX_STREAM_ID) throw new ZegoError(Code.streamIDTooLong, `the streamID has over ${MAX_STREAM_ID} bytes`);
  if (!STREAM_ID.test(streamID)) throw new ZegoError(Code.streamIDCharacters, 'the streamID has characters that it may not have');
  return streamID;
}

/** @param {unknown} message @returns {string} throws a ZegoError if it cannot be sent */
export function checkMessage(message) {
  if (typeof message !== 'string' || message === '') throw new ZegoError(Code.badParameter, 'a message is a text that is not empty');
  if (byteLength(message) > MAX_MESSAGE) throw new ZegoError(Code.badParameter, `the message has over ${MAX_MESSAGE} bytes`);
  return message;
}
