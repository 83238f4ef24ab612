/**
 * Failures with a code, so that a caller can decide and a page can say it in words.
 *
 * A code comes from the server (kept verbatim: `unknown_app`, `token_expired`, ...) or from the list below.
 *
 * @typedef {'unreachable' | 'timeout' | 'no_media_path' | 'bad_answer' | 'http_error' | 'no_h264'
 *   | 'no_webrtc' | 'stopped'} LocalCode
 */

/** A session that could not be set up, or that ended. */
export class SessionError extends Error {
  /**
   * @param {LocalCode | (string & {})} code
   * @param {string} message English, for logs and as the fallback where a page has no words for the code
   * @param {{ status?: number, retryAfterMs?: number | null, cause?: unknown }} [details]
   */
  constructor(code, message, { status = 0, retryAfterMs = null, cause } = {}) {
    super(message, { cause });
    this.name = 'SessionError';
    this.code = code;
    /** HTTP status, or 0 when there was no HTTP answer. */
    this.status = status;
    /** What the server asked for in `Retry-After`, or null. */
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed later without anybody changing anything. */
  get transient() {
    if (this.status >= 500 || this.status === 429) return true;
    return this.code === 'unreachable' || this.code === 'timeout' || this.code === 'no_media_path';
  }
}

/**
 * Reads the server's refusal: `{"error":{"code":"...","message":"..."}}`, or any other body.
 *
 * @param {{ status: number, body: string, retryAfterMs: number | null }} refusal
 * @returns {SessionError}
 */
export function errorFromRefusal({ status, body, retryAfterMs }) {
  const { code, message } = parseBody(body);
  return new SessionError(code ?? 'http_error', message ?? `the server answered ${status}`, { status, retryAfterMs });
}

/**
 * @param {string} body
 * @returns {{ code?: string, message?: string }}
 */
function parseBody(body) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    return {};
  }
  const error = field(value, 'error');
  const code = field(error, 'code');
  const message = field(error, 'message');
  return {
    code: typeof code === 'string' && code !== '' ? code : undefined,
    message: typeof message === 'string' && message !== '' ? message : undefined,
  };
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {unknown}
 */
function field(value, name) {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/**
 * @param {unknown} cause
 * @returns {SessionError}
 */
export function asSessionError(cause) {
  if (cause instanceof SessionError) return cause;
  const name = cause instanceof Error ? cause.name : 'Error';
  const message = cause instanceof Error ? cause.message : String(cause);
  if (name === 'TimeoutError') return new SessionError('timeout', 'the server did not answer in time', { cause });
  // fetch() reports every failure below HTTP as a TypeError.
  if (name === 'TypeError') return new SessionError('unreachable', message, { cause });
  return new SessionError(name, message, { cause });
}
