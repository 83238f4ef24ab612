import {inside, relativeTo} from './package.js';

/**
 * @param {string} url of a page, such as `../call/call?room=r1`
 * @param {string} [base] path of the page in which it stands
 * @returns {{path: string, query: Record<string, string>}}
 */
export function parsePageUrl(url, base) {
  const {before, after} = cut(url, '?');
  const path = base === undefined ? inside(before) : relativeTo(base, before);
  return {path: path.replace(/\.html$/, ''), query: parseQuery(after)};
}

/**
 * WeChat hands the query's values to a page as they stand, percent signs included.
 *
 * @param {string} text without the question mark
 * @returns {Record<string, string>}
 */
function parseQuery(text) {
  /** @type {Record<string, string>} */
  const query = {};
  for (const part of text.split('&')) {
    if (part === '') continue;
    const {before, after} = cut(part, '=');
    query[before] = after;
  }
  return query;
}

/**
 * @param {string} text
 * @param {string} at
 * @returns {{before: string, after: string}} of its first place
 */
function cut(text, at) {
  const index = text.indexOf(at);
  return index === -1 ? {before: text, after: ''} : {before: text.slice(0, index), after: text.slice(index + 1)};
}
