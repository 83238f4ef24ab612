/**
 * The names of users. Rooms know uids alone, so that a name is an attribute: of every stream that its owner publishes,
 * and, for those who publish nothing, of the room.
 */

import { byteLength } from './text.js';
import { uidKey } from '../../../web-client/core/room.js';
import { USER_NAME } from './directory.js';

/** @typedef {import('../core/client.js').Client} Client */
/** @typedef {import('../core/client.js').Uid} Uid */

/** Before the uid, in the key of an attribute of the room. */
const PREFIX = 'zego_name:';
/** A room has 32 attributes: half of them remain for what applications say. */
const MAX_NAMES = 16;
/** Of an attribute's key. A longer uid has a name with its streams alone. */
const MAX_KEY = 64;

/** @param {string} key of an attribute of the room @returns {string | null} whose name it is */
export function nameOwner(key) {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : null;
}

/**
 * @param {Client} client
 * @param {Uid} uid
 * @returns {string | null} null: nobody has said
 */
export function knownName(client, uid) {
  for (const { attributes } of client.participant(uid)?.streams.values() ?? []) {
    const name = attributes.get(USER_NAME);
    if (name !== undefined && name !== '') return name;
  }
  return client.roomAttributes.get(PREFIX + uidKey(uid)) ?? null;
}

/**
 * Says one's own name in the room, if there is a place for it: hosts alone may, and at most 16 have one.
 *
 * @param {Client} client
 * @param {string} name
 * @returns {Promise<boolean>} whether it has been said
 */
export async function sayName(client, name) {
  const key = PREFIX + uidKey(client.uid ?? '');
  if (client.role !== 'host' || byteLength(key) > MAX_KEY) return false;
  const others = [...client.roomAttributes.keys()].filter((other) => nameOwner(other) !== null && other !== key);
  // Who was lost could not take its name away.
  const stale = others.filter((other) => client.participant(nameOwner(other) ?? '') === undefined);
  if (others.length >= MAX_NAMES) await Promise.all(stale.map((other) => client.setRoomAttribute(other, null)));
  if (others.length >= MAX_NAMES && stale.length === 0) return false;
  await client.setRoomAttribute(key, name);
  return true;
}

/** @param {Client} client @returns {Promise<void>} */
export async function takeBackName(client) {
  if (client.uid !== undefined) await client.setRoomAttribute(PREFIX + uidKey(client.uid), null);
}
