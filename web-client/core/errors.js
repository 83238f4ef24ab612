/**
 * What went wrong, in the words of Agora's Web SDK. `reason` says more.
 *
 * @typedef {'INVALID_PARAMS' | 'INVALID_OPERATION' | 'OPERATION_ABORTED' | 'UNEXPECTED_RESPONSE' | 'UNEXPECTED_ERROR'
 *   | 'NOT_SUPPORTED' | 'TIMEOUT' | 'NETWORK_ERROR' | 'CAN_NOT_GET_GATEWAY_SERVER' | 'TOKEN_EXPIRE' | 'UID_CONFLICT'
 *   | 'UID_BANNED' | 'CHANNEL_BANNED' | 'INVALID_REMOTE_USER' | 'REMOTE_USER_IS_NOT_PUBLISHED'
 *   | 'INVALID_LOCAL_TRACK' | 'CAN_NOT_PUBLISH_MULTIPLE_VIDEO_TRACKS' | 'CAN_NOT_PUBLISH_MULTIPLE_AUDIO_TRACKS'
 *   | 'PERMISSION_DENIED' | 'DEVICE_NOT_FOUND' | 'NOT_READABLE' | 'CONSTRAINT_NOT_SATISFIED'
 *   | 'SHARE_AUDIO_NOT_ALLOWED' | 'WEB_SECURITY_RESTRICT'} ErrorCode
 */

/**
 * Failures that the server has no code for:
 * `invalid_params`, a parameter that cannot be sent; `not_connected`, not in a room; `in_room`, in one already;
 * `left`, given up by leaving; `timed_out`, no answer; `unreachable`, no connection; `outcome_unknown`, the connection
 * broke before the answer came and asking again might do it twice; `session_lost`, the session that it was for is
 * over; `too_many_requests`, more are waiting than may; `bad_response`, the answer makes no sense.
 *
 * @typedef {'invalid_params' | 'not_connected' | 'in_room' | 'left' | 'timed_out' | 'unreachable' | 'outcome_unknown'
 *   | 'session_lost' | 'too_many_requests' | 'bad_response'} LocalReason
 */

/** @type {Record<LocalReason, ErrorCode>} */
const LOCAL_CODES = {
  invalid_params: 'INVALID_PARAMS',
  not_connected: 'INVALID_OPERATION',
  in_room: 'INVALID_OPERATION',
  left: 'OPERATION_ABORTED',
  timed_out: 'TIMEOUT',
  unreachable: 'NETWORK_ERROR',
  outcome_unknown: 'OPERATION_ABORTED',
  session_lost: 'OPERATION_ABORTED',
  too_many_requests: 'INVALID_OPERATION',
  bad_response: 'UNEXPECTED_RESPONSE',
};

/** The codes of docs/signalling.md; one that is not here is an UNEXPECTED_RESPONSE. */
const SERVER_CODES = new Map(
  /** @type {[ErrorCode, string][]} */ ([
    ['INVALID_PARAMS', 'missing_field invalid_field invalid_app invalid_room invalid_uid message_too_large no_tracks'],
    ['INVALID_PARAMS', 'message_too_deep sdp_too_large candidate_too_large too_many_capabilities too_many_stats'],
    ['INVALID_PARAMS', 'content_too_large attribute_key_size attribute_too_large text_too_large ban_too_long'],
    ['INVALID_OPERATION', 'not_joined already_joined not_admin not_host not_published not_subscribed stream_in_use made_by_server only_by_address'],
    ['INVALID_OPERATION', 'no_such_track bad_sdp too_many_subscriptions too_many_attributes too_many_bans blocked'],
    ['INVALID_OPERATION', 'rate_limited'],
    ['NOT_SUPPORTED', 'unsupported_version unknown_type'],
    ['CAN_NOT_GET_GATEWAY_SERVER', 'unknown_app missing_token token_too_large malformed_token wrong_algorithm'],
    ['CAN_NOT_GET_GATEWAY_SERVER', 'bad_signature token_not_yet_valid wrong_app wrong_room wrong_uid'],
    ['CAN_NOT_GET_GATEWAY_SERVER', 'role_not_allowed too_many_rooms room_full'],
    ['TOKEN_EXPIRE', 'token_expired'],
    ['UID_BANNED', 'banned kicked'],
    ['UID_CONFLICT', 'replaced'],
    ['CHANNEL_BANNED', 'room_closed'],
    ['INVALID_REMOTE_USER', 'no_such_participant'],
    ['REMOTE_USER_IS_NOT_PUBLISHED', 'no_such_stream'],
    ['CAN_NOT_GET_GATEWAY_SERVER', 'too_many_sessions too_many_streams too_many_players too_many_tickets'],
    ['OPERATION_ABORTED', 'resume_impossible media_lost stale_revision'],
  ]).flatMap(([code, reasons]) => reasons.split(' ').map((reason) => /** @type {const} */ ([reason, code]))),
);

/**
 * What is known beside the code.
 *
 * @typedef {object} ErrorData
 * @property {string} [field] the one that is meant
 * @property {number} [limit] the bound that was exceeded
 * @property {number} [retryAfterMs] when to ask again
 * @property {string} [message] what an admin said to the one removed
 * @property {number} [seconds] how long a ban lasts
 */

/** The one class of errors that the core throws and rejects with. */
export class RtcError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {LocalReason | (string & {})} reason of the server, kept verbatim, or of the core
   * @param {string} message English, for logs
   * @param {ErrorData} [data]
   */
  constructor(code, reason, message, data = {}) {
    super(`${code}: ${message}`);
    this.name = 'RtcError';
    this.code = code;
    this.reason = reason;
    this.data = data;
  }
}

/**
 * @param {LocalReason} reason
 * @param {string} message
 * @param {ErrorData} [data]
 */
export function localError(reason, message, data) {
  return new RtcError(LOCAL_CODES[reason], reason, message, data);
}

/**
 * @param {string} reason a code of the server's or why it ended the session
 * @returns {ErrorCode}
 */
export function codeOf(reason) {
  return SERVER_CODES.get(reason) ?? 'UNEXPECTED_RESPONSE';
}

/**
 * @param {import('./protocol.js').Refusal} refusal
 * @returns {RtcError}
 */
export function refusalError({ code, message, field, limit, retry_after_ms: retryAfterMs }) {
  /** @type {ErrorData} */
  const data = {};
  if (field !== undefined) data.field = field;
  if (limit !== undefined) data.limit = limit;
  if (retryAfterMs !== undefined) data.retryAfterMs = retryAfterMs;
  return new RtcError(codeOf(code), code, message, data);
}
