/** What a link to the page says: which app, room and uid, and as what to join. Pure. */

/** @typedef {'host' | 'audience'} Role */

/**
 * @typedef {object} Place
 * @property {string} app
 * @property {string} room
 * @property {string} uid
 * @property {Role} role
 */

/** Longer values in a link are cut: no name on the server may be longer. */
const MAX_NAME_LENGTH = 128;
/** The most that the server reads of a token. */
const MAX_TOKEN_LENGTH = 4096;

/**
 * Reads a link. The token stands in the fragment, which browsers send to no server.
 *
 * @param {{ search: string, hash: string }} location
 * @returns {Partial<Place> & { token?: string }} what the link names
 */
export function readLink({ search, hash }) {
  const query = new URLSearchParams(search);
  /** @type {Partial<Place> & { token?: string }} */
  const link = {};
  for (const name of /** @type {const} */ (['app', 'room', 'uid'])) {
    const value = (query.get(name) ?? '').trim().slice(0, MAX_NAME_LENGTH);
    if (value !== '') link[name] = value;
  }
  const role = query.get('role');
  if (role === 'host' || role === 'audience') link.role = role;
  const token = (new URLSearchParams(hash.replace(/^#/, '')).get('token') ?? '').trim();
  if (token !== '' && token.length <= MAX_TOKEN_LENGTH) link.token = token;
  return link;
}

/**
 * The link for somebody else: without a uid, which is to be their own, and without a token.
 *
 * @param {string} origin
 * @param {{ app: string, room: string, role?: Role }} place
 * @returns {string}
 */
export function joinLink(origin, { app, room, role = 'host' }) {
  const query = new URLSearchParams({ app, room });
  if (role !== 'host') query.set('role', role);
  return `${origin}/?${query}`;
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
