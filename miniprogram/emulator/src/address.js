import {inside, relativeTo} from './package.js';

/**
 * @param {string} url of a page, such as `../call/call?room=r1`
 * @param {string} [base] path of the page in which it stands
 * @returns {{path: string, query: Record<string, string>}}
 */
export function parsePageUrl(url, base) {
  const [before, ...after] = url.split('?');
  const path = base === undefined ? inside(before) : relativeTo(base, before);
  return {path: path.replace(/\.html$/, ''), query: parseQuery(after.join('?'))};
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
    const [key, ...value] = part.split('=');
    query[key] = value.join('=');
  }
  return query;
}
