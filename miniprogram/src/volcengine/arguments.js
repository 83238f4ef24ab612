import { ERROR_CODES, VolcEngineRTCError } from './errors.js';

/** @typedef {import('../core/client.js').StreamName} StreamName */

/** Rooms and users: letters, digits and four signs. */
const ID = /^[A-Za-z0-9@_.-]{1,128}$/;
/** What a stream attribute may hold, in the longest characters. */
const MAX_BUSINESS_ID = 256;

/**
 * What `true` means where tracks are muted: `since-3.1.0` switched off, `before-3.1.0` switched on.
 *
 * @typedef {'since-3.1.0' | 'before-3.1.0'} MutePolarity
 */

/** @typedef {{ audio?: boolean, video?: boolean }} Switches tracks to be changed */

/** @param {string} reason @returns {never} */
function refuse(reason) {
  throw new VolcEngineRTCError(ERROR_CODES.INVALID_PARAMS, reason);
}

/** @param {unknown} value @param {string} name @returns {string} */
export function readText(value, name) {
  return typeof value === 'string' && value !== '' ? value : refuse(`${name}: a text that is not empty`);
}

/** @param {unknown} value @param {string} name @returns {string} */
export function readId(value, name) {
  if (typeof value === 'string' && ID.test(value)) return value;
  return refuse(`${name}: 1 to 128 of A-Z a-z 0-9 @ _ - .`);
}

/**
 * Others may have uids that Volcengine would not allow, as they come from other SDKs: the server looks at them.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function readUid(value) {
  return typeof value === 'number' ? String(value) : readText(value, 'userId');
}

/** @param {unknown} value @returns {string} */
export function readBusinessId(value) {
  const id = readText(value, 'businessId');
  return id.length <= MAX_BUSINESS_ID ? id : refuse(`businessId: at most ${MAX_BUSINESS_ID} characters`);
}

/** @param {unknown} value @returns {string} */
export function readMessage(value) {
  return typeof value === 'string' ? value : refuse('message: a text');
}

/** @param {unknown} value @returns {Uint8Array} */
export function readBytes(value) {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : refuse('message: an ArrayBuffer');
}

/** @param {unknown} value @returns {boolean} */
export function readFlag(value) {
  return typeof value === 'boolean' ? value : refuse('enable: true or false');
}

/**
 * The second argument of calls about a stream, which may be left out: then the callbacks come in its place.
 *
 * @param {unknown} options
 * @param {unknown} onSuccess
 * @param {unknown} onFailure
 * @returns {{ options: unknown, onSuccess: unknown, onFailure: unknown }}
 */
export function shiftCallbacks(options, onSuccess, onFailure) {
  if (typeof options !== 'function') return { options, onSuccess, onFailure };
  return { options: undefined, onSuccess: options, onFailure: onSuccess };
}

/** @param {unknown} options @returns {Record<string, unknown>} */
function readOptions(options) {
  if (options === undefined || options === null) return {};
  return typeof options === 'object' ? /** @type {Record<string, unknown>} */ (options) : refuse('options: an object');
}

/** @param {unknown} options @returns {StreamName} `screen` may also be 0 or 1, as pages pass it to their components */
export function readStream(options) {
  return ['true', '1'].includes(String(readOptions(options)['screen'])) ? 'screen' : 'camera';
}

/** @param {unknown} options @returns {{ audio: boolean, video: boolean }} what to receive: both if nothing is said */
export function readTracks(options) {
  const { audio = true, video = true } = readSwitches(options);
  return audio || video ? { audio, video } : refuse('options: neither audio nor video');
}

/**
 * @param {unknown} options
 * @param {MutePolarity} polarity
 * @returns {Switches} true: muted
 */
export function readMutes(options, polarity) {
  const switches = readSwitches(options);
  if (switches.audio === undefined && switches.video === undefined) return refuse('options: audio or video');
  if (polarity === 'since-3.1.0') return switches;
  /** @type {Switches} */
  const mutes = {};
  if (switches.audio !== undefined) mutes.audio = !switches.audio;
  if (switches.video !== undefined) mutes.video = !switches.video;
  return mutes;
}

/** @param {unknown} options @returns {Switches} */
function readSwitches(options) {
  const read = readOptions(options);
  /** @type {Switches} */
  const switches = {};
  for (const kind of /** @type {const} */ (['audio', 'video'])) {
    const value = read[kind];
    if (typeof value === 'boolean') switches[kind] = value;
    else if (value !== undefined) refuse(`${kind}: true or false`);
  }
  return switches;
}
