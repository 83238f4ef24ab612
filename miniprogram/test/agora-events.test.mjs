import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle } from '../../web-client/test/core-world.mjs';
import { LOG } from '../src/agora/index.js';
import { Uids } from '../src/agora/uids.js';
import { failure, inChannel, newClient, play, PUSH } from './agora-world.mjs';

test('streams that are there are told after the success callback of join, where pages begin to listen', async () => {
  const { world, client } = newClient();
  await client.init('demo');
  const heard = [];
  client.join(undefined, 'r1', 1, () => client.on('stream-added', ({ uid }) => heard.push(uid)));
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, participants: [participant(2, [camera]), participant('3', [camera])] }));
  await world.pass(0);
  assert.deepEqual(heard, [2, 3]);
});

test('what others do comes as the vendor\'s events', async () => {
  const { world, news } = await inChannel();
  await world.socket.say(
    { seq: 1, event: 'participant_joined', participant: participant(2) },
    { seq: 2, event: 'stream_published', uid: 2, stream: 'camera', audio: 'live', video: 'live' },
    { seq: 3, event: 'muted', uid: 2, stream: 'camera', kind: 'audio', state: 'muted' },
    { seq: 4, event: 'muted', uid: 2, stream: 'camera', kind: 'audio', state: 'blocked', by: 9 },
    { seq: 5, event: 'muted', uid: 2, stream: 'camera', kind: 'audio', state: 'live' },
    { seq: 6, event: 'stream_changed', uid: 2, stream: 'camera', audio: 'live', video: 'absent' },
    { seq: 7, event: 'stream_changed', uid: 2, stream: 'camera', audio: 'live', video: 'live' },
    { seq: 8, event: 'stream_attribute', uid: 2, stream: 'camera', key: 'rotation', value: '270' },
    { seq: 9, event: 'stream_unpublished', uid: 2, stream: 'camera' },
  );
  assert.deepEqual(news(), [
    ['stream-added', { uid: 2 }], ['mute-audio', { uid: 2 }], ['unmute-audio', { uid: 2 }], ['mute-video', { uid: 2 }],
    ['unmute-video', { uid: 2 }], ['video-rotation', { uid: 2, rotation: 270 }], ['stream-removed', { uid: 2 }],
  ]);
});

test('a stream that comes muted, or with sound alone, is told as such', async () => {
  const voice = { stream: 'camera', audio: 'muted', video: 'absent' };
  const { news } = await inChannel({ participants: [participant(2, [voice])] });
  assert.deepEqual(news(), [['stream-added', { uid: 2 }], ['mute-audio', { uid: 2 }], ['mute-video', { uid: 2 }]]);
});

test('after rejoining, the page hears of streams as new ones, and of those that are gone', async () => {
  const { world, client, news } = newClient();
  await client.init('demo');
  const joining = client.rejoin(undefined, 'r1', 1, ['1', '2', 3, '4', 'rubbish', null, {}]);
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, participants: [participant(2, [camera]), participant(4)] }));
  assert.equal(await joining, 1);
  await world.pass(0);
  assert.deepEqual(news(), [['stream-added', { uid: 2 }], ['stream-removed', { uid: 3 }], ['stream-removed', { uid: 4 }]]);
});

test('whoever leaves at once after rejoining is told nothing', async () => {
  const { world, client, news } = newClient();
  await client.init('demo');
  const joining = client.rejoin(undefined, 'r1', 1, [2]);
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, participants: [participant(3, [camera])] }));
  await joining;
  client.destroy();
  await world.pass(3_000);
  assert.deepEqual([news(), world.timers], [[], 0]);
});

test('a screen, and a uid that is no number of 32 bits, get a number that reaches them', async () => {
  const screen = { stream: 'screen', audio: 'absent', video: 'live' };
  const { world, client, news } = await inChannel({ participants: [participant('alice', [camera]), participant(2, [camera, screen])] });
  const added = news().filter(([name]) => name === 'stream-added').map(([, { uid }]) => uid);
  assert.equal(added.length, 3);
  const [alice, two, shared] = added;
  assert.equal(two, 2);
  for (const number of [alice, shared]) assert.ok(Number.isInteger(number) && number >= 2 ** 31 && number < 2 ** 32);
  const subscribing = client.subscribe(shared);
  assert.deepEqual([world.socket.last('subscribe').uid, world.socket.last('subscribe').stream], [2, 'screen']);
  await world.socket.grant('subscribe', play(2, 'b', 'screen'));
  await subscribing;
  client.subscribe(String(alice));
  assert.equal(world.socket.last('subscribe').uid, 'alice');
});

test('where the page has chosen strings, uids are strings and screens end in ~screen', async () => {
  const screen = { stream: 'screen', audio: 'absent', video: 'live' };
  const { world, client, news } = await inChannel({ participants: [participant('alice', [camera, screen]), participant(7, [camera])] }, {}, [false, 1], 'bob');
  const added = news().filter(([name]) => name === 'stream-added').map(([, { uid }]) => uid);
  assert.deepEqual(added, ['alice', 'alice~screen', '7']);
  client.subscribe('alice~screen');
  assert.deepEqual([world.socket.last('subscribe').uid, world.socket.last('subscribe').stream], ['alice', 'screen']);
  client.subscribe(7);
  assert.equal(world.socket.last('subscribe').uid, 7);
});

test('numbers that are made up stay the same, and are never somebody else\'s', () => {
  const first = new Uids(false, 1);
  const number = first.name('alice', 'camera');
  assert.equal(new Uids(false, 1).name('alice', 'camera'), number);
  // The number is one's own, or taken, or comes to be claimed by whoever really has it.
  assert.notEqual(new Uids(false, number).name('alice', 'camera'), number);
  const claimed = first.name(number, 'camera');
  assert.notEqual(claimed, number);
  assert.deepEqual(first.source(claimed), { uid: number, stream: 'camera' });
  assert.deepEqual(first.source(String(number)), { uid: 'alice', stream: 'camera' });
  first.forget('alice', 'camera');
  assert.equal(first.has(number), false);
  const other = new Uids(false, 1);
  other.name(number, 'camera');
  assert.equal(other.name('alice', 'camera'), number === 2 ** 32 - 1 ? 2 ** 31 : number + 1);
});

test('a connection that comes back within the session is nobody\'s business', async () => {
  const { world, client, news } = await inChannel({ participants: [participant(2, [camera])] });
  news();
  await world.socket.drop();
  assert.equal(client.isConnected(), true);
  const publishing = client.publish();
  await world.pass(1_000);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  assert.equal(await publishing, PUSH);
  assert.deepEqual(news(), []);
});

test('a session that is lost, and a connection that stays away, are told once, as code 904', async () => {
  for (const lose of [
    async (world) => {
      await world.pass(1_000);
      await world.socket.open();
      await world.socket.refuse('resume', 'resume_impossible');
    },
    (world) => world.pass(60_000),
  ]) {
    const { world, client, news } = await inChannel({ participants: [participant(2, [camera])] });
    news();
    await world.socket.drop();
    const publishing = failure(client.publish());
    await lose(world);
    assert.equal((await publishing).code, 904);
    assert.deepEqual(news().map(([name, { code, reason }]) => [name, code, typeof reason]), [['error', 904, 'string']]);
    assert.equal((await failure(client.publish())).message, 'Disconnected from server');
    await client.destroy();
    assert.deepEqual([client.isConnected(), world.timers], [false, 0]);
  }
});

test('whoever is removed is told so, and not to come back', async () => {
  for (const reason of ['kicked', 'banned', 'replaced', 'room_closed']) {
    const { world, client, news } = await inChannel();
    await world.socket.say({ seq: 1, event: 'session_ended', reason });
    assert.deepEqual(news(), [['client-banned']]);
    assert.equal(client.isConnected(), false);
  }
});

test('a token that runs out is told before and when it has, and a new one is taken', async () => {
  const { world, client, news } = await inChannel();
  await world.socket.say({ seq: 1, event: 'token_expiring', seconds: 30 });
  assert.deepEqual(news(), [['token-privilege-will-expire']]);
  const renewing = client.renewToken('next');
  assert.equal(world.socket.last('renew_token').token, 'next');
  await world.socket.grant('renew_token', { role: 'host' });
  await renewing;
  await world.socket.say({ seq: 2, event: 'session_ended', reason: 'token_expired' });
  assert.deepEqual(news(), [['token-privilege-did-expire']]);
  assert.equal((await failure(client.renewToken(''))).code, 904);
});

test('refusals have the vendor\'s codes, and the server\'s word as reason', async () => {
  for (const [refusal, code, reason] of [
    ['unknown_app', 401, 'invalid vendor key'], ['token_expired', 901, 'token_expired'], ['bad_signature', 901, 'bad_signature'],
    ['wrong_uid', 901, 'wrong_uid'], ['room_full', 502, 'room_full'], ['invalid_room', 401, 'invalid_room'],
    ['banned', 901, 'banned'], ['role_not_allowed', 434, 'role_not_allowed'], ['internal', 500, 'internal'], ['news_to_us', 401, 'news_to_us'],
  ]) {
    const { world, client } = newClient();
    await client.init('demo');
    const joining = failure(client.join('secret', 'r1', 1));
    await world.socket.open();
    await world.socket.refuse('join', refusal);
    const error = await joining;
    assert.deepEqual([error.code, error.reason], [code, reason]);
    assert.ok(!`${error.message}`.includes('secret'));
    assert.equal(world.timers, 0);
  }
});

test('a request that nobody answers has code 903', async () => {
  const { world, client } = await inChannel();
  const publishing = failure(client.publish());
  await world.pass(10_000);
  assert.equal((await publishing).code, 903);
});

test('a pusher that has lost its connection is told as code 501, once, after the page has seen its code', async () => {
  const { world, client, news } = await inChannel();
  client.updatePusherStateChange({ detail: { code: -1307 } });
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  client.updatePusherStateChange({ type: 'statechange', detail: { code: 1002, message: '' } });
  for (const code of [3002, 1102, -1307, -1307]) client.updatePusherStateChange({ detail: { code } });
  assert.deepEqual(news(), []);
  await settle();
  assert.deepEqual(news().map(([name, { code }]) => [name, code]), [['error', 501]]);
  client.updatePusherStateChange({ detail: { code: 1001 } });
  client.updatePusherStateChange({ detail: { code: -1307 } });
  client.destroy();
  await settle();
  assert.deepEqual(news(), []);
});

test('what a page passes on of its components may be anything', async () => {
  const { client, news } = await inChannel();
  for (const event of [undefined, null, 7, {}, { detail: {} }]) {
    client.updatePusherStateChange(event);
    client.updatePusherNetStatus(event);
    for (const uid of [undefined, null, 2, '2', 'nobody', {}]) {
      client.updatePlayerStateChange(uid, event);
      client.updatePlayerNetStatus(uid, event);
    }
  }
  assert.deepEqual(news(), []);
  newClient().client.updatePusherStateChange({ detail: { code: -1307 } });
});

test('listeners can be taken away one by one and all at once', async () => {
  const { client } = newClient();
  const heard = [];
  const listener = ({ uid }) => heard.push(uid);
  client.on('stream-added', listener).on('stream-added', ({ uid }) => heard.push(`other ${uid}`));
  client.emit('stream-added', { uid: 1 });
  client.off('stream-added', listener).emit('stream-added', { uid: 2 });
  client.off('stream-added').off('unknown').emit('stream-added', { uid: 3 });
  client.on('stream-added', undefined);
  assert.deepEqual(heard, [1, 'other 1', 'other 2']);
});

test('what listeners and callbacks throw stops neither the SDK nor each other', async (t) => {
  const thrown = [];
  t.mock.method(globalThis, 'setTimeout', (run) => {
    try {
      run();
    } catch (cause) {
      thrown.push(cause.message);
    }
  });
  const { client, heard } = await inChannel({ participants: [participant(2, [camera])] });
  client.on('stream-removed', () => {
    throw new Error('a listener of the page');
  });
  client.emit('stream-removed', { uid: 2 });
  await client.init('demo', () => {
    throw new Error('a callback of the page');
  });
  assert.deepEqual(thrown, ['a listener of the page', 'a callback of the page']);
  assert.deepEqual(heard.at(-1), ['stream-removed', { uid: 2 }]);
});

test('logs go to both spellings of their listener, from the level on, and hold no secrets', async (t) => {
  for (const method of ['log', 'info', 'warn', 'error']) t.mock.method(console, method, () => {});
  const lines = [];
  LOG.onLog = (text) => lines.push(text);
  LOG.onlog = (text) => lines.push(text);
  t.after(() => Object.assign(LOG, { onLog: null, onlog: null }));
  t.after(() => LOG.setLogLevel(3));
  await inChannel();
  assert.deepEqual(lines, []);
  LOG.setLogLevel(-1);
  const { world, client } = await inChannel({ participants: [participant(2, [camera])] });
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  assert.ok(lines.length > 0 && lines.length % 2 === 0);
  assert.ok(lines.some((line) => line.includes('stream-added')));
  assert.ok(!lines.join('').includes('ticket'));
  for (const level of [-2, 5, 0.5, '3', undefined]) assert.throws(() => LOG.setLogLevel(level));
});
