import { errorKey } from './i18n/index.js';
import { say } from './say.js';

/**
 * What went wrong, for the page to say.
 *
 * @typedef {object} Failure
 * @property {string} reason which the page may have words for
 * @property {string} message English, for where it has none
 * @property {'camera' | 'microphone' | 'screen'} [device] the one that is meant
 */

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {string}
 */
function textOf(value, name) {
  const found = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === 'string' ? found : '';
}

/**
 * @param {unknown} cause
 * @param {Failure['device']} [device]
 * @returns {Failure}
 */
export function failureOf(cause, device) {
  const failure = { reason: textOf(cause, 'reason'), message: textOf(cause, 'message') || String(cause) };
  return device ? { ...failure, device } : failure;
}

/** @param {Failure} failure */
export function inWords({ reason, message, device }) {
  const key = errorKey(reason);
  const words = key ? say(key) : say('error.other', { message });
  return device ? say(`error.${device}`, { reason: words }) : words;
}
