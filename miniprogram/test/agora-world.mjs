// A client in the vendor's shape in a world of its own: virtual time, and the server's end of its sockets.
import { joinReply, World } from '../../web-client/test/core-world.mjs';
import { Client } from '../src/agora/index.js';

export const PUSH = 'rtmp://h/demo/r1/1?ticket=a';

/** @param {string | number} uid @param {string} [ticket] @param {string} [stream] */
export function play(uid, ticket = 'b', stream = 'camera') {
  return { uid, stream, rtmp: `rtmp://h/demo/r1/${uid}?ticket=${ticket}`, flv: `http://h/flv/demo/r1/${uid}.flv?ticket=${ticket}` };
}

/** @param {object} [options] */
export function newClient(options = {}) {
  const world = new World();
  const client = new Client({ servers: ['https://example.com'], platform: world.platform, ...options });
  /** @type {unknown[][]} */
  const heard = [];
  client.on('*', (name, payload) => heard.push(payload === undefined ? [name] : [name, payload]));
  return { world, client, heard, news: () => heard.splice(0) };
}

/** @param {object} [reply] @param {object} [options] @param {unknown[]} [values] `isAudioOnly` and `uidType` @param {unknown} [uid] */
export async function inChannel(reply = {}, options = {}, values = [], uid = 1) {
  const made = newClient(options);
  await made.client.init('demo');
  const joining = made.client.join(undefined, 'r1', uid, ...values);
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply({ uid, ...reply }));
  await joining;
  await made.world.pass(0);
  return made;
}

/** @param {Promise<unknown>} promise @returns {Promise<{ code: number, reason: string, message: string }>} what it rejects with */
export async function failure(promise) {
  return promise.then((value) => Promise.reject(new Error(`it succeeded with ${value}`)), (error) => error);
}
