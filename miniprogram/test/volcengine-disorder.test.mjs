// Pages that call whatever they like, whenever they like, on servers that answer as they like.
import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle } from '../../web-client/test/core-world.mjs';
import { ERROR_CODES } from '../src/volcengine/index.js';
import { page, PLAY, PUSH, TOKEN } from './volcengine-world.mjs';

const STEPS = 120;
const CODES = new Set(Object.values(ERROR_CODES));

/** Numbers in [0, 1) that are the same every time (mulberry32). @param {number} seed */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @type {Record<string, (request: Record<string, unknown>) => object>} */
const ANSWERS = {
  join: () => joinReply({ participants: [participant('bob', [camera, { ...camera, stream: 'screen' }])] }),
  resume: () => ({ missed: 0 }),
  publish: ({ id }) => ({ stream: 'camera', rtmp: `${PUSH}${id}` }),
  subscribe: ({ id, uid, stream }) => ({ ...PLAY, uid, stream, rtmp: `${PLAY.rtmp}${id}` }),
  mute: ({ muted }) => ({ state: muted ? 'muted' : 'live' }),
  set_role: ({ role }) => ({ role }),
  renew_token: () => ({ role: 'host' }),
  send_message: () => ({ message_id: 1 }),
};
const REFUSALS = ['internal', 'rate_limited', 'no_such_stream', 'no_such_participant', 'not_host', 'blocked', 'token_expired', 'too_many_tickets', 'resume_impossible'];

/** @type {((client: any) => unknown)[]} */
const CALLS = [
  (client) => client.init('demo'), (client) => client.join(TOKEN, 'r1', 'alice'), (client) => client.join(TOKEN, 'r1', 'alice'),
  (client) => client.leave(), (client) => client.publish(), (client) => client.unpublish(),
  (client) => client.subscribe('bob', { screen: true }), (client) => client.subscribe('bob', {}), (client) => client.unsubscribe('bob', {}),
  (client) => client.muteLocal({ audio: true }), (client) => client.muteRemote('bob', { audio: true, video: true }),
  (client) => client.muteRemote('bob', { video: false }), (client) => client.setUserVisibility(false), (client) => client.setUserVisibility(true),
  (client) => client.setBusinessId('x'), (client) => client.login(TOKEN, 'alice'), (client) => client.logout(), (client) => client.updateLoginToken(TOKEN),
  (client) => client.sendUserMessageOutsideRoom('bob', 'x'), (client) => client.sendRoomMessage('x'), (client) => client.getPeerOnlineStatus('bob'),
  (client) => client.setServerParams('s', 'u'), (client) => client.reportPusherStateChange(-1307), (client) => client.reportPlayerStateChange('bob', -2301),
];

/** The server's turn: what was asked and is not answered yet, some of it, and things that happen by themselves. */
async function serve(world, random) {
  for (const socket of world.sockets.filter(({ closed }) => !closed)) {
    socket.answered ??= 0;
    socket.seq ??= 0;
    if (!socket.opened) {
      socket.opened = true;
      if (random() < 0.85) await socket.open();
      else await socket.drop();
      continue;
    }
    for (; socket.answered < socket.sent.length && random() < 0.9 && !socket.closed; socket.answered += 1) {
      const request = socket.sent[socket.answered];
      if (request.type === 'ping') continue;
      const answer = ANSWERS[request.type]?.(request) ?? {};
      if (random() < 0.2) await socket.say({ id: request.id, error: { code: REFUSALS[Math.floor(random() * REFUSALS.length)], message: 'no' } });
      else await socket.say({ id: request.id, ok: answer });
    }
    if (socket.closed || random() < 0.9) continue;
    const happens = random();
    if (happens < 0.5) await socket.drop();
    else if (happens < 0.7) await socket.say({ seq: socket.seq += 1, event: 'session_ended', reason: 'kicked' });
    else await socket.say({ seq: socket.seq += 1, event: 'participant_left', uid: 'bob', reason: 'left' });
  }
}

test('whatever is called in whatever order, failures have codes, and nothing is left after destroying', async () => {
  let succeeded = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = chance(seed);
    const { client, world } = page();
    const outcomes = [];
    for (let step = 0; step < STEPS; step += 1) {
      const outcome = CALLS[Math.floor(random() * CALLS.length)](client);
      if (outcome instanceof Promise) outcomes.push(outcome.then(() => null, (error) => error));
      if (random() < 0.7) await serve(world, random);
      if (random() < 0.1) await world.pass(random() * 20_000);
    }
    const destroying = client.destroy();
    await world.pass(3_000);
    await destroying;
    await settle();
    const results = await Promise.all(outcomes);
    for (const error of results) {
      if (error !== null) assert.ok(CODES.has(error.code) && typeof error.reason === 'string', `seed ${seed}: ${error.stack}`);
    }
    assert.deepEqual([client.state, world.timers], ['disconnected', 0], `seed ${seed}`);
    assert.ok(world.sockets.every(({ closed }) => closed), `seed ${seed}: no socket is left`);
    succeeded += results.filter((error) => error === null).length;
  }
  assert.ok(succeeded > 400, `${succeeded} calls have succeeded, so that failing was not all`);
});
