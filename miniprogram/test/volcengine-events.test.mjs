import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle } from '../../web-client/test/core-world.mjs';
import { EVENTS } from '../src/volcengine/index.js';
import { page, pageInRoom, PLAY, publish, PUSH, refused, SHARE, subscribe, TOKEN } from './volcengine-world.mjs';

const screen = { ...camera, stream: 'screen' };
const bob = participant('bob', [camera]);
const BOB = { uid: 'bob', screen: false };
const ON = { audio: true, video: true };

/** @param {number} seq @param {'audio' | 'video'} kind @param {string} state */
const muted = (seq, kind, state, more = {}) => ({ seq, event: 'muted', uid: 'bob', stream: 'camera', kind, state, ...more });

test('users and streams that are there already come after the callback of join has run', async () => {
  const { client, world, news, listen } = page();
  client.removeAllListeners();
  client.init('demo');
  let called = false;
  client.join(TOKEN, 'r1', 'alice', () => {
    called = true;
    listen();
  });
  await world.socket.open();
  await world.socket.grant('join', joinReply({ participants: [participant('bob', [camera, screen])] }));
  assert.deepEqual([called, news()], [true, []]);
  await world.pass(0);
  assert.deepEqual(news(), [
    ['PEER_ONLINE', { uid: 'bob' }],
    ['STREAM_ADDED', { ...BOB, streamPublishState: ON }],
    ['STREAM_ADDED', { uid: 'bob', screen: true, streamPublishState: ON }],
  ]);
});

test('a stream comes and goes with publishing, its user with the room', async () => {
  const { world, news } = await pageInRoom();
  await world.socket.say({ seq: 1, event: 'participant_joined', participant: participant('bob') });
  await world.socket.say({ seq: 2, event: 'stream_published', uid: 'bob', stream: 'screen', audio: 'absent', video: 'live' });
  await world.socket.say({ seq: 3, event: 'stream_unpublished', uid: 'bob', stream: 'screen' });
  await world.socket.say({ seq: 4, event: 'stream_published', uid: 'bob', ...camera });
  await world.socket.say({ seq: 5, event: 'participant_left', uid: 'bob', reason: 'left' });
  assert.deepEqual(news(), [
    ['PEER_ONLINE', { uid: 'bob' }],
    ['STREAM_ADDED', { uid: 'bob', screen: true, streamPublishState: { audio: false, video: true } }],
    ['STREAM_REMOVED', { uid: 'bob', screen: true }],
    ['STREAM_ADDED', { ...BOB, streamPublishState: ON }],
    ['STREAM_REMOVED', BOB],
    ['PEER_LEAVE', { uid: 'bob' }],
  ]);
});

test('numeric user IDs of other SDKs are texts, and calls reach them', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [participant(42, [camera])] } });
  assert.deepEqual(inRoom.news().map(([, { uid }]) => uid), ['42', '42']);
  assert.equal(await subscribe(inRoom, { ...PLAY, uid: '42' }), PLAY.rtmp);
  inRoom.client.reportPlayerStateChange('42', -2301, 'lost');
  assert.deepEqual(inRoom.news().map(([name, { uid }]) => [name, uid]), [['STREAM_FAILED', '42']]);
});

test('one track muted is told as such while the other is on', async () => {
  const { world, news } = await pageInRoom({ reply: { participants: [bob] } });
  news();
  await world.socket.say(muted(1, 'video', 'muted'), muted(2, 'video', 'live'), muted(3, 'audio', 'muted'), muted(4, 'audio', 'live'));
  assert.deepEqual(news(), [['MUTE_VIDEO', BOB], ['UNMUTE_VIDEO', BOB], ['MUTE_AUDIO', BOB], ['UNMUTE_AUDIO', BOB]]);
});

test('with both tracks muted the stream is gone, and back with the first that is on again', async () => {
  const { world, news } = await pageInRoom({ reply: { participants: [bob] } });
  news();
  await world.socket.say(muted(1, 'video', 'muted'), muted(2, 'audio', 'muted'), muted(3, 'video', 'live'), muted(4, 'audio', 'live'));
  assert.deepEqual(news(), [
    ['MUTE_VIDEO', BOB], ['STREAM_REMOVED', BOB],
    ['STREAM_ADDED', { ...BOB, streamPublishState: { audio: false, video: true } }], ['UNMUTE_AUDIO', BOB],
  ]);
});

test('a stream that begins with both tracks muted is told of only when one is on', async () => {
  const { world, news } = await pageInRoom({ reply: { participants: [participant('bob', [{ stream: 'camera', audio: 'muted', video: 'muted' }])] } });
  assert.deepEqual(news().map(([name]) => name), ['PEER_ONLINE']);
  await world.socket.say(muted(1, 'audio', 'live'));
  assert.deepEqual(news(), [['STREAM_ADDED', { ...BOB, streamPublishState: { audio: true, video: false } }]]);
});

test('a track that an admin blocks or that ends counts as muted', async () => {
  const { world, news } = await pageInRoom({ reply: { participants: [bob] } });
  news();
  await world.socket.say(muted(1, 'audio', 'blocked', { by: 'carol' }));
  await world.socket.say({ seq: 2, event: 'stream_changed', uid: 'bob', stream: 'camera', audio: 'live', video: 'absent' });
  assert.deepEqual(news(), [['MUTE_AUDIO', BOB], ['UNMUTE_AUDIO', BOB], ['MUTE_VIDEO', BOB]]);
});

test('true disables since 3.1.0, and enables where pages of an earlier version say so', async () => {
  for (const [bound, wanted] of [[{}, [true, false]], [{ mutePolarity: 'before-3.1.0' }, [false, true]]]) {
    const inRoom = await pageInRoom({ bound });
    const { client, world } = inRoom;
    await publish(inRoom);
    const muting = client.muteLocal({ audio: true, video: false });
    await settle();
    const asked = world.socket.sent.filter(({ type }) => type === 'mute');
    assert.deepEqual(asked.map(({ kind, muted: on }) => [kind, on]), [['audio', wanted[0]], ['video', wanted[1]]]);
    for (const { id, muted: on } of asked) await world.socket.say({ id, ok: { state: on ? 'muted' : 'live' } });
    await muting;
  }
});

test('muting one track leaves the other as it is, and a block by an admin refuses it', async () => {
  const inRoom = await pageInRoom();
  const { client, world } = inRoom;
  await publish(inRoom);
  const muting = client.muteLocal({ video: false });
  await world.socket.refuse('mute', 'blocked');
  await refused(muting, 'MUTE_LOCAL_ERROR', /^blocked: /);
  assert.deepEqual(world.socket.sent.filter(({ type }) => type === 'mute').map(({ kind }) => kind), ['video']);
});

test('muting somebody subscribes to less, and brings a new address', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world, news } = inRoom;
  await subscribe(inRoom);
  news();
  const muting = client.muteRemote('bob', { audio: true });
  await world.socket.grant('subscribe', { ...PLAY, rtmp: `${PLAY.rtmp}2` });
  await muting;
  const { audio, video, stream } = world.socket.last('subscribe');
  assert.deepEqual([stream, audio, video], ['camera', false, true]);
  assert.deepEqual(news(), [['UPDATE_URL', { ...BOB, url: `${PLAY.rtmp}2` }]]);
  const asked = world.socket.sent.length;
  await client.muteRemote('bob', { audio: true });
  await client.muteRemote('bob', { video: false });
  assert.equal(world.socket.sent.length, asked, 'what changes nothing asks for nothing');
});

test('with everything of somebody muted nothing is received until something is wanted again', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world, news } = inRoom;
  await subscribe(inRoom);
  news();
  const muting = client.muteRemote('bob', { audio: true, video: true });
  await world.socket.grant('unsubscribe');
  await muting;
  client.reportPlayerStateChange('bob', -2301, 'its connection was closed');
  assert.deepEqual(news(), []);
  const unmuting = client.muteRemote('bob', { video: false });
  await world.socket.grant('subscribe', { ...PLAY, rtmp: `${PLAY.rtmp}2` });
  await unmuting;
  assert.deepEqual(news(), [['UPDATE_URL', { ...BOB, url: `${PLAY.rtmp}2` }]]);
});

test('the older polarity holds for muting others too, and their screens are muted apart', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [participant('bob', [camera, screen])] }, bound: { mutePolarity: 'before-3.1.0' } });
  const { client, world, news } = inRoom;
  await subscribe(inRoom, SHARE);
  news();
  await refused(client.muteRemote('bob', { audio: false }), 'STREAM_ID_NOT_FOUND');
  const muting = client.muteRemote('bob', { audio: false, video: true, screen: true });
  await world.socket.grant('subscribe', { ...SHARE, rtmp: `${SHARE.rtmp}2` });
  await muting;
  const { audio, video, stream } = world.socket.last('subscribe');
  assert.deepEqual([stream, audio, video], ['screen', false, true]);
  assert.deepEqual(news(), [['UPDATE_URL', { uid: 'bob', screen: true, url: `${SHARE.rtmp}2` }]]);
});

test('muting somebody fails for whom nobody has subscribed to, and changes nothing if the server refuses', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world } = inRoom;
  await refused(client.muteRemote('carol', { audio: true }), 'UID_NOT_FOUND');
  await refused(client.muteRemote('bob', { audio: true }), 'STREAM_ID_NOT_FOUND');
  await subscribe(inRoom);
  const muting = client.muteRemote('bob', { audio: true });
  await world.socket.refuse('subscribe', 'too_many_tickets');
  await refused(muting, 'MUTE_REMOTE_ERROR', /^too_many_tickets: /);
  client.muteRemote('bob', { video: true });
  await settle();
  const { audio, video } = world.socket.last('subscribe');
  assert.deepEqual([audio, video], [true, false]);
});

test('a pusher or player that gives up is told once, and publishing gives a new address after it', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, news } = inRoom;
  await publish(inRoom);
  await subscribe(inRoom);
  news();
  client.reportPusherStateChange(1002, 'pushing');
  client.reportPusherStateChange(-1307, 'lost');
  client.reportPusherStateChange(-1307, 'lost');
  client.reportPlayerStateChange('bob', 2004, 'playing');
  client.reportPlayerStateChange('bob', 2103, 'retrying');
  client.reportPlayerStateChange('bob', -2301, 'lost');
  assert.deepEqual(news(), [
    ['STREAM_FAILED', { uid: 'alice', screen: false, reason: 'live-pusher reported -1307' }],
    ['STREAM_FAILED', { ...BOB, reason: 'live-player reported -2301' }],
  ]);
  assert.equal(await publish(inRoom, `${PUSH}2`), `${PUSH}2`);
  await refused(client.publish(), 'ALREADY_PUBLISHED');
});

test('a report about a player counts for the camera and the screen, unless it says for which', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [participant('bob', [camera, screen])] } });
  const { client, news } = inRoom;
  await subscribe(inRoom);
  await subscribe(inRoom, SHARE);
  news();
  client.reportPlayerStateChange('bob', -2301, 'lost', true);
  assert.deepEqual(news().map(([, { screen: of }]) => of), [true]);
  client.reportPlayerStateChange('bob', -2301, 'lost');
  assert.deepEqual(news().map(([, { screen: of }]) => of), [false]);
});

test('the figures of the components reach the server, and nonsense does no harm', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world, news } = inRoom;
  await publish(inRoom);
  await subscribe(inRoom);
  news();
  for (const info of [undefined, null, 7, 'x', []]) {
    client.reportPusherNetStatusChange(info);
    client.reportPlayerNetStatusChange(undefined, info);
    client.reportPusherStateChange(info, info);
    client.reportPlayerStateChange('bob', info);
  }
  await world.pass(2_000);
  client.reportPlayerNetStatusChange('bob', { videoBitrate: 400, audioBitrate: 40, netSpeed: 500 });
  await settle();
  assert.deepEqual(world.socket.last('stats').streams, [{ uid: 'bob', stream: 'camera', kbps: 440 }]);
  assert.deepEqual(news(), []);
});

test('what the server ends of one\'s own has failed, what the page ends has not', async () => {
  const inRoom = await pageInRoom();
  const { client, world, news } = inRoom;
  await publish(inRoom);
  const ending = client.unpublish();
  await world.socket.grant('unpublish');
  await ending;
  await publish(inRoom);
  const hiding = client.setUserVisibility(false);
  await world.socket.grant('set_role', { role: 'audience' });
  await hiding;
  const showing = client.setUserVisibility(true);
  await world.socket.grant('set_role', { role: 'host' });
  await showing;
  await publish(inRoom);
  assert.deepEqual(news(), []);
  await world.socket.say({ seq: 1, event: 'stream_unpublished', uid: 'alice', stream: 'camera' });
  assert.deepEqual(news().map(([name, { uid }]) => [name, uid]), [['STREAM_FAILED', 'alice']]);
  assert.equal(await publish(inRoom, `${PUSH}2`), `${PUSH}2`);
});

test('an invisible user joins as audience, and is told to nobody', async () => {
  const { client, world } = page();
  await client.setUserVisibility(false);
  client.init('demo');
  client.join(TOKEN, 'r1', 'alice');
  await world.socket.open();
  assert.equal(world.socket.last('join').role, 'audience');

  const other = await pageInRoom({ reply: { participants: [participant('carol', [], { role: 'audience' }), bob] } });
  assert.deepEqual(other.news().map(([name, { uid }]) => [name, uid]), [['PEER_ONLINE', 'bob'], ['STREAM_ADDED', 'bob']]);
  const changed = (seq, role) => ({ seq, event: 'role_changed', uid: 'carol', role });
  await other.world.socket.say(changed(1, 'host'), changed(2, 'audience'), changed(3, 'host'));
  await other.world.socket.say({ seq: 4, event: 'participant_left', uid: 'carol', reason: 'left' });
  assert.deepEqual(other.news().map(([name]) => name), ['PEER_ONLINE', 'PEER_LEAVE', 'PEER_ONLINE', 'PEER_LEAVE']);
});

test('becoming visible is refused without the privilege to publish', async () => {
  const { client, world } = await pageInRoom({ reply: { role: 'audience' } });
  const showing = client.setUserVisibility(true);
  await world.socket.refuse('set_role', 'role_not_allowed');
  await refused(showing, 'PUBLISH_ERROR', /^role_not_allowed: /);
});

test('a connection that comes back within the session is not noticed, and what was asked meanwhile is answered', async () => {
  const inRoom = await pageInRoom({ reply: { participants: [bob] } });
  const { client, world, news } = inRoom;
  news();
  await world.socket.drop();
  const publishing = client.publish();
  await world.pass(1_000);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  assert.equal(await publishing, PUSH);
  assert.deepEqual(news(), []);
});

test('a lost session and a connection that stays away are told once, and the page may join again', async () => {
  for (const [lose, end] of [
    [async (world) => {
      await world.pass(1_000);
      await world.socket.open();
      await world.socket.refuse('resume', 'resume_impossible');
    }, { code: 4003, reason: 'session_lost' }],
    [(world) => world.pass(15_000), { code: 1006, reason: 'unreachable' }],
  ]) {
    const inRoom = await pageInRoom({ reply: { participants: [bob] } });
    const { client, world, news } = inRoom;
    await publish(inRoom);
    await subscribe(inRoom);
    news();
    await world.socket.drop();
    const muting = client.muteLocal({ audio: true });
    await lose(world);
    await refused(muting, 'WEBSOCKET_NOT_CONNECTED');
    assert.deepEqual(news(), [['DISCONNECT', end], ['CLOSE', end]]);
    assert.deepEqual([client.state, world.timers], ['disconnected', 0]);
    await refused(client.publish(), 'NOT_IN_ROOM');
    const again = client.join(TOKEN, 'r1', 'alice');
    await world.socket.open();
    await world.socket.grant('join', joinReply({ session: 's2' }));
    assert.equal(await again, 'alice');
  }
});

test('who destroys the client or joins again on DISCONNECT hears no CLOSE', async () => {
  for (const act of [(client) => client.destroy(), (client) => client.join(TOKEN, 'r1', 'alice')]) {
    const { client, world, news } = await pageInRoom();
    client.on(EVENTS.DISCONNECT, () => act(client));
    await world.socket.drop();
    await world.pass(15_000);
    assert.deepEqual(news().map(([name]) => name), ['DISCONNECT']);
    client.destroy();
  }
});

test('a uid that joins elsewhere, and one that an admin removes, is banned', async () => {
  for (const reason of ['replaced', 'kicked', 'banned', 'room_closed']) {
    const { client, world, news } = await pageInRoom();
    await world.socket.say({ seq: 1, event: 'session_ended', reason, message: 'bye' });
    assert.deepEqual([news(), client.state, world.timers], [[['CLIENT_BANNED']], 'disconnected', 0]);
  }
});

test('with an expired token the page may join again, with a new one', async () => {
  const { world, news } = await pageInRoom();
  await world.socket.say({ seq: 1, event: 'token_expiring', seconds: 30 });
  await world.socket.say({ seq: 2, event: 'session_ended', reason: 'token_expired' });
  const end = { code: 4003, reason: 'token_expired' };
  assert.deepEqual(news(), [['DISCONNECT', end], ['CLOSE', end]]);
});

test('listeners are removed one by one, by event, or all', async () => {
  const { client, world, news } = await pageInRoom();
  const heard = [];
  const [first, second] = [() => heard.push(1), () => heard.push(2)];
  client.on(EVENTS.PEER_ONLINE, first);
  client.on(EVENTS.PEER_ONLINE, second);
  client.off(EVENTS.PEER_ONLINE, first);
  const join = (seq, uid) => ({ seq, event: 'participant_joined', participant: participant(uid) });
  await world.socket.say(join(1, 'bob'));
  client.off(EVENTS.PEER_ONLINE);
  await world.socket.say(join(2, 'carol'), { seq: 3, event: 'participant_left', uid: 'carol', reason: 'left' });
  client.removeAllListeners();
  await world.socket.say(join(4, 'dave'));
  assert.deepEqual(heard, [2]);
  assert.deepEqual(news().map(([name]) => name), ['PEER_ONLINE', 'PEER_LEAVE']);
});
