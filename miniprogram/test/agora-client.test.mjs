import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle } from '../../web-client/test/core-world.mjs';
import * as agora from '../src/agora/index.js';
import { failure, inChannel, newClient, play, PUSH } from './agora-world.mjs';

test('the module has the names of the vendor\'s, and withServer', () => {
  const names = ['ChannelMediaRelayConfiguration', 'Client', 'LOG', 'SDK_VERSION', 'withServer'];
  assert.deepEqual(Object.keys(agora).sort(), names);
  assert.deepEqual(Object.keys(agora.withServer('https://example.com')).sort(), names);
});

test('the callback of a success comes before its promise, and neither within the call', async () => {
  const { client } = newClient();
  const order = [];
  client.init('demo', (...args) => order.push(['callback', ...args])).then((value) => order.push(['promise', value]));
  assert.deepEqual(order, []);
  await settle();
  assert.deepEqual(order, [['callback'], ['promise', undefined]]);
});

test('an app id is a string, and neither empty nor null in writing', async () => {
  for (const appId of [undefined, null, '', 'null', 7, {}]) {
    const { client } = newClient();
    const failed = [];
    const error = await failure(client.init(appId, () => failed.push('success'), (cause) => failed.push(cause)));
    assert.ok(error instanceof Error);
    assert.equal(error.code, 401);
    assert.deepEqual(failed, [error]);
  }
});

test('joining asks for the room as this participant, and tells the effective uid both ways', async () => {
  const { world, client } = newClient();
  await client.init('demo');
  const told = [];
  const joining = client.join('token', 'r1', '7', (uid) => told.push(uid));
  await world.socket.open();
  const { app, room, uid, token, platform, role } = world.socket.last('join');
  assert.deepEqual({ app, room, uid, token, platform, role }, { app: 'demo', room: 'r1', uid: 7, token: 'token', platform: 'miniprogram', role: undefined });
  await world.socket.grant('join', joinReply({ uid: 8 }));
  assert.equal(await joining, 8);
  assert.deepEqual(told, [8]);
  assert.deepEqual([client.uid, client.channel, client.appId, client.isConnected()], [8, 'r1', 'demo', true]);
});

test('the callbacks of join may come before or after its optional values', async () => {
  for (const place of [(ok, no) => [ok, no, true, 1], (ok, no) => [true, 1, ok, no], (ok) => [true, 1, ok], (ok) => [ok, undefined, true, 1], (ok) => [ok, true, 1]]) {
    const { world, client } = newClient();
    await client.init('demo');
    const told = [];
    client.join(null, 'r1', 'alice', ...place((uid) => told.push(uid), () => told.push('failure')));
    await world.socket.open();
    await world.socket.grant('join', joinReply({ uid: 'alice' }));
    assert.deepEqual(told, ['alice']);
    const publishing = client.publish();
    assert.equal(world.socket.last('publish').video, false);
    await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
    assert.equal(await publishing, PUSH);
  }
});

test('no token in any of its forms is no token', async () => {
  for (const token of [undefined, null, '']) {
    const { world, client } = newClient();
    await client.init('demo');
    client.join(token, 'r1', 1);
    await world.socket.open();
    assert.equal('token' in world.socket.last('join'), false);
  }
});

test('whoever names no uid gets one of at most ten million', async () => {
  for (const [uid, random, expected] of [[undefined, 0, 1], [null, 0.5, 5_000_001], [0, 0.99999999, 10_000_000], ['', 0, 1]]) {
    const { world, client } = newClient();
    world.random = () => random;
    await client.init('demo');
    client.join(null, 'r1', uid);
    await world.socket.open();
    assert.equal(world.socket.last('join').uid, expected);
  }
});

test('arguments that cannot be are refused before anything is sent', async () => {
  const bad = [
    [7, 'r1', 1], ['null', 'r1', 1], [null, '', 1], [null, 'null', 1], [null, 'x'.repeat(129), 1], [null, 7, 1],
    [null, 'r1', -1], [null, 'r1', 2 ** 32], [null, 'r1', 'alice'], [null, 'r1', {}], [null, 'r1', '  ', false, 1], [null, 'r1', 5, false, 1],
  ];
  for (const args of bad) {
    const { world, client } = newClient();
    await client.init('demo');
    const failures = [];
    const error = await failure(client.join(...args, undefined, undefined, () => failures.push('success')));
    assert.equal(error.code, 401, JSON.stringify(args));
    assert.equal(typeof error.reason, 'string');
    assert.equal(world.sockets.length, 0);
  }
});

test('without init there is nothing to join', async () => {
  const { client } = newClient();
  const error = await failure(client.join(null, 'r1', 1));
  assert.match(error.message, /init/);
});

test('a second join changes nothing and tells no uid, also while the first is under way', async () => {
  const { world, client } = newClient();
  await client.init('demo');
  const joins = [client.join(null, 'r1', 1), client.join(null, 'r1', 1)];
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1 }));
  assert.deepEqual(await Promise.all(joins), [1, undefined]);
  assert.equal(await client.join(null, 'r1', 1), undefined);
  assert.equal(world.sockets.length, 1);
});

test('a client without a server says that it found none, once joining is asked for', async () => {
  for (const options of [{ servers: [] }, { servers: ['nonsense'] }, { servers: null }]) {
    const { client } = newClient(options);
    await client.init('demo');
    assert.equal((await failure(client.join(null, 'r1', 1))).code, 901);
  }
});

test('servers are tried one after the other, and code 905 says that none answers', async () => {
  const { world, client } = newClient({ servers: ['https://a.example', 'wss://b.example'] });
  await client.init('demo');
  const joining = failure(client.join(null, 'r1', 1));
  const tried = new Set();
  for (let turn = 0; turn < 6; turn += 1) {
    tried.add(world.socket.url);
    await world.socket.drop();
    await world.pass(10_000);
  }
  assert.deepEqual([...tried], ['wss://a.example/signal', 'wss://b.example/signal']);
  assert.equal((await joining).code, 905);
  assert.equal(world.timers, 0);
});

test('the server comes from withServer, from apUrl or from servers, the nearest first', async () => {
  const { Client } = agora.withServer('https://one.example');
  for (const [options, url] of [[{}, 'wss://one.example/signal'], [{ apUrl: 'https://two.example' }, 'wss://two.example/signal'],
    [{ apUrl: 'https://two.example', servers: ['wss://three.example'] }, 'wss://three.example/signal'],
    [{ servers: 'wss://four.example' }, 'wss://four.example/signal']]) {
    const { world } = newClient();
    const client = new Client({ ...options, platform: world.platform });
    await client.init('demo');
    client.join(null, 'r1', 1);
    await settle();
    assert.equal(world.socket.url, url);
  }
});

test('calls that need a channel reject without one, with code 904 and without onFailure', async () => {
  const { client } = newClient();
  const called = [];
  const ok = () => called.push('success');
  const no = () => called.push('failure');
  const calls = [
    client.publish(ok, no), client.unpublish(ok, no), client.subscribe(2, ok, no), client.unsubscribe(2, ok, no),
    client.mute(2, 'audio', ok, no), client.unmute(2, 'audio', ok, no), client.muteLocal('audio', ok, no),
    client.unmuteLocal('all', ok, no), client.renewToken('t', ok, no), client.setRemoteVideoStreamType(2, 1, ok, no),
    client.updatePushUrl(ok, no), client.send({}, ok, no),
  ];
  for (const call of calls) {
    const error = await failure(call);
    assert.deepEqual([error.code, error.message], [904, 'Disconnected from server']);
  }
  assert.deepEqual(called, []);
});

test('publishing gives an address, again a new one, and unpublishing ends it', async () => {
  const { world, client } = await inChannel();
  const told = [];
  const publishing = client.publish((url) => told.push(url));
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  assert.equal(await publishing, PUSH);
  const again = client.updatePushUrl();
  await world.socket.grant('publish', { stream: 'camera', rtmp: `${PUSH}2` });
  assert.deepEqual(await again, { url: `${PUSH}2` });
  assert.deepEqual(told, [PUSH]);
  const ending = client.unpublish();
  await world.socket.grant('unpublish');
  await ending;
  const never = client.unpublish();
  await world.socket.refuse('unpublish', 'not_published');
  await never;
});

test('subscribing tells address and rotation, as two arguments and as one object', async () => {
  const turned = { ...camera, attributes: { rotation: '90' } };
  const { world, client } = await inChannel({ participants: [participant(2, [turned])] });
  const told = [];
  const subscribing = client.subscribe('2', (...args) => told.push(args), undefined, { audio: true, video: false });
  assert.deepEqual([world.socket.last('subscribe').uid, world.socket.last('subscribe').video], [2, false]);
  await world.socket.grant('subscribe', play(2));
  assert.deepEqual(await subscribing, { url: play(2).rtmp, rotation: 90 });
  assert.deepEqual(told, [[play(2).rtmp, 90]]);
  const ending = client.unsubscribe(2);
  await world.socket.grant('unsubscribe');
  await ending;
});

test('whoever is no number, or wants nothing, cannot be subscribed to', async () => {
  const { client } = await inChannel();
  for (const uid of [undefined, null, 0, -1, 1.5, 'alice', {}, Number.NaN]) {
    const told = [];
    const error = await failure(client.subscribe(uid, undefined, undefined, () => told.push('success')));
    assert.match(error.message, /uid/);
  }
  assert.equal((await failure(client.subscribe(2, { audio: false, video: false }))).code, 401);
});

test('subscribing to a uid that has left says so', async () => {
  const { world, client, news } = await inChannel({ participants: [participant(2, [camera])] });
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 2, reason: 'left' });
  assert.deepEqual(news(), [['stream-added', { uid: 2 }], ['stream-removed', { uid: 2 }]]);
  const failures = [];
  const subscribing = failure(client.subscribe(2, () => {}, (error) => failures.push(error.code)));
  await world.socket.refuse('subscribe', 'no_such_participant');
  assert.deepEqual([(await subscribing).code, failures], [432, [432]]);
});

test('muting somebody takes their track out of what is received, and tells the address that follows', async () => {
  const { world, client, news } = await inChannel({ participants: [participant(2, [camera])] });
  const subscribing = client.subscribe(2);
  await world.socket.grant('subscribe', play(2));
  await subscribing;
  news();
  const muting = client.mute(2, 'video');
  assert.deepEqual([world.socket.last('subscribe').audio, world.socket.last('subscribe').video], [true, false]);
  await world.socket.grant('subscribe', play(2, 'c'));
  await muting;
  assert.deepEqual(news(), [['update-url', { uid: 2, url: play(2, 'c').rtmp }]]);
  const both = client.mute(2, 'all');
  await world.socket.grant('unsubscribe');
  await both;
  assert.deepEqual(news(), []);
  const back = client.unmute(2, 'all');
  await world.socket.grant('subscribe', play(2, 'd'));
  await back;
  assert.deepEqual(news(), [['update-url', { uid: 2, url: play(2, 'd').rtmp }]]);
  await client.unmute(2, 'audio');
  assert.equal((await failure(client.mute(3, 'audio'))).reason, 'not_subscribed');
  assert.match((await failure(client.mute(2, 'sound'))).message, /target/);
});

test('a mute that is refused leaves what was wanted as it was', async () => {
  const { world, client } = await inChannel({ participants: [participant(2, [camera])] });
  const subscribing = client.subscribe(2);
  await world.socket.grant('subscribe', play(2));
  await subscribing;
  const muting = failure(client.mute(2, 'video'));
  await world.socket.refuse('subscribe', 'rate_limited');
  assert.equal((await muting).code, 429);
  const again = client.mute(2, 'video');
  await world.socket.grant('subscribe', play(2, 'c'));
  await again;
});

test('muting oneself tells the server, and holds for what is published later', async () => {
  const { world, client } = await inChannel();
  await client.muteLocal('audio');
  assert.ok(!world.socket.asked.includes('mute'));
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  const { kind, muted } = world.socket.last('mute');
  assert.deepEqual([kind, muted], ['audio', true]);
  await world.socket.grant('mute', { state: 'muted' });
  await publishing;
  const unmuting = client.unmuteLocal('audio');
  assert.equal(world.socket.last('mute').muted, false);
  await world.socket.grant('mute', { state: 'live' });
  await unmuting;
});

test('a voice call has no pictures to mute', async () => {
  const { world, client } = await inChannel({}, {}, [true]);
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  await client.muteLocal('video');
  assert.ok(!world.socket.asked.includes('mute'));
});

test('the audience says so on joining, and everybody else joins with what the token allows', async () => {
  for (const [role, asked] of [['broadcaster', undefined], ['audience', 'audience'], [null, undefined]]) {
    const { world, client } = newClient();
    assert.equal(client.role, 'audience');
    await client.init('demo');
    if (role !== null) await client.setRole(role);
    client.join(null, 'r1', 1);
    await world.socket.open();
    assert.equal(world.socket.last('join').role, asked);
  }
});

test('a role in the channel is asked of the server, and one that does not exist has code 431', async () => {
  const { world, client } = await inChannel();
  const told = [];
  const changing = client.setRole('audience', (...args) => told.push(args));
  assert.equal(world.socket.last('set_role').role, 'audience');
  await world.socket.grant('set_role', { role: 'audience' });
  await changing;
  assert.deepEqual([client.role, told], ['audience', [[]]]);
  const publishing = failure(client.publish());
  await world.socket.refuse('publish', 'not_host');
  assert.equal((await publishing).code, 434);
  assert.equal((await failure(client.setRole('host'))).code, 431);
});

test('a role that is chosen while joining is asked for once it has joined', async () => {
  const { world, client } = newClient();
  await client.init('demo');
  client.join(null, 'r1', 1);
  const changing = client.setRole('audience');
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1 }));
  await world.socket.grant('set_role', { role: 'audience' });
  await changing;
  assert.equal(client.role, 'audience');
});

test('a token that allows less makes audience, and the role says so', async () => {
  const { world, client } = await inChannel();
  const changing = client.setRole('broadcaster');
  await world.socket.grant('set_role', { role: 'host' });
  await changing;
  client.renewToken('of a subscriber');
  await world.socket.grant('renew_token', { role: 'audience' });
  assert.equal(client.role, 'audience');
});

test('leaving tells the server, can be done at any time, and the client can join again', async () => {
  const { world, client } = await inChannel();
  const leaving = client.leave();
  await world.socket.grant('leave');
  await leaving;
  assert.deepEqual([client.isConnected(), world.timers, world.socket.closed], [false, 0, true]);
  await client.leave();
  await client.destroy();
  const joining = client.join(null, 'r2', 1);
  await settle();
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1 }));
  assert.equal(await joining, 1);
});

test('destroying in the midst of joining ends it with code 904 and leaves nothing', async () => {
  for (const prepare of [async () => {}, (world) => world.socket.open()]) {
    const { world, client, news } = newClient();
    await client.init('demo');
    const codes = [];
    const joining = failure(client.join(null, 'r1', 1, () => codes.push('success'), ({ code }) => codes.push(code)));
    await prepare(world);
    const destroying = client.destroy();
    await world.pass(3_000);
    await destroying;
    assert.equal((await joining).code, 904);
    assert.deepEqual([codes, world.timers, news()], [[904], 0, []]);
  }
});

test('what cannot be honoured is refused', async () => {
  const { client } = await inChannel();
  const told = [];
  const relay = new agora.ChannelMediaRelayConfiguration();
  relay.setSrcChannelInfo({ channelName: 'r1' });
  relay.setDestChannelInfo('r2', { channelName: 'r2' });
  relay.removeDestChannelInfo('r2');
  const calls = [
    client.send({ action: 'x' }), agora.LOG.uploadLogs(undefined, ({ code }) => told.push(code)),
    client.startChannelMediaRelay(relay, ({ code }) => told.push(code)), client.updateChannelMediaRelay(relay), client.stopChannelMediaRelay(),
  ];
  for (const call of calls) {
    const { code, reason } = await failure(call);
    assert.deepEqual([code, reason], [401, 'not_supported']);
  }
  assert.deepEqual(told, [401, 401]);
  client.setAudioCodec('AAC');
});

test('either quality of a stream is the one that it has', async () => {
  const { client } = await inChannel({ participants: [participant(2, [camera])] });
  await client.setRemoteVideoStreamType(2, 1);
  assert.equal((await failure(client.setRemoteVideoStreamType(3, 0))).code, 432);
  assert.equal((await failure(client.setRemoteVideoStreamType(2, 'low'))).code, 401);
});
