import { translate } from './i18n/index.js';

/** @typedef {import('./i18n/index.js').Key} Key */
/** @typedef {import('./i18n/index.js').Language} Language */
/** @typedef {Readonly<Record<string, string | number>>} Parameters */

/**
 * What elements say, so that another language can be put on everything at once. `text` is the content, the others are
 * attributes.
 *
 * @type {WeakMap<Element, Map<Slot, { key: Key, parameters: Parameters }>>}
 */
const spoken = new WeakMap();
/** @typedef {'text' | 'aria-label' | 'title' | 'placeholder' | 'alt'} Slot */

const MARK = 'data-say';
/** @type {Language} */
let language = 'en';
/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {Language} */
export const currentLanguage = () => language;

/**
 * @param {Key} key
 * @param {Parameters} [parameters]
 * @returns {string}
 */
export function say(key, parameters) {
  return translate(language, key, parameters);
}

/**
 * Makes an element say something, in whatever language the page has from now on.
 *
 * @param {Element} element
 * @param {Key} key
 * @param {Parameters} [parameters]
 * @param {Slot} [slot]
 */
export function put(element, key, parameters = {}, slot = 'text') {
  const slots = spoken.get(element) ?? new Map();
  slots.set(slot, { key, parameters });
  spoken.set(element, slots);
  element.setAttribute(MARK, '');
  write(element, slot, say(key, parameters));
}

/**
 * @param {Element} element
 * @param {Slot} slot
 * @param {string} text
 */
function write(element, slot, text) {
  // Only what changed: screen readers read live regions out at every write.
  if (slot === 'text') {
    if (element.textContent !== text) element.textContent = text;
  } else if (element.getAttribute(slot) !== text) {
    element.setAttribute(slot, text);
  }
}

/**
 * Rewrites the whole document.
 *
 * @param {Language} next
 */
export function setLanguage(next) {
  language = next;
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll(`[${MARK}]`)) {
    for (const [slot, { key, parameters }] of spoken.get(element) ?? []) write(element, slot, say(key, parameters));
  }
  for (const listener of listeners) listener();
}

/**
 * For texts that are put together from several.
 *
 * @param {() => void} listener
 */
export function onLanguage(listener) {
  listeners.add(listener);
}

/**
 * A number as people of this language write it.
 *
 * @param {number} value
 * @param {number} [decimals]
 */
export function number(value, decimals = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/**
 * The time of day.
 *
 * @param {Date} date
 * @param {boolean} [seconds]
 */
export function clock(date, seconds = false) {
  return date.toLocaleTimeString(language, {
    hour: '2-digit',
    minute: '2-digit',
    ...(seconds ? { second: '2-digit' } : {}),
    hour12: false,
  });
}
