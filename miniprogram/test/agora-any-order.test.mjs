import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant } from '../../web-client/test/core-world.mjs';
import { LOG } from '../src/agora/index.js';
import { newClient, play, PUSH } from './agora-world.mjs';

/** A page that has lost its way. @param {import('../src/agora/index.js').Client} client */
function callEverything(client) {
  const odd = [undefined, null, 0, -1, '', 'x', {}, [], () => {}];
  for (const value of odd) {
    client.init(value);
    client.join(value, value, value, value, value);
    client.rejoin(value, value, value, value);
    for (const name of ['publish', 'unpublish', 'updatePushUrl', 'renewToken', 'setRole', 'subscribe', 'unsubscribe', 'send', 'stopChannelMediaRelay']) {
      client[name](value, value, value);
    }
    for (const name of ['mute', 'unmute', 'setRemoteVideoStreamType', 'startChannelMediaRelay', 'updateChannelMediaRelay']) client[name](value, value);
    for (const name of ['muteLocal', 'unmuteLocal', 'setAudioCodec', 'updatePusherStateChange', 'updatePusherNetStatus']) client[name](value);
    for (const name of ['updatePlayerStateChange', 'updatePlayerNetStatus']) client[name](value, { detail: { code: -2301, info: value } });
    client.on('error', value);
    client.off('nothing', value);
  }
  client.isConnected();
  client.publish();
  client.subscribe(2);
  client.mute(2, 'all');
}

/** Answers whatever is asked. @param {import('../../web-client/test/core-world.mjs').World} world */
async function serve(world) {
  for (const socket of world.sockets) {
    for (const { id, type } of socket.sent.splice(0)) {
      const replies = { publish: { stream: 'camera', rtmp: PUSH }, subscribe: play(2), set_role: { role: 'host' }, renew_token: { role: 'host' }, mute: { state: 'muted' } };
      if (!socket.closed && type !== 'join' && type !== 'ping') await socket.say({ id, ok: replies[type] ?? {} });
    }
  }
}

/** Rejections that nobody handles make the runner fail the test. */
for (const [state, reach] of /** @type {[string, (made: ReturnType<typeof newClient>) => Promise<void>][]} */ ([
  ['before init', async () => {}],
  ['while joining', async ({ world, client }) => {
    await client.init('demo');
    client.join(undefined, 'r1', 1);
    await world.socket.open();
  }],
  ['in the channel', (made) => enter(made)],
  ['while the connection is away', async (made) => {
    await enter(made);
    await made.world.socket.drop();
  }],
  ['after destroying', async (made) => {
    await enter(made);
    made.client.destroy();
    await made.world.pass(3_000);
  }],
])) {
  test(`whatever a page calls ${state} does no harm, and leaving leaves nothing`, async () => {
    const made = newClient();
    const { world, client, news } = made;
    await reach(made);
    callEverything(client);
    for (let turn = 0; turn < 5; turn += 1) {
      await world.pass(10);
      await serve(world);
    }
    client.destroy();
    client.leave();
    await world.pass(60_000);
    news();
    for (const socket of world.sockets) await socket.say({ seq: 99, event: 'stream_unpublished', uid: 2, stream: 'camera' });
    assert.deepEqual([news(), world.timers, client.isConnected()], [[], 0, false]);
    assert.ok(world.sockets.every(({ closed }) => closed));
  });
}

test('a page that uploads its logs at any time hears that it cannot', async () => {
  const told = [];
  LOG.uploadLogs(() => told.push('success'), ({ code }) => told.push(code));
  await newClient().world.pass(0);
  assert.deepEqual(told, [401]);
});

/** @param {ReturnType<typeof newClient>} made */
async function enter({ world, client }) {
  await client.init('demo');
  client.join(undefined, 'r1', 1);
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, participants: [participant(2, [camera])] }));
  await world.pass(0);
}
