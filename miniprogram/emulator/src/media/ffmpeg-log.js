/**
 * What ffmpeg's log lines say about a connection. They hold the address with its query, so none of them is passed on.
 */
import { FAILURE } from './codes.js';

/** @typedef {{ step: 'connected' | 'open' } | { failure: number }} LogEvent */

/** @type {readonly (readonly [RegExp, number])[]} */
const FAILURES = [
  [/Failed to resolve hostname/, FAILURE.NAME],
  [/Connection attempt to .* failed|Cannot open connection|Connection to tcp:\S+ failed/, FAILURE.CONNECT],
  [/Cannot read RTMP handshake|RTMP handshake|response does not match|Type answer (?!3\b)/, FAILURE.HANDSHAKE],
  [/Server error: |Server returned [45]/, FAILURE.REFUSED],
];

/** @type {Readonly<Record<'rtmp' | 'http', RegExp>>} */
const CONNECTED = { rtmp: /Releasing stream|Creating stream/, http: /Successfully connected to/ };

/**
 * @param {string} line
 * @param {'rtmp' | 'http'} protocol
 * @returns {LogEvent | null}
 */
export function readLine(line, protocol) {
  if (/^(?:Output|Input) #0, data, (?:to|from) '(?!pipe:)/.test(line)) return { step: 'open' };
  if (CONNECTED[protocol].test(line)) return { step: 'connected' };
  const found = FAILURES.find(([pattern]) => pattern.test(line));
  return found ? { failure: found[1] } : null;
}

/**
 * The reason that a server gave for a refusal, without addresses.
 * @param {string} line
 * @returns {string | null}
 */
export function refusal(line) {
  const text = /Server error: (.*)$/.exec(line)?.[1];
  return text ? text.replace(/\S*[?]\S*/g, '…') : null;
}

/**
 * An address as it may be shown: without its query.
 * @param {string} url
 */
export function shown(url) {
  return url.replace(/[?#].*$/s, '');
}
