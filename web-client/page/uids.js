/**
 * Which user IDs this browser's other pages are in a room with. The same one again would end the older stay, which
 * somebody who opens a second page seldom wants. Only secure pages have locks; elsewhere all IDs are free.
 */

/** @param {{ app: string, room: string, uid: string }} place */
const lockName = ({ app, room, uid }) => `queqiao ${JSON.stringify([app, room, uid])}`;

/** @param {{ app: string, room: string, uid: string }} place */
export async function isTaken(place) {
  if (!('locks' in navigator)) return false;
  const { held = [] } = await navigator.locks.query();
  return held.some(({ name }) => name === lockName(place));
}

/**
 * Takes it for as long as this page is in the room.
 *
 * @param {{ app: string, room: string, uid: string }} place
 * @returns {() => void} gives it back
 */
export function take(place) {
  if (!('locks' in navigator)) return () => {};
  const giveBack = new AbortController();
  const held = new Promise((resolve) => giveBack.signal.addEventListener('abort', () => resolve(undefined)));
  void navigator.locks.request(lockName(place), { mode: 'shared' }, () => held);
  return () => giveBack.abort();
}
