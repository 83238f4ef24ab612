import { RtcError } from '../../../web-client/core/errors.js';

/** The vendor's numbers for what can go wrong here. */
export const Code = Object.freeze({
  ok: 0,
  notLoggedIn: 1000002,
  streamIDTooLong: 1000014,
  streamIDEmpty: 1000015,
  streamIDCharacters: 1000016,
  appIDInvalid: 1001004,
  tooManyRooms: 1002001,
  userIDEmpty: 1002005,
  userIDCharacters: 1002006,
  userIDTooLong: 1002007,
  userNameEmpty: 1002008,
  userNameTooLong: 1002010,
  roomIDEmpty: 1002011,
  roomIDCharacters: 1002012,
  roomIDTooLong: 1002013,
  roomDoesNotExist: 1002014,
  tooManyExtraInfoKeys: 1002017,
  anotherUserID: 1002018,
  loginTimeout: 1002031,
  roomFull: 1002034,
  multiRoomOff: 1002036,
  loggedInElsewhere: 1002050,
  networkRecovery: 1002051,
  networkBroken: 1002053,
  kicked: 1002055,
  alreadyLoggedIn: 1002058,
  denied: 1002066,
  noPublishPrivilege: 1002082,
  roomInternal: 1002099,
  badParameter: 1100001,
  timeout: 1100002,
  socketClosed: 1100003,
  loginInProgress: 1102012,
  tokenError: 1102016,
  dispatchError: 1102017,
  tokenExpired: 1102018,
  publishRetryTimeout: 1103051,
  publishStreamNotFound: 1103055,
  alreadyPublishing: 1103056,
  publishCancelled: 1103089,
  playRetryTimeout: 1104031,
  alreadyPlaying: 1104032,
  playStreamNotFound: 1104039,
  playCancelled: 1104042,
});

/**
 * What a promise of this shape rejects with. It has the names of both of the vendor's shapes, `{errorCode, extendedData}`
 * and `{code, msg}`, and a stack.
 */
export class ZegoError extends Error {
  /**
   * @param {number} errorCode
   * @param {string} extendedData English, for logs
   */
  constructor(errorCode, extendedData) {
    super(`${errorCode}: ${extendedData}`);
    this.name = 'ZegoError';
    this.errorCode = errorCode;
    this.extendedData = extendedData;
    this.code = errorCode;
    this.msg = extendedData;
  }
}

/** What each reason of the core or the server is to the vendor. */
const REASONS = new Map(
  /** @type {[number, string][]} */ ([
    [Code.appIDInvalid, 'unknown_app invalid_app'],
    [Code.tokenError, 'missing_token token_too_large malformed_token wrong_algorithm bad_signature token_not_yet_valid'],
    [Code.tokenError, 'wrong_app wrong_room wrong_uid role_not_allowed'],
    [Code.tokenExpired, 'token_expired'],
    [Code.roomIDCharacters, 'invalid_room'],
    [Code.userIDCharacters, 'invalid_uid'],
    [Code.roomFull, 'room_full'],
    [Code.denied, 'banned'],
    [Code.kicked, 'kicked room_closed'],
    [Code.loggedInElsewhere, 'replaced'],
    [Code.notLoggedIn, 'not_connected not_joined left'],
    [Code.noPublishPrivilege, 'not_host'],
    [Code.alreadyPublishing, 'stream_in_use'],
    [Code.publishStreamNotFound, 'not_published'],
    [Code.playStreamNotFound, 'no_such_stream no_such_participant'],
    [Code.tooManyExtraInfoKeys, 'too_many_attributes'],
    [Code.badParameter, 'invalid_params invalid_field missing_field content_too_large attribute_key_size attribute_too_large'],
    [Code.badParameter, 'message_too_large too_many_subscriptions'],
    [Code.timeout, 'timed_out'],
    [Code.socketClosed, 'outcome_unknown session_lost'],
    [Code.networkBroken, 'unreachable'],
  ]).flatMap(([code, reasons]) => reasons.split(' ').map((reason) => /** @type {const} */ ([reason, code]))),
);

/**
 * @param {unknown} cause
 * @returns {ZegoError} what is not known is an internal error of the room
 */
export function errorOf(cause) {
  if (cause instanceof ZegoError) return cause;
  if (!(cause instanceof RtcError)) return new ZegoError(Code.roomInternal, String(cause));
  return new ZegoError(REASONS.get(cause.reason) ?? Code.roomInternal, `${cause.reason}: ${cause.message}`);
}

/**
 * @param {unknown} cause of a login that failed
 * @returns {ZegoError}
 */
export function loginErrorOf(cause) {
  if (cause instanceof RtcError && cause.reason === 'timed_out') return new ZegoError(Code.loginTimeout, cause.message);
  if (cause instanceof RtcError && cause.reason === 'invalid_params' && cause.data.field === 'server') {
    return new ZegoError(Code.dispatchError, cause.message);
  }
  return errorOf(cause);
}

/**
 * @param {Promise<unknown>} work
 * @returns {Promise<{ errorCode: number, extendedData?: string }>} never rejects, as the vendor's requests
 */
export function responseOf(work) {
  return work.then(
    () => ({ errorCode: Code.ok }),
    (cause) => {
      const { errorCode, extendedData } = errorOf(cause);
      return { errorCode, extendedData };
    },
  );
}
