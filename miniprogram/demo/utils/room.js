/** What a call needs to be told, and the links that tell it. Pure. */

/**
 * @typedef {object} Call
 * @property {string} server
 * @property {string} app
 * @property {string} room
 * @property {string} uid
 * @property {'host' | 'audience'} role
 * @property {boolean} video with pictures of one's own, or by voice alone
 */

/** Names have 1 to 128 bytes, without white space, control characters and these. */
const MAX_BYTES = 128;
// eslint-disable-next-line no-control-regex -- the server refuses them
const FORBIDDEN = /[\s\u0000-\u001f\u007f/\\?#%~"<]/;
/** Whole numbers that JavaScript and the server agree on. */
const NUMBER = /^(0|[1-9]\d{0,14})$/;

/** @param {string} text @returns {boolean} whether it may be an app, room or uid */
function isName(text) {
  return text !== '' && !FORBIDDEN.test(text) && bytesOf(text) <= MAX_BYTES;
}

/** @param {string} text @returns {number} in UTF-8 */
function bytesOf(text) {
  return [...text].reduce((sum, letter) => {
    const code = letter.codePointAt(0) ?? 0;
    return sum + (code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
  }, 0);
}

/** @param {string} text @returns {boolean} whether it may be a server's address */
function isServer(text) {
  return /^(https?|wss?):\/\/[^\s/?#]+(\/\S*)?$/.test(text);
}

/**
 * @param {Call} call
 * @returns {'server' | 'app' | 'room' | 'uid' | null} the first field that cannot be right
 */
function wrongField({ server, app, room, uid }) {
  if (!isServer(server)) return 'server';
  if (!isName(app)) return 'app';
  if (!isName(room)) return 'room';
  return isName(uid) ? null : 'uid';
}

/** @param {string} uid @returns {string | number} numbers are sent as numbers, as other clients expect them */
function uidOf(uid) {
  return NUMBER.test(uid) ? Number(uid) : uid;
}

/** @param {number} random in [0, 1) @returns {string} such as `phone-4821` */
function newUid(random) {
  return `phone-${1000 + Math.floor(random * 9000)}`;
}

/** @param {Record<string, string | number>} fields @returns {string} */
function query(fields) {
  return Object.keys(fields).map((name) => `${name}=${encodeURIComponent(fields[name])}`).join('&');
}

/** @param {Call} call @returns {string} the page of the call */
function callPath({ server, app, room, uid, role, video }) {
  return `/pages/call/call?${query({ server, app, room, uid, role, video: video ? 1 : 0 })}`;
}

/** @param {Call} call @returns {string} what a share message opens: without a uid, which is to be the other's own */
function invitePath({ server, app, room }) {
  return `/pages/index/index?${query({ server, app, room })}`;
}

/**
 * Reads what the two above have written.
 *
 * @param {Record<string, string | undefined>} options of a page's `onLoad`
 * @returns {Partial<Call>} what it names
 */
function readOptions(options) {
  /** @type {Partial<Call>} */
  const call = {};
  for (const name of /** @type {const} */ (['server', 'app', 'room', 'uid'])) {
    const value = decode(options[name]).trim();
    if (value !== '') call[name] = value;
  }
  if (options.role === 'host' || options.role === 'audience') call.role = options.role;
  if (options.video !== undefined) call.video = options.video === '1';
  return call;
}

/** @param {string | undefined} text pages get their options encoded as they were @returns {string} */
function decode(text) {
  try {
    return decodeURIComponent(text || '');
  } catch {
    return text || '';
  }
}

module.exports = { wrongField, uidOf, newUid, callPath, invitePath, readOptions };
