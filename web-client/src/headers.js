/** HTTP headers that WHIP and WHEP use: Link (RFC 8288), Location and Retry-After (RFC 9110). */

/** A server that asks for less is asked again no sooner than this. */
const MIN_RETRY_MS = 500;
/** A server that asks for more is asked again after this: a person is waiting in front of the page. */
const MAX_RETRY_MS = 30_000;

/**
 * @typedef {{ target: string, params: Map<string, string> }} Link
 */

/**
 * Parses a Link header field, several links in one line included (RFC 8288 section 3). Parameter names come
 * back in lower case; what cannot be read as a link is left out.
 *
 * @param {string | null} value
 * @returns {Link[]}
 */
export function parseLinks(value) {
  return splitOutside(value ?? '', ',').flatMap((part) => {
    const [first = '', ...rest] = splitOutside(part, ';');
    const target = /^<([^>]*)>$/.exec(first.trim())?.[1];
    if (target === undefined) return [];
    /** @type {Map<string, string>} */
    const params = new Map();
    for (const item of rest) {
      const [name = '', text = ''] = splitFirst(item, '=');
      const key = name.trim().toLowerCase();
      if (key !== '' && !params.has(key)) params.set(key, unquote(text.trim()));
    }
    return [{ target, params }];
  });
}

/**
 * The STUN and TURN servers that a WHIP or WHEP answer names (RFC 9725 section 4.6).
 *
 * @param {string | null} value the Link header field
 * @returns {RTCIceServer[]}
 */
export function iceServers(value) {
  return parseLinks(value)
    .filter(({ target, params }) => params.get('rel') === 'ice-server' && /^(stun|turn)s?:/.test(target))
    .map(({ target, params }) => ({
      urls: target,
      ...(params.has('username') && { username: params.get('username') }),
      ...(params.has('credential') && { credential: params.get('credential') }),
    }));
}

/**
 * The session's own URL: Location, relative to the URL that was posted to. Null when there is none to use.
 *
 * @param {string | null} location
 * @param {string} requestUrl absolute
 * @returns {string | null}
 */
export function resolveLocation(location, requestUrl) {
  if (location === null || location === '' || !URL.canParse(location, requestUrl)) return null;
  const url = new URL(location, requestUrl);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
}

/**
 * Retry-After in milliseconds from now, seconds or a date, kept within bounds that suit a waiting person.
 *
 * @param {string | null} value
 * @param {number} nowMs
 * @returns {number | null}
 */
export function retryAfterMs(value, nowMs) {
  if (value === null || value.trim() === '') return null;
  const text = value.trim();
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  if (Number.isNaN(waitMs)) return null;
  return Math.min(Math.max(waitMs, MIN_RETRY_MS), MAX_RETRY_MS);
}

/**
 * Splits at a separator that stands outside `<...>` and `"..."`.
 *
 * @param {string} text
 * @param {string} separator
 * @returns {string[]}
 */
function splitOutside(text, separator) {
  const parts = [''];
  let quoted = false;
  let bracketed = false;
  let escaped = false;
  for (const char of text) {
    const atSeparator = char === separator && !quoted && !bracketed;
    if (atSeparator) parts.push('');
    else parts[parts.length - 1] += char;
    if (escaped) escaped = false;
    else if (quoted && char === '\\') escaped = true;
    else if (char === '"' && !bracketed) quoted = !quoted;
    else if (char === '<' && !quoted) bracketed = true;
    else if (char === '>' && !quoted) bracketed = false;
  }
  return parts;
}

/**
 * @param {string} text
 * @param {string} separator
 */
function splitFirst(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** @param {string} text */
function unquote(text) {
  if (!text.startsWith('"') || !text.endsWith('"') || text.length < 2) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}
