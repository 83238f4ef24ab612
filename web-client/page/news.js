/** What of the comings and goings is news. Pure. */

/** In larger rooms somebody comes or goes all the time. */
const CROWD = 12;

/**
 * @param {number} others who are in the room
 * @returns {'toast.joined' | null}
 */
export function joinedNews(others) {
  return others > CROWD ? null : 'toast.joined';
}

/** As the SDK calls them. */
const REASONS = /** @type {const} */ ({ ServerTimeOut: 'timed_out', kicked: 'kicked', banned: 'banned', token_expired: 'token_expired' });

/**
 * @param {string} reason
 * @param {number} others who were in the room
 */
export function leftNews(reason, others) {
  const special = Object.entries(REASONS).find(([name]) => name === reason)?.[1];
  if (special) return /** @type {const} */ (`toast.${special}`);
  return others > CROWD ? null : 'toast.left';
}
