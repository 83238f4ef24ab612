import { badArgument } from './errors.js';
import { uint32 } from './uids.js';

/** @typedef {import('../core/client.js').Kind} Kind */

/** Long enough for every channel of the vendor's. */
const MAX_CHANNEL = 128;
/** The largest uid that is made up for who names none. */
const MAX_RANDOM_UID = 10_000_000;

/** The vendor's numbers for the two sorts of uids. */
const UID_STRING = 1;

/**
 * @typedef {object} Callbacks
 * @property {unknown} [onSuccess]
 * @property {unknown} [onFailure]
 */

/**
 * What follows the fixed arguments: values, then up to two callbacks, or the other way round.
 *
 * @param {unknown[]} rest
 * @param {number} [count] how many values there may be
 * @returns {Callbacks & { values: unknown[] }}
 */
export function split(rest, count = 0) {
  const first = rest.findIndex((argument) => typeof argument === 'function');
  const leading = first === -1 ? count : Math.min(first, count);
  const tail = rest.slice(leading);
  const callbacks = tail.slice(0, 2).findIndex((argument) => !isCallback(argument));
  const end = callbacks === -1 ? 2 : callbacks;
  const [onSuccess, onFailure] = tail.slice(0, end);
  return { values: [...rest.slice(0, leading), ...tail.slice(end)], onSuccess, onFailure };
}

/** @param {unknown} argument @returns {boolean} a function, or the place of one that was left out */
function isCallback(argument) {
  return typeof argument === 'function' || argument === undefined || argument === null;
}

/**
 * @param {unknown} appId
 * @returns {string}
 */
export function checkAppId(appId) {
  if (typeof appId !== 'string' || appId === '' || appId === 'null') throw badArgument('Invalid appId: a string that is not empty');
  return appId;
}

/**
 * @typedef {object} JoinRequest
 * @property {string | null} token
 * @property {string} channel
 * @property {number | string} uid
 * @property {boolean} strings uids are strings
 * @property {boolean} audioOnly
 */

/**
 * @param {unknown} token
 * @param {unknown} channel
 * @param {unknown} uid
 * @param {unknown[]} values `isAudioOnly` and `uidType`
 * @param {() => number} random in [0, 1)
 * @returns {JoinRequest}
 */
export function joinRequest(token, channel, uid, [isAudioOnly = false, uidType = 0], random) {
  if (token && (typeof token !== 'string' || token === 'null')) throw badArgument('Invalid token: a string, or none');
  if (typeof channel !== 'string' || channel === '' || channel === 'null' || channel.length > MAX_CHANNEL) {
    throw badArgument(`Invalid channel: a string of 1 to ${MAX_CHANNEL} characters`);
  }
  const strings = uidType === UID_STRING;
  return {
    token: typeof token === 'string' && token !== '' ? token : null,
    channel,
    uid: strings ? stringUid(uid) : numberUid(uid, random),
    strings,
    audioOnly: isAudioOnly === true,
  };
}

/** @param {unknown} uid @returns {string} */
function stringUid(uid) {
  if (typeof uid !== 'string' || uid.trim() === '') throw badArgument('Invalid uid: a string that is not blank');
  return uid;
}

/** @param {unknown} uid @param {() => number} random @returns {number} */
function numberUid(uid, random) {
  if (!uid) return 1 + Math.floor(random() * MAX_RANDOM_UID);
  const number = uint32(typeof uid === 'number' ? uid : Number.parseInt(String(uid), 10));
  if (number === null) throw badArgument('Invalid uid: a whole number from 1 to 2^32 - 1');
  return number;
}

/**
 * @param {unknown} uid of somebody else
 * @param {boolean} strings uids are strings
 * @returns {number | string}
 */
export function remoteUid(uid, strings) {
  const known = strings && typeof uid === 'string' && uid.trim() !== '' ? uid : uint32(uid);
  if (known === null) throw badArgument('Invalid uid type');
  return strings ? String(known) : known;
}

/**
 * @param {unknown} target
 * @returns {Kind[]}
 */
export function kinds(target) {
  if (target === 'all') return ['audio', 'video'];
  if (target === 'audio' || target === 'video') return [target];
  throw badArgument('Invalid target: audio, video or all');
}

/**
 * @param {unknown} options of `subscribe`
 * @returns {Record<Kind, boolean>}
 */
export function wantedKinds(options) {
  const { audio = true, video = true } = /** @type {{ audio?: unknown, video?: unknown }} */ (options ?? {});
  const wanted = { audio: audio === true, video: video === true };
  if (!wanted.audio && !wanted.video) throw badArgument('Invalid options: neither audio nor video');
  return wanted;
}
