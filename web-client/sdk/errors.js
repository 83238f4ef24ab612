import { RtcError } from '../core/errors.js';

export { RtcError };

/**
 * Failures of the browser's side, as `reason` of an RtcError: `h264_unsupported`, `insecure_context` (cameras need
 * HTTPS or localhost), `device_denied`, `device_missing`, `device_busy`, `device_failed`, `no_shared_audio`,
 * `no_media` (the server promised media that did not come), `bad_offer` (the browser cannot answer it),
 * `track_closed`, `track_taken` (another one is published as the same), `webrtc_unsupported`.
 *
 * @typedef {'h264_unsupported' | 'insecure_context' | 'device_denied' | 'device_missing' | 'device_busy'
 *   | 'device_failed' | 'no_shared_audio' | 'no_media' | 'bad_offer' | 'track_closed' | 'track_taken'
 *   | 'webrtc_unsupported'} SdkReason
 */

/**
 * @param {import('../core/errors.js').ErrorCode} code
 * @param {SdkReason | import('../core/errors.js').LocalReason | 'no_such_participant' | 'no_such_stream'} reason
 * @param {string} message
 * @param {import('../core/errors.js').ErrorData} [data]
 */
export function sdkError(code, reason, message, data) {
  return new RtcError(code, reason, message, data);
}

/**
 * @param {string} field
 * @param {string} message
 */
export function invalid(field, message) {
  return sdkError('INVALID_PARAMS', 'invalid_params', message, { field });
}

/** @type {Readonly<Record<string, [import('../core/errors.js').ErrorCode, SdkReason]>>} */
const DEVICE_ERRORS = {
  NotAllowedError: ['PERMISSION_DENIED', 'device_denied'],
  SecurityError: ['PERMISSION_DENIED', 'device_denied'],
  NotFoundError: ['DEVICE_NOT_FOUND', 'device_missing'],
  OverconstrainedError: ['CONSTRAINT_NOT_SATISFIED', 'device_missing'],
  NotReadableError: ['NOT_READABLE', 'device_busy'],
  AbortError: ['NOT_READABLE', 'device_busy'],
};

/**
 * What the browser said when it could not open a device.
 *
 * @param {unknown} cause
 */
export function deviceError(cause) {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  const [code, reason] = DEVICE_ERRORS[name] ?? ['UNEXPECTED_ERROR', 'device_failed'];
  return sdkError(code, reason, message === '' ? name : message);
}
