import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle } from '../../web-client/test/core-world.mjs';
import * as sdk from '../src/volcengine/index.js';
import { page, pageInRoom, PLAY, publish, PUSH, refused, SHARE, subscribe, TOKEN } from './volcengine-world.mjs';

const { Client, ERROR_CODES, EVENTS, withServer } = sdk;
const bob = participant('bob', [camera, { ...camera, stream: 'screen' }]);

test('the module has the names of the vendor, and so has what is bound to a server', () => {
  assert.deepEqual(Object.keys(sdk).sort(), ['Client', 'ERROR_CODES', 'EVENTS', 'withServer']);
  assert.deepEqual(Object.keys(withServer('https://example.com')).sort(), Object.keys(sdk).sort());
});

test('every constant of the vendor has its value, and no two events have the same', () => {
  assert.deepEqual(
    ['NOT_IN_ROOM', 'HAS_INITED', 'NO_WEBSOCLET_URL', 'UNPUBLISH_ERRO', 'SIGNALING_TIMEOUT', 'WEBSOCKET_FAILED'].map((name) => ERROR_CODES[name]),
    [100002, 100008, 200003, 300007, 300009, 500001],
  );
  assert.equal(new Set(Object.values(EVENTS)).size, Object.keys(EVENTS).length);
});

test('a call answers by callback and by promise alike, the callback first and never within the call', async () => {
  const { client, world } = page();
  const order = [];
  const initialising = client.init('demo', () => order.push('init called back'));
  initialising.then(() => order.push('init resolved'));
  order.push('init returned');
  await initialising;
  await settle();
  assert.deepEqual(order, ['init returned', 'init called back', 'init resolved']);
  const joining = client.join(TOKEN, 'r1', 'alice', (userId) => order.push(userId));
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  assert.equal(await joining, 'alice');
  assert.equal(order.at(-1), 'alice');
});

test('a failure has a code and a reason, for the callback too', async () => {
  const { client } = page();
  const failures = [];
  await refused(client.publish(undefined, (error) => failures.push(error)), 'NOT_IN_ROOM');
  assert.deepEqual(failures.map(({ code }) => code), [ERROR_CODES.NOT_IN_ROOM]);
  assert.ok(failures[0] instanceof Error);
});

test('joining needs no waiting for init, and takes app, token, room and user', async () => {
  const { client, world } = page();
  client.init('demo');
  client.join(TOKEN, 'r1', 'alice');
  await world.socket.open();
  const { id, ...join } = world.socket.last('join');
  assert.equal(typeof id, 'number');
  assert.deepEqual(join, { type: 'join', version: 1, app: 'demo', room: 'r1', uid: 'alice', token: TOKEN, platform: 'miniprogram' });
  assert.equal(world.socket.url, 'wss://example.com/signal');
});

test('the state says how the connection is', async () => {
  const { client, world } = page();
  const states = [client.state];
  client.init('demo');
  const joining = client.join(TOKEN, 'r1', 'alice');
  states.push(client.state);
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  await joining;
  states.push(client.state);
  await world.socket.drop();
  states.push(client.state);
  client.destroy();
  states.push(client.state);
  assert.deepEqual(states, ['disconnected', 'connecting', 'connected', 'reconnecting', 'disconnected']);
});

test('without the address of a server, or with a wrong one, joining is refused as by a vendor that finds none', async () => {
  for (const server of [undefined, '', 'example.com']) {
    const { world } = page();
    const client = new Client({ platform: world.platform, ...(server === undefined ? {} : { server }) });
    client.init('demo');
    await refused(client.join(TOKEN, 'r1', 'alice'), 'NO_WEBSOCLET_URL');
    assert.equal(world.sockets.length, 0);
  }
});

test('arguments that make no sense are refused before anything is sent', async () => {
  const { client, world } = page();
  await refused(client.init(''), 'INVALID_PARAMS');
  await refused(client.init(undefined), 'INVALID_PARAMS');
  await client.init('demo');
  for (const [token, room, user] of [['', 'r1', 'alice'], [undefined, 'r1', 'alice'], [TOKEN, 'a room', 'alice'], [TOKEN, 'r1', ''], [TOKEN, 'r1', 42], [TOKEN, 'r'.repeat(129), 'alice']]) {
    await refused(client.join(token, room, user), 'INVALID_PARAMS');
  }
  assert.equal(world.sockets.length, 0);
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  await publish(inRoom);
  const asked = inRoom.world.socket.asked.length;
  for (const call of [
    (to) => to.subscribe('', {}), (to) => to.subscribe('bob', { audio: false, video: false }), (to) => to.subscribe('bob', 7),
    (to) => to.unsubscribe(null), (to) => to.muteLocal(), (to) => to.muteLocal({}), (to) => to.muteLocal({ audio: 1 }),
    (to) => to.muteRemote('bob', { screen: true }), (to) => to.setUserVisibility('yes'), (to) => to.setBusinessId(7),
    (to) => to.sendUserMessage('bob', 7), (to) => to.sendRoomBinaryMessage('text'), (to) => to.sendRoomMessage('x'.repeat(8193)),
    (to) => to.subscribe('a room/x', {}),
  ]) {
    await refused(call(inRoom.client), 'INVALID_PARAMS');
  }
  assert.equal(inRoom.world.socket.asked.length, asked);
  assert.throws(() => inRoom.client.on(EVENTS.ERROR, undefined), { code: ERROR_CODES.INVALID_PARAMS });
  assert.throws(() => new Client({ mutePolarity: 'up' }), { code: ERROR_CODES.INVALID_PARAMS });
});

test('calls in the wrong order are refused one by one, and nothing is left of them', async () => {
  const { client, world } = page();
  await refused(client.join(TOKEN, 'r1', 'alice'), 'GET_CONFIG_ERROR');
  await refused(client.login(TOKEN, 'alice'), 'GET_CONFIG_ERROR');
  const early = () => [
    client.leave(), client.publish(), client.unpublish(), client.subscribe('bob', {}), client.unsubscribe('bob', {}),
    client.muteLocal({ audio: true }), client.muteRemote('bob', { audio: true }), client.sendUserMessage('bob', 'x'), client.sendRoomMessage('x'),
  ];
  for (const call of early()) await refused(call, 'NOT_IN_ROOM');
  for (const report of ['reportPusherStateChange', 'reportPusherNetStatusChange', 'reportPlayerStateChange', 'reportPlayerNetStatusChange']) client[report]();
  client.init('demo');
  await refused(client.init('demo'), 'HAS_INITED');
  const joining = client.join(TOKEN, 'r1', 'alice');
  await refused(client.join(TOKEN, 'r1', 'alice'), 'CONNECTING');
  await refused(client.publish(), 'CONNECTING');
  await refused(client.subscribe('bob', {}), 'CONNECTING');
  await refused(client.setUserVisibility(false), 'CONNECTING');
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  await joining;
  await refused(client.join(TOKEN, 'r1', 'alice'), 'ALREADY_IN_ROOM');
  await refused(client.unpublish(), 'NOT_PUBLISHED');
  await refused(client.muteLocal({ audio: true }), 'NOT_PUBLISHED');
  assert.equal(world.sockets.length, 1);
  client.destroy();
  await world.socket.grant('leave');
  assert.equal(world.timers, 0);
});

test('what the server refuses at the door is an error of joining, with the reason of the server', async () => {
  for (const code of ['unknown_app', 'token_expired', 'bad_signature', 'wrong_room', 'wrong_uid', 'banned', 'room_full']) {
    const { client, world, news } = page();
    client.init('demo');
    const joining = client.join(TOKEN, 'r1', 'alice');
    await world.socket.open();
    await world.socket.refuse('join', code);
    await refused(joining, 'JOIN_ROOM_ERROR', new RegExp(`^${code}: `));
    assert.deepEqual([client.state, news(), world.timers], ['disconnected', [], 0]);
  }
});

test('a server that cannot be reached is told as an error and by the call, and joining can be tried again', async () => {
  const { client, world, news } = page();
  client.init('demo');
  const joining = client.join(TOKEN, 'r1', 'alice');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await world.socket.drop();
    await world.pass(5_000);
  }
  await refused(joining, 'WEBSOCKET_FAILED');
  assert.deepEqual(news().map(([name, { code }]) => [name, code]), [['ERROR', ERROR_CODES.WEBSOCKET_FAILED]]);
  const again = client.join(TOKEN, 'r1', 'alice');
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  assert.equal(await again, 'alice');
});

test('destroying in the middle of joining ends the joining, and leaves the room if the server has let it in', async () => {
  const { client, world, news } = page();
  client.init('demo');
  const joining = client.join(TOKEN, 'r1', 'alice');
  await world.socket.open();
  const destroying = client.destroy();
  await world.socket.grant('join', joinReply({ participants: [bob] }));
  await world.socket.grant('leave');
  await refused(joining, 'JOIN_ROOM_ERROR');
  await destroying;
  await world.pass(1_000);
  assert.deepEqual([news(), world.timers, world.socket.closed], [[], 0, true]);
});

test('a destroyed client tells nothing and refuses everything but to be destroyed again', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world, news, listen } = inRoom;
  news();
  const destroying = client.destroy();
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 'bob', reason: 'left' });
  await world.socket.grant('leave');
  await destroying;
  listen();
  await refused(client.init('demo'), 'NOT_IN_ROOM');
  await refused(client.join(TOKEN, 'r1', 'alice'), 'NOT_IN_ROOM');
  await refused(client.publish(), 'NOT_IN_ROOM');
  await refused(client.setUserVisibility(true), 'NOT_IN_ROOM');
  assert.equal(await client.setBusinessId('x'), false);
  client.reportPusherStateChange(-1307, 'lost');
  await client.destroy();
  assert.deepEqual([news(), world.timers, world.sockets.length], [[], 0, 1]);
});

test('after leaving, the same client joins again on a new socket', async () => {
  const { client, world, news } = await pageInRoom();
  const leaving = client.leave();
  await world.socket.grant('leave');
  await leaving;
  await refused(client.leave(), 'NOT_IN_ROOM');
  client.join(TOKEN, 'r2', 'alice');
  await world.socket.open();
  await world.socket.grant('join', joinReply({ participants: [bob] }));
  await world.pass(0);
  assert.deepEqual(news().map(([name]) => name), ['PEER_ONLINE', 'STREAM_ADDED', 'STREAM_ADDED']);
  assert.equal(world.sockets.length, 2);
});

test('publishing gives the address, once', async () => {
  const inRoom = await pageInRoom();
  const { client, world } = inRoom;
  const publishing = client.publish();
  await refused(client.publish(), 'ALREADY_PUBLISHED');
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  assert.equal(await publishing, PUSH);
  await refused(client.publish(), 'ALREADY_PUBLISHED');
  const { id, ...request } = world.socket.last('publish');
  assert.deepEqual([typeof id, request], ['number', { type: 'publish', stream: 'camera', audio: true, video: true }]);
  const ending = client.unpublish();
  await world.socket.grant('unpublish');
  await ending;
  await refused(client.unpublish(), 'NOT_PUBLISHED');
  assert.equal(await publish(inRoom, `${PUSH}2`), `${PUSH}2`);
});

test('whose token does not allow it, cannot publish', async () => {
  const { client, world } = await pageInRoom({ reply: { role: 'audience' } });
  const publishing = client.publish();
  await world.socket.refuse('publish', 'not_host');
  await refused(publishing, 'PUBLISH_ERROR', /^not_host: /);
});

test('a business ID marks what is published, and is not taken any more after joining', async () => {
  const made = page();
  const { client, world } = made;
  assert.equal(await client.setBusinessId('classroom'), true);
  client.init('demo');
  const joining = client.join(TOKEN, 'r1', 'alice');
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  await joining;
  assert.equal(await client.setBusinessId('other'), false);
  await publish(made);
  assert.deepEqual(world.socket.last('publish').attributes, { business_id: 'classroom' });
});

test('subscribing to the camera or the screen of a user gives an address for each', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world } = inRoom;
  assert.equal(await subscribe(inRoom), PLAY.rtmp);
  assert.equal(await subscribe(inRoom, SHARE), SHARE.rtmp);
  const urls = [];
  for (const call of [
    () => client.subscribe('bob', (url) => urls.push(url)),
    () => client.subscribe('bob', { screen: 0, audio: true }, (url) => urls.push(url)),
    () => client.subscribe('bob', undefined, (url) => urls.push(url)),
  ]) {
    const subscribing = call();
    await world.socket.grant('subscribe', PLAY);
    await subscribing;
  }
  assert.deepEqual(urls, [PLAY.rtmp, PLAY.rtmp, PLAY.rtmp]);
  const wanted = world.socket.sent.filter(({ type }) => type === 'subscribe').map(({ stream, audio, video }) => [stream, audio, video]);
  assert.deepEqual(wanted, [['camera', true, true], ['screen', true, true], ['camera', true, true], ['camera', true, true], ['camera', true, true]]);
});

test('subscribing to sound alone asks for nothing else', async () => {
  const { client, world } = await pageInRoom({ reply: { participants: [bob] } });
  client.subscribe('bob', { video: false });
  await settle();
  const { audio, video } = world.socket.last('subscribe');
  assert.deepEqual([audio, video], [true, false]);
});

test('a user who has left, a stream that is not there and other refusals of a subscription have their codes', async () => {
  const { client, world } = await pageInRoom();
  for (const [code, name] of [
    ['no_such_participant', 'UID_NOT_FOUND'], ['no_such_stream', 'STREAM_ID_NOT_FOUND'], ['too_many_subscriptions', 'SUBSCRIBE_FAILED'],
  ]) {
    const subscribing = client.subscribe('bob', { screen: false });
    await world.socket.refuse('subscribe', code);
    await refused(subscribing, name);
  }
});

test('an address that is missing in the answer is an error of subscribing', async () => {
  const { client, world } = await pageInRoom({ reply: { participants: [bob] } });
  const subscribing = client.subscribe('bob', {});
  await world.socket.grant('subscribe', { uid: 'bob', stream: 'camera' });
  await refused(subscribing, 'SUBSCRIBE_FAILED');
});

test('unsubscribing is refused for a stream that is there and was not subscribed to, and well for one that is gone', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world } = inRoom;
  await refused(client.unsubscribe('bob', { screen: true }), 'STREAM_ID_NOT_FOUND');
  await subscribe(inRoom);
  const ending = client.unsubscribe('bob');
  await world.socket.grant('unsubscribe');
  await ending;
  await subscribe(inRoom);
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 'bob', reason: 'left' });
  await client.unsubscribe('bob', { screen: false });
  assert.equal(world.socket.asked.filter((type) => type === 'unsubscribe').length, 1);
});

test('a request that is not answered is a timeout of the signalling', async () => {
  const { client, world } = await pageInRoom();
  const publishing = client.publish();
  await world.pass(10_000);
  await refused(publishing, 'SIGNALING_TIMEOUT');
  const again = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  assert.equal(await again, PUSH);
});

test('what a page throws in a callback or a listener is its own error, and stops nothing', async () => {
  const reported = [];
  const { setTimeout: real } = globalThis;
  globalThis.setTimeout = (run) => reported.push(run);
  try {
    const { client, world } = page();
    client.on(EVENTS.PEER_ONLINE, () => {
      throw new Error('of a listener');
    });
    await client.init('demo', () => {
      throw new Error('of a callback');
    });
    const joining = client.join(TOKEN, 'r1', 'alice');
    await world.socket.open();
    await world.socket.grant('join', joinReply({ participants: [bob] }));
    await joining;
    await world.pass(0);
  } finally {
    globalThis.setTimeout = real;
  }
  assert.equal(reported.length, 2);
  assert.throws(reported[0], /of a callback/);
  assert.throws(reported[1], /of a listener/);
});
