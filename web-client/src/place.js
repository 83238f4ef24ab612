/** What a link to the page says: which app, room and uids. Pure. A token never stands in a link. */

/**
 * @typedef {object} Place
 * @property {string} app
 * @property {string} room
 * @property {string} uid what this page publishes as
 * @property {string} watch the uid to watch
 */

/** @type {readonly (keyof Place)[]} */
const NAMES = ['app', 'room', 'uid', 'watch'];

/** Longer values in a link are cut: no name on the server may be longer. */
const MAX_NAME_LENGTH = 128;

/**
 * Reads a link: the fragment wins over the query, what neither names comes from the defaults.
 *
 * @param {{ search: string, hash: string }} location
 * @param {Place} defaults
 * @returns {Place}
 */
export function readPlace({ search, hash }, defaults) {
  const fragment = new URLSearchParams(hash.replace(/^#/, ''));
  const query = new URLSearchParams(search);
  const place = { ...defaults };
  for (const name of NAMES) {
    const value = (fragment.get(name) ?? query.get(name) ?? '').trim().slice(0, MAX_NAME_LENGTH);
    if (value !== '') place[name] = value;
  }
  return place;
}

/**
 * The fragment that reads back as the given place. An app that is the default is left out.
 *
 * @param {Partial<Place>} place
 * @param {string} defaultApp
 * @returns {string} with its `#`
 */
export function writePlace(place, defaultApp) {
  const params = new URLSearchParams();
  for (const name of NAMES) {
    const value = place[name] ?? '';
    if (value !== '' && !(name === 'app' && value === defaultApp)) params.set(name, value);
  }
  return `#${params}`;
}

/**
 * A uid that says what made it and is easy to read out, such as `web-4821`.
 *
 * @param {string} kind
 * @param {number} random in [0, 1)
 */
export function friendlyUid(kind, random) {
  return `${kind}-${1000 + Math.floor(random * 9000)}`;
}
