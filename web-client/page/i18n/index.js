import { en } from './en.js';
import { zh } from './zh.js';

/** @typedef {keyof typeof en} Key */
/** @typedef {'en' | 'zh'} Language */

/** @type {Readonly<Record<Language, Readonly<Record<Key, string>>>>} */
export const dictionaries = { en, zh };

/**
 * The first language that a person prefers and the page has, else English.
 *
 * @param {readonly string[]} preferred as in `navigator.languages`
 * @returns {Language}
 */
export function pickLanguage(preferred) {
  for (const tag of preferred) {
    const [language = ''] = tag.toLowerCase().split('-');
    if (isLanguage(language)) return language;
  }
  return 'en';
}

/**
 * @param {string} text
 * @returns {text is Language}
 */
export function isLanguage(text) {
  return Object.hasOwn(dictionaries, text);
}

/**
 * @param {string} text
 * @returns {text is Key}
 */
export function isKey(text) {
  return Object.hasOwn(en, text);
}

/**
 * `{name}` in a text stands for a parameter.
 *
 * @param {Language} language
 * @param {Key} key
 * @param {Readonly<Record<string, string | number>>} [parameters]
 * @returns {string}
 */
export function translate(language, key, parameters = {}) {
  return dictionaries[language][key].replace(/\{(\w+)\}/g, (whole, name) => String(parameters[name] ?? whole));
}

/**
 * The words for a failure, if the page has any.
 *
 * @param {string} reason
 * @returns {Key | null}
 */
export function errorKey(reason) {
  const key = `error.${reason}`;
  return isKey(key) ? key : null;
}
