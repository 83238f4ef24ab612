/** The messages of docs/signalling.md: what they look like, and to and from their text. */

import {
  either, fields, flag, list, Misfit, nullable, number, oneOf, optional, record, text, whole,
} from './check.js';
import { localError } from './errors.js';

/** The version of the protocol that the core speaks. */
export const VERSION = 1;
/** No message of a server within its limits is longer; a longer one is not even parsed. */
const MAX_INCOMING_CHARACTERS = 4 * 1024 * 1024;
const MAX_SDP_BYTES = 192 * 1024;
const MAX_CONTENT_BYTES = 8192;
/** Padded base64 of MAX_CONTENT_BYTES. */
const MAX_BASE64_BYTES = Math.ceil(MAX_CONTENT_BYTES / 3) * 4;
const MAX_SEI_BYTES = 2048;
const MAX_SEI_BASE64_BYTES = Math.ceil(MAX_SEI_BYTES / 3) * 4;
const MAX_STATS = 64;
const MAX_STREAM_ATTRIBUTES = 8;

const anyText = text();
const streamName = oneOf('camera', 'screen');
/** What can be received: the server makes the last two of what the others publish. */
const receivedName = oneOf('camera', 'screen', 'mix', 'speaker');
const kind = oneOf('audio', 'video');
const role = oneOf('host', 'audience');
const trackState = oneOf('absent', 'live', 'muted', 'blocked');
/** The sizes in which pictures are sent at once, from the smallest. */
const layer = oneOf('l', 'm', 'h');
const quality = whole(0, 6);
const nothing = fields({});
/** The server has looked at it; here it only has to be one. */
const uid = either(text(), whole());

/** @type {import('./check.js').Check<string>} */
function identifier(value) {
  const name = text(128, 1)(value);
  if (/[\s\p{Cc}/\\?#%~"<]/u.test(name)) throw new Misfit('no white space, control characters or / \\ ? # % ~ " <');
  return name;
}

const ownUid = either(whole(), identifier);
const attributeKey = text(64, 1);
const attributeValue = nullable(text(1024));
const token = text(4096);

const participant = fields({
  uid,
  // Words that a later version may add to.
  platform: anyText,
  role,
  state: oneOf('connected', 'reconnecting'),
  streams: list(fields({ stream: streamName, audio: trackState, video: trackState, attributes: optional(record(anyText)) })),
});

const mids = record(fields({ uid, stream: streamName, kind }));
const publishedStream = { uid, stream: streamName, audio: trackState, video: trackState, attributes: optional(record(anyText)) };

const requests = {
  join: fields({
    version: oneOf(VERSION),
    app: identifier,
    room: identifier,
    uid: ownUid,
    token: optional(token),
    role: optional(role),
    platform: oneOf('web', 'native', 'miniprogram', 'encoder'),
    capabilities: optional(list(text(32), 16)),
  }),
  resume: fields({ session: anyText, last_seq: whole() }),
  leave: nothing,
  ping: nothing,
  publish: fields({
    stream: streamName,
    audio: flag,
    video: flag,
    layers: optional(whole(1, 3)),
    attributes: optional(record(text(1024), MAX_STREAM_ATTRIBUTES)),
  }),
  unpublish: fields({ stream: streamName }),
  subscribe: fields({ uid: ownUid, stream: receivedName, audio: optional(flag), video: optional(flag), max_layer: optional(layer) }),
  unsubscribe: fields({ uid: ownUid, stream: receivedName }),
  answer: fields({ revision: whole(1), sdp: text(MAX_SDP_BYTES) }),
  candidate: fields({ candidate: text(1024), mid: optional(anyText) }),
  ice_restart: nothing,
  mute: fields({ uid: optional(ownUid), stream: streamName, kind, muted: flag }),
  stats: fields({
    uplink: optional(quality),
    downlink: optional(quality),
    rtt_ms: optional(number),
    streams: optional(list(
      fields({
        uid: ownUid,
        stream: receivedName,
        kbps: optional(number),
        fps: optional(number),
        loss_permille: optional(number),
        jitter_ms: optional(number),
      }),
      MAX_STATS,
    )),
  }),
  set_role: fields({ role }),
  renew_token: fields({ token }),
  send_message: fields({
    to: optional(ownUid),
    text: optional(text(MAX_CONTENT_BYTES)),
    data: optional(text(MAX_BASE64_BYTES)),
  }),
  send_sei: fields({
    stream: streamName,
    sei_type: optional(oneOf(5, 242)),
    text: optional(text(MAX_SEI_BYTES)),
    data: optional(text(MAX_SEI_BASE64_BYTES)),
  }),
  set_room_attribute: fields({ key: attributeKey, value: attributeValue }),
  set_stream_attribute: fields({ stream: streamName, key: attributeKey, value: attributeValue }),
  kick: fields({ uid: ownUid, message: optional(text(256)) }),
  ban: fields({ uid: ownUid, seconds: whole(0), message: optional(text(256)) }),
  close_room: nothing,
};

const responses = {
  join: fields({
    version: whole(1),
    session: anyText,
    uid,
    role,
    admin: flag,
    participants: list(participant),
    attributes: record(anyText),
    heartbeat_seconds: whole(1, 3600),
    grace_seconds: whole(),
    token_expires: optional(whole()),
  }),
  resume: fields({ missed: whole() }),
  leave: nothing,
  ping: fields({ time: whole() }),
  publish: fields({ stream: streamName, rtmp: optional(anyText) }),
  unpublish: nothing,
  subscribe: fields({ uid, stream: receivedName, rtmp: optional(anyText), flv: optional(anyText) }),
  unsubscribe: nothing,
  answer: nothing,
  candidate: nothing,
  ice_restart: nothing,
  mute: fields({ state: trackState }),
  stats: nothing,
  set_role: fields({ role }),
  renew_token: fields({ token_expires: optional(whole()), role }),
  send_message: fields({ message_id: whole() }),
  send_sei: nothing,
  set_room_attribute: nothing,
  set_stream_attribute: nothing,
  kick: nothing,
  ban: nothing,
  close_room: nothing,
};

const events = {
  participant_joined: fields({ participant }),
  participant_left: fields({ uid, reason: anyText }),
  participant_reconnecting: fields({ uid }),
  participant_reconnected: fields({ uid }),
  stream_published: fields(publishedStream),
  stream_changed: fields(publishedStream),
  stream_unpublished: fields({ uid, stream: streamName }),
  muted: fields({ uid, stream: streamName, kind, state: trackState, by: optional(uid) }),
  role_changed: fields({ uid, role }),
  message: fields({
    message_id: whole(),
    from: uid,
    private: flag,
    at: whole(),
    text: optional(anyText),
    data: optional(anyText),
  }),
  room_attribute: fields({ key: anyText, value: nullable(anyText), by: optional(uid), at: optional(whole()) }),
  stream_attribute: fields({ uid, stream: streamName, key: anyText, value: nullable(anyText) }),
  token_expiring: fields({ seconds: whole() }),
  session_ended: fields({ reason: anyText, message: optional(anyText), seconds: optional(whole()) }),
  offer: fields({ revision: whole(1), sdp: anyText, mids }),
  speaker: fields({ uid }),
  layers_wanted: fields({ stream: streamName, layers: list(layer) }),
  network_quality: fields({ participants: list(fields({ uid, uplink: quality, downlink: quality })) }),
  publish_limits: fields({ stream: streamName, max_kbps: nullable(whole()), short_side: optional(whole()) }),
  sei: fields({
    uid,
    stream: streamName,
    sei_type: whole(),
    uuid: optional(anyText),
    text: optional(anyText),
    data: optional(anyText),
  }),
};

const refusal = fields({
  code: anyText,
  message: anyText,
  field: optional(anyText),
  limit: optional(number),
  retry_after_ms: optional(number),
});

/**
 * Whether a participant publishes it: otherwise the server makes it.
 *
 * @param {ReceivedName} stream
 * @returns {stream is StreamName}
 */
export function isPublished(stream) {
  return stream === 'camera' || stream === 'screen';
}

/**
 * @template C
 * @typedef {import('./check.js').Value<C>} Value
 */

/** @typedef {string | number} Uid `42` and `"42"` are the same */
/** @typedef {Value<typeof streamName>} StreamName */
/** @typedef {Value<typeof receivedName>} ReceivedName */
/** @typedef {Value<typeof kind>} Kind */
/** @typedef {Value<typeof role>} Role */
/** @typedef {Value<typeof trackState>} TrackState */
/** @typedef {Value<typeof layer>} Layer */
/** @typedef {Value<typeof participant>} Participant */
/** @typedef {Value<typeof mids>} Mids what each section of the PeerConnection carries */
/** @typedef {Value<typeof refusal>} Refusal */

/** @typedef {keyof typeof requests} RequestType */
/**
 * @template {RequestType} T
 * @typedef {Value<typeof requests[T]>} Request the fields of a request
 */
/**
 * @template {RequestType} T
 * @typedef {Value<typeof responses[T]>} Response
 */
/** @typedef {keyof typeof events} EventName */
/**
 * @template {EventName} [N=EventName]
 * @typedef {{ [K in N]: { event: K } & Value<typeof events[K]> }[N]} Event
 */

/**
 * A message of the server. `unknown` is an event that a later version has added, `malformed` anything that is not of
 * this protocol; `seq` is known if at least that could be read.
 *
 * @typedef {{ type: 'response', id: number, ok: unknown }
 *   | { type: 'refusal', id: number | null, error: Refusal }
 *   | { type: 'event', seq: number, event: Event }
 *   | { type: 'unknown', seq: number, name: string }
 *   | { type: 'malformed', seq: number | null, why: string }} Incoming
 */

const responseHead = fields({ id: whole() });
const refusalHead = fields({ id: nullable(whole()), error: refusal });
const eventHead = fields({ seq: whole(1), event: anyText });

/**
 * @template {RequestType} T
 * @param {number} id
 * @param {T} type
 * @param {Request<T>} request
 * @returns {string}
 * @throws {import('./errors.js').RtcError} INVALID_PARAMS, where the server would refuse it anyway
 */
export function encode(id, type, request) {
  try {
    return JSON.stringify({ id, type, .../** @type {object} */ (requests[type](request)) });
  } catch (cause) {
    throw invalid(cause);
  }
}

/**
 * What `ok` of a response says. Throws a Misfit if it is not the response to such a request.
 *
 * @template {RequestType} T
 * @param {T} type
 * @param {unknown} ok
 * @returns {Response<T>}
 */
export function readResponse(type, ok) {
  return /** @type {Response<T>} */ (responses[type](ok));
}

/**
 * Never throws.
 *
 * @param {unknown} data what the socket delivered
 * @returns {Incoming}
 */
export function decode(data) {
  if (typeof data !== 'string' || data.length > MAX_INCOMING_CHARACTERS) {
    return { type: 'malformed', seq: null, why: 'not a text, or too long a one' };
  }
  /** @type {number | null} */
  let seq = null;
  try {
    /** @type {unknown} */
    const message = JSON.parse(data);
    if (has(message, 'event')) {
      const head = eventHead(message);
      seq = head.seq;
      return readEvent(head.seq, head.event, message);
    }
    if (has(message, 'error')) return { type: 'refusal', ...refusalHead(message) };
    if (has(message, 'ok')) return { type: 'response', id: responseHead(message).id, ok: Reflect.get(message, 'ok') };
    return { type: 'malformed', seq, why: 'neither response nor event' };
  } catch (cause) {
    return { type: 'malformed', seq, why: cause instanceof Error ? cause.message : String(cause) };
  }
}

/**
 * @param {number} seq
 * @param {string} name
 * @param {object} message
 * @returns {Incoming}
 */
function readEvent(seq, name, message) {
  const found = Object.entries(events).find(([known]) => known === name);
  if (found === undefined) return { type: 'unknown', seq, name };
  const event = /** @type {Event} */ ({ event: name, .../** @type {object} */ (found[1](message)) });
  return { type: 'event', seq, event };
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {value is object}
 */
function has(value, name) {
  return typeof value === 'object' && value !== null && Reflect.get(value, name) !== undefined;
}

/** @param {unknown} cause */
function invalid(cause) {
  if (!(cause instanceof Misfit)) return cause;
  return localError('invalid_params', cause.message, { field: cause.field });
}
