import { RtcError } from '../../../web-client/core/errors.js';

/**
 * Volcengine's codes, misspelt ones under both spellings. `NOT_SUPPORTED` and `MESSAGE_FAILED` are Queqiao's own, for what
 * Volcengine has no code for.
 */
export const ERROR_CODES = Object.freeze({
  INVALID_PARAMS: 100001,
  NOT_IN_ROOM: 100002,
  ALREADY_IN_ROOM: 100003,
  CONNECTING: 100004,
  ALREADY_PUBLISHED: 100005,
  NOT_PUBLISHED: 100006,
  UID_NOT_FOUND: 100007,
  HAS_INITED: 100008,
  NOT_LOGIN: 100009,
  NO_SERVER_PARAM: 100010,
  STREAM_ID_NOT_FOUND: 200001,
  GET_CONFIG_ERROR: 200002,
  NO_WEBSOCLET_URL: 200003,
  NO_WEBSOCKET_URL: 200003,
  LOGIN_FAILED: 200004,
  SUBSCRIBE_FAILED: 300001,
  UNSUBSCRIBE_FAILED: 300002,
  MUTE_LOCAL_ERRO: 300003,
  MUTE_LOCAL_ERROR: 300003,
  MUTE_REMOTE_ERROR: 300004,
  LEAVE_ERROR: 300005,
  PUBLISH_ERROR: 300006,
  UNPUBLISH_ERRO: 300007,
  UNPUBLISH_ERROR: 300007,
  JOIN_ROOM_ERROR: 300008,
  SIGNALING_TIMEOUT: 300009,
  WEBSOCKET_NOT_CONNECTED: 300010,
  WEBSOCKET_FAILED: 500001,
  NOT_SUPPORTED: 900001,
  MESSAGE_FAILED: 900002,
});

/** What every call rejects with, and gives to its failure callback. */
export class VolcEngineRTCError extends Error {
  /**
   * @param {number} code one of ERROR_CODES
   * @param {string} reason English, for logs; a refusal of the server begins with its code (docs/signalling.md)
   */
  constructor(code, reason) {
    super(`${code}: ${reason}`);
    this.name = 'VolcEngineRTCError';
    this.code = code;
    this.reason = reason;
  }
}

/** Reasons with a code of their own, whatever was asked. @type {ReadonlyMap<string, number>} */
const CODES = new Map([
  ['not_connected', ERROR_CODES.NOT_IN_ROOM],
  ['left', ERROR_CODES.NOT_IN_ROOM],
  ['timed_out', ERROR_CODES.SIGNALING_TIMEOUT],
  ['unreachable', ERROR_CODES.WEBSOCKET_NOT_CONNECTED],
  ['outcome_unknown', ERROR_CODES.WEBSOCKET_NOT_CONNECTED],
  ['session_lost', ERROR_CODES.WEBSOCKET_NOT_CONNECTED],
  ['no_such_participant', ERROR_CODES.UID_NOT_FOUND],
  ['no_such_stream', ERROR_CODES.STREAM_ID_NOT_FOUND],
  ['not_published', ERROR_CODES.NOT_PUBLISHED],
]);

/**
 * @param {unknown} cause
 * @param {number} fallback the code of the call that failed
 * @param {Readonly<Record<string, number>>} [codes] other codes than usual, by the reason
 * @returns {VolcEngineRTCError}
 */
export function failureOf(cause, fallback, codes = {}) {
  if (cause instanceof VolcEngineRTCError) return cause;
  if (!(cause instanceof RtcError)) return new VolcEngineRTCError(fallback, String(cause));
  const { code, reason, message } = cause;
  const usual = CODES.get(reason) ?? (code === 'INVALID_PARAMS' ? ERROR_CODES.INVALID_PARAMS : fallback);
  return new VolcEngineRTCError(codes[reason] ?? usual, `${reason}: ${message.slice(`${code}: `.length)}`);
}
