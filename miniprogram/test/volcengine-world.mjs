// A page of Volcengine's shape in virtual time: a client, what it hears, and the server's end of its sockets.
import assert from 'node:assert/strict';
import { joinReply, World } from '../../web-client/test/core-world.mjs';
import { ERROR_CODES, EVENTS, withServer } from '../src/volcengine/index.js';

export const TOKEN = 'a-token';
export const PUSH = 'rtmp://h/demo/r1/alice?ticket=a';
export const PLAY = { uid: 'bob', stream: 'camera', rtmp: 'rtmp://h/demo/r1/bob?ticket=b', flv: 'http://h/flv/demo/r1/bob.flv?ticket=b' };
export const SHARE = { ...PLAY, stream: 'screen', rtmp: 'rtmp://h/demo/r1/bob~screen?ticket=c' };

/** @typedef {[name: string, ...args: unknown[]]} Heard */

/** A client of `https://example.com`, whose events are heard by the names of their constants. */
export function page({ options = {}, bound = {} } = {}) {
  const world = new World();
  const sdk = withServer('https://example.com', bound);
  const client = new sdk.Client({ platform: world.platform, ...options });
  /** @type {Heard[]} */
  const heard = [];
  const listen = () => {
    for (const [name, event] of Object.entries(EVENTS)) client.on(event, (...args) => heard.push([name, ...args]));
  };
  listen();
  return { world, client, heard, listen, news: () => heard.splice(0) };
}

/** The same, in the room r1 of the app demo as alice. */
export async function pageInRoom({ reply = {}, ...more } = {}) {
  const made = page(more);
  const { world, client } = made;
  await client.init('demo');
  const joining = client.join(TOKEN, 'r1', 'alice');
  await world.socket.open();
  await world.socket.grant('join', joinReply(reply));
  await joining;
  await world.pass(0);
  return made;
}

/** @param {Awaited<ReturnType<typeof pageInRoom>>} page @param {string} [url] */
export async function publish({ world, client }, url = PUSH) {
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: url });
  return publishing;
}

/** @param {Awaited<ReturnType<typeof pageInRoom>>} page @param {typeof PLAY} [play] */
export async function subscribe({ world, client }, play = PLAY) {
  const subscribing = client.subscribe(play.uid, { screen: play.stream === 'screen' });
  await world.socket.grant('subscribe', play);
  return subscribing;
}

/**
 * Fails unless a call rejects as Volcengine's do, and tells the failure callback the same.
 *
 * @param {Promise<unknown>} promise
 * @param {keyof typeof ERROR_CODES} name
 * @param {RegExp} [reason]
 */
export async function refused(promise, name, reason = /./) {
  const error = await promise.then(() => assert.fail(`is refused with ${name}`), (cause) => cause);
  assert.deepEqual([error.code, typeof error.reason], [ERROR_CODES[name], 'string'], `${name}, not ${error.message}`);
  assert.match(error.reason, reason);
}
