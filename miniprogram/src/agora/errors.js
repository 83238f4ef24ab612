import { RtcError } from '../../../web-client/core/errors.js';

/** What a page's request can go wrong with that no server says. */
const DISCONNECTED = 'Disconnected from server';

/**
 * The codes, and what makes them: the server's word for it, or the core's. What is in none of these lists was a bad
 * request.
 *
 * @type {[code: number, reasons: string][]}
 */
const CODES = [
  [429, 'rate_limited too_many_requests too_many_subscriptions too_many_tickets'],
  [432, 'no_such_participant no_such_stream no_such_track'],
  [434, 'not_host role_not_allowed'],
  [500, 'internal bad_response'],
  [501, 'media_lost'],
  [502, 'too_many_rooms room_full too_many_sessions too_many_streams too_many_players'],
  [901, 'missing_token token_too_large malformed_token wrong_algorithm bad_signature token_expired token_not_yet_valid'],
  [901, 'wrong_app wrong_room wrong_uid banned'],
  [903, 'timed_out'],
  [904, 'not_connected left outcome_unknown session_lost resume_impossible not_joined unreachable'],
];
const BAD_REQUEST = 401;

/** @type {ReadonlyMap<string, number>} */
const CODE_OF = new Map(CODES.flatMap(([code, reasons]) => reasons.split(' ').map((reason) => [reason, code])));

/** Everything that this SDK rejects with and gives to `onFailure`: `code` and `reason` are always there. */
export class AgoraError extends Error {
  /**
   * @param {number} code of the vendor's table
   * @param {string} reason the server's word for it, or a sentence
   * @param {string} [message]
   */
  constructor(code, reason, message = reason) {
    super(message);
    this.name = 'AgoraError';
    this.code = code;
    this.reason = reason;
  }
}

/** An argument that cannot be. @param {string} message @param {number} [code] */
export function badArgument(message, code = BAD_REQUEST) {
  return new AgoraError(code, message);
}

/** A call that needs a channel, without one. */
export function disconnected() {
  return new AgoraError(904, DISCONNECTED);
}

/** What the vendor has and this server has not. @param {string} what */
export function notSupported(what) {
  return new AgoraError(BAD_REQUEST, 'not_supported', `${what} is not supported by this server`);
}

/**
 * @param {unknown} cause of the core
 * @returns {AgoraError}
 */
export function agoraError(cause) {
  if (cause instanceof AgoraError) return cause;
  if (!(cause instanceof RtcError)) return new AgoraError(500, cause instanceof Error ? cause.message : String(cause));
  // The vendor's own words for an app that the server does not have.
  if (cause.reason === 'unknown_app') return new AgoraError(BAD_REQUEST, 'invalid vendor key', cause.message);
  return new AgoraError(CODE_OF.get(cause.reason) ?? BAD_REQUEST, cause.reason, cause.message);
}
