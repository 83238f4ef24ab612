import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, signalUrl } from '../core/client.js';
import { camera, joinReply, participant, settle, without, World } from './core-world.mjs';

const NAMES = [
  'connection-state-change', 'user-joined', 'user-left', 'user-published', 'user-unpublished', 'track-state', 'role-changed',
  'platform-changed', 'user-connection', 'stream-attribute', 'room-attribute', 'message', 'network-quality', 'publish-limits', 'sei',
  'token-privilege-will-expire', 'token-privilege-did-expire', 'local-unpublished', 'local-track-state', 'local-role-changed',
  'subscription-ended', 'session-ended', 'exception',
];

/** Writes down what it is asked, and answers offers when the test says so. */
class FakeMedia {
  /** @type {string[]} */
  calls = [];
  /** @type {((sdp: string) => void)[]} */
  answers = [];

  publish(media) {
    this.calls.push(`publish ${media.stream} ${media.rtmp ?? ''}`.trim());
  }

  unpublish(stream) {
    this.calls.push(`unpublish ${stream}`);
  }

  subscribe(media) {
    this.calls.push(`subscribe ${media.uid} ${media.stream} ${media.rtmp ?? ''}`.trim());
  }

  unsubscribe(uid, stream) {
    this.calls.push(`unsubscribe ${uid} ${stream}`);
  }

  offer(revision) {
    this.calls.push(`offer ${revision}`);
    return new Promise((resolve) => this.answers.push(resolve));
  }

  resumed() {
    this.calls.push('resumed');
  }

  reset() {
    this.calls.push('reset');
  }

  close() {
    this.calls.push('close');
  }
}

/** @param {object} [options] */
function clientOf(options = {}) {
  const world = new World();
  const media = new FakeMedia();
  /** @type {string[]} */
  const heard = [];
  const made = { uplink: null };
  const client = new Client({
    server: 'https://example.com',
    platform: world.platform,
    kind: 'web',
    createMedia: (uplink) => {
      made.uplink = uplink;
      return media;
    },
    ...options,
  });
  for (const name of NAMES) {
    client.on(name, (...args) => heard.push([name, ...args.map((arg) => arg?.uid ?? arg?.code ?? arg)].join(' ').trim()));
  }
  /** What was heard since the last time, but for states of the connection. */
  const news = () => heard.splice(0).filter((line) => !line.startsWith('connection-state-change'));
  return { world, media, client, heard, news, made };
}

/** @param {object} [reply] @param {object} [options] */
async function inRoom(reply = {}, options = {}) {
  const made = clientOf(options);
  const joining = made.client.join({ app: 'demo', room: 'r1', uid: 'alice', token: 't' });
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply(reply));
  await joining;
  await made.world.pass(0);
  made.news();
  return made;
}

/** @param {World} world @param {string} type @param {Promise<unknown>} asked @param {object} [ok] */
async function granted(world, type, asked, ok) {
  await settle();
  await world.socket.grant(type, ok);
  return asked;
}

/** @param {number} revision @param {number} seq */
const offer = (revision, seq) => ({ seq, event: 'offer', revision, sdp: `v=${revision}`, mids: {} });
const published = () => ({ stream: 'camera' });
const subscribed = (uid = 'bob') => ({ uid, stream: 'camera' });

/** Loses the session and joins again. @param {World} world @param {object} [reply] */
async function rejoin(world, reply = {}) {
  await world.socket.drop();
  await world.pass(1000);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.grant('join', joinReply({ session: 's2', ...reply }));
}

test('tells who is there only after whoever joined knows that they have', async () => {
  const { world, client, heard, news } = clientOf();
  const joining = client.join({ app: 'demo', room: 'r1', uid: 'alice', token: null }).then((uid) => heard.push(`joined as ${uid}`));
  await world.socket.open();
  assert.deepEqual(world.socket.sent, [{ id: 1, type: 'join', version: 1, app: 'demo', room: 'r1', uid: 'alice', platform: 'web' }]);
  await world.socket.say(
    { id: 1, ok: joinReply({ participants: [participant('bob', [camera])] }) },
    { seq: 1, event: 'participant_left', uid: 'bob', reason: 'left' },
  );
  await joining;
  await world.pass(0);
  assert.deepEqual(news(), [
    'joined as alice', 'user-joined bob', 'user-published bob audio camera', 'user-published bob video camera',
    'user-unpublished bob audio camera', 'user-unpublished bob video camera', 'user-left bob left',
  ]);
  assert.equal(world.socket.url, 'wss://example.com/signal');
});

test('without a uid a number is drawn, without a role the token decides, and a role set before is asked for', async () => {
  const { world, client } = clientOf({ kind: 'miniprogram', capabilities: ['h264'] });
  await client.setClientRole('audience');
  world.random = () => 0.999999999999;
  const joining = client.join({ app: 'demo', room: 'r1' });
  await world.socket.open();
  const { uid, role, platform, capabilities } = world.socket.last('join');
  assert.deepEqual([uid, role, platform, capabilities], [0xffff_fffe, 'audience', 'miniprogram', ['h264']]);
  await world.socket.grant('join', joinReply({ uid, role }));
  assert.equal(await joining, uid);
  assert.equal(client.role, 'audience');
  await assert.rejects(client.setClientRole(/** @type {'host'} */ ('king')), { code: 'INVALID_PARAMS' });
});

test('only what makes sense is asked, and only in a room', async () => {
  const { client } = await inRoom();
  await assert.rejects(client.join({ app: 'demo', room: 'r2' }), { code: 'INVALID_OPERATION', reason: 'in_room' });
  await assert.rejects(client.publish('camera', { audio: false, video: false }), { code: 'INVALID_PARAMS' });
  await assert.rejects(client.subscribe('bob', 'camera', { audio: false, video: false }), { code: 'INVALID_PARAMS' });
  const outside = clientOf().client;
  for (const asked of [outside.publish('camera', { audio: true, video: true }), outside.sendMessage('x'), outside.renewToken('t')]) {
    await assert.rejects(asked, { code: 'INVALID_OPERATION', reason: 'not_connected' });
  }
  assert.throws(() => clientOf({ server: 'example.com' }), { code: 'INVALID_PARAMS', data: { field: 'server' } });
});

test('the address of the server may be written in several ways', () => {
  assert.equal(signalUrl('http://127.0.0.1:8080'), 'ws://127.0.0.1:8080/signal');
  assert.equal(signalUrl('HTTPS://example.com/'), 'wss://example.com/signal');
  assert.equal(signalUrl('wss://example.com/rtc/signal'), 'wss://example.com/rtc/signal');
});

test('media hear what the server granted, in the order of the signalling', async () => {
  const { world, media, client, news } = await inRoom({ participants: [participant('bob', [camera])] });
  const publishing = client.publish('camera', { audio: true, video: true, attributes: { title: 'a' } });
  await settle();
  const { id } = world.socket.last('publish');
  await world.socket.say({ id, ok: published() }, offer(1, 1));
  assert.deepEqual(await publishing, published());
  await granted(world, 'subscribe', client.subscribe('bob', 'camera', { video: false }), subscribed());
  assert.deepEqual(media.calls, ['publish camera', 'offer 1', 'subscribe bob camera']);
  assert.deepEqual(client.subscriptions, [{ uid: 'bob', stream: 'camera', audio: true, video: false, maxLayer: 'h' }]);
  await granted(world, 'unsubscribe', client.unsubscribe('bob', 'camera'));
  await granted(world, 'unpublish', client.unpublish('camera'));
  assert.deepEqual(media.calls.slice(3), ['unsubscribe bob camera', 'unpublish camera']);
  assert.deepEqual([client.publications, client.subscriptions, news()], [[], [], []]);
  const again = client.unpublish('camera');
  await settle();
  await world.socket.refuse('unpublish', 'not_published');
  await again;
});

test('layers are asked for, told, and asked for again in a new session', async () => {
  const { world, client } = await inRoom({ participants: [participant('bob', [camera])] });
  /** @type {unknown[]} */
  const wanted = [];
  client.on('layers-wanted', (...told) => wanted.push(told));
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true, layers: 3 }), published());
  await granted(world, 'subscribe', client.subscribe('bob', 'camera', { maxLayer: 'l' }), subscribed());
  await world.socket.say({ seq: 1, event: 'layers_wanted', stream: 'camera', layers: ['l', 'h'] });
  assert.deepEqual(wanted, [['camera', ['l', 'h']]]);
  await rejoin(world, { participants: [participant('bob', [camera])] });
  assert.equal(world.socket.last('publish').layers, 3);
  assert.equal(world.socket.last('subscribe').max_layer, 'l');
});

test('a mini-program gets addresses for its media', async () => {
  const { world, media, client } = await inRoom({}, { kind: 'miniprogram' });
  const reply = { stream: 'camera', rtmp: 'rtmp://example.com/demo/r1/alice?ticket=1' };
  assert.deepEqual(await granted(world, 'publish', client.publish('camera', { audio: true, video: true }), reply), reply);
  assert.deepEqual(media.calls, [`publish camera ${reply.rtmp}`]);
});

test('what is given up while it is being granted is given up', async () => {
  const { world, media, client } = await inRoom({ participants: [participant('bob', [camera])] });
  const asked = [
    client.publish('camera', { audio: true, video: true }), client.subscribe('bob', 'camera'),
    client.unpublish('camera'), client.unsubscribe('bob', 'camera'),
  ];
  await settle();
  await world.socket.grant('publish', published());
  await world.socket.grant('subscribe', subscribed());
  await world.socket.grant('unpublish');
  await world.socket.grant('unsubscribe');
  await Promise.all(asked);
  assert.deepEqual([client.publications, client.subscriptions], [[], []]);
  assert.deepEqual(media.calls, ['publish camera', 'subscribe bob camera', 'unpublish camera', 'unsubscribe bob camera']);
});

test('a stream that ends right after it was subscribed leaves no subscription behind', async () => {
  const { world, media, client, news } = await inRoom({ participants: [participant('bob', [camera])] });
  const asked = client.subscribe('bob', 'camera');
  await settle();
  const { id } = world.socket.last('subscribe');
  await world.socket.say({ id, ok: subscribed() }, { seq: 1, event: 'stream_unpublished', uid: 'bob', stream: 'camera' });
  await asked;
  assert.deepEqual(media.calls, ['subscribe bob camera', 'unsubscribe bob camera']);
  assert.deepEqual(client.subscriptions, []);
  assert.deepEqual(news(), ['user-unpublished bob audio camera', 'user-unpublished bob video camera', 'subscription-ended bob camera']);
});

test('every offer is answered with its revision, in order, and never two at once', async () => {
  const { world, media } = await inRoom();
  await world.socket.say(offer(1, 1));
  await world.socket.say(offer(2, 2), offer(3, 3));
  assert.deepEqual(media.calls, ['offer 1']);
  for (const at of [0, 1, 2]) {
    media.answers[at]?.(`answer ${at + 1}`);
    await settle();
  }
  assert.deepEqual(media.calls, ['offer 1', 'offer 2', 'offer 3']);
  const answers = world.socket.sent.filter(({ type }) => type === 'answer').map(({ revision, sdp }) => [revision, sdp]);
  assert.deepEqual(answers, [[1, 'answer 1'], [2, 'answer 2'], [3, 'answer 3']]);
});

test('an offer that comes while a connection is lost and back is answered once, and an answer taken already is no failure', async () => {
  const { world, media, news } = await inRoom();
  await world.socket.say(offer(1, 1));
  media.answers[0]?.('answer 1');
  await settle();
  await world.socket.drop();
  await world.pass(500);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  assert.deepEqual(world.socket.asked, ['resume', 'answer']);
  await world.socket.refuse('answer', 'stale_revision');
  assert.deepEqual([news(), world.sockets.length, media.calls], [[], 2, ['offer 1', 'resumed']]);
  await world.pass(60_000);
  assert.equal(world.sockets.length, 2);
});

test('an offer that cannot be answered, and an answer that is refused, make the core join anew, later every time', async () => {
  const { world, media, news } = await inRoom();
  media.offer = () => Promise.reject(Object.assign(new Error('bad'), { code: 'bad_sdp' }));
  await world.socket.say(offer(1, 1), offer(2, 2));
  assert.deepEqual(news(), ['exception bad_sdp']);
  assert.deepEqual(world.delays, [500]);
  await world.pass(500);
  await world.socket.open();
  assert.deepEqual(world.socket.asked, ['join']);
  await world.socket.grant('join', joinReply({ session: 's2' }));
  assert.equal(media.calls.at(-1), 'reset');
  media.offer = () => Promise.resolve('wrong');
  await world.socket.say(offer(1, 1));
  await world.socket.refuse('answer', 'bad_sdp');
  assert.deepEqual(news(), ['exception INVALID_OPERATION']);
  assert.deepEqual(world.delays, [1000]);
});

test('media that the server has lost, or that give up, make the core join anew', async () => {
  const { world, media, made } = await inRoom();
  const restarting = assert.rejects(made.uplink.iceRestart(), { reason: 'media_lost' });
  await world.socket.refuse('ice_restart', 'media_lost');
  await restarting;
  await world.pass(500);
  await world.socket.open();
  assert.deepEqual(world.socket.asked, ['join']);
  made.uplink.giveUp();
  await world.pass(0);
  assert.equal(world.sockets.length, 2, 'a join that is under way is not disturbed');
  await world.socket.grant('join', joinReply({ session: 's2' }));
  made.uplink.giveUp();
  made.uplink.giveUp();
  await world.pass(1000);
  await world.socket.open();
  assert.deepEqual([world.socket.asked, world.sockets.length], [['join'], 3]);
  await world.socket.grant('join', joinReply({ session: 's3' }));
  assert.deepEqual(media.calls, ['reset', 'reset']);
});

test('what cannot be published or received because the server has lost the media is asked for in the next session', async () => {
  const { world, client } = await inRoom({ participants: [participant('bob', [camera])] });
  const publishing = client.publish('camera', { audio: true, video: true });
  const subscribing = client.subscribe('bob', 'camera');
  await settle();
  await world.socket.refuse('publish', 'media_lost');
  await world.pass(500);
  await world.socket.open();
  await world.socket.grant('join', joinReply({ session: 's2', participants: [participant('bob', [camera])] }));
  assert.deepEqual(world.socket.asked, ['join', 'subscribe', 'publish']);
  await world.socket.grant('publish', published());
  await world.socket.grant('subscribe', subscribed());
  await Promise.all([publishing, subscribing]);
  const again = assert.rejects(client.publish('screen', { audio: false, video: true }), { reason: 'media_lost' });
  await settle();
  await world.socket.refuse('publish', 'media_lost');
  await world.pass(1000);
  await world.socket.open();
  await world.socket.grant('join', joinReply({ session: 's3', participants: [participant('bob', [camera])] }));
  const { id } = world.socket.sent.filter(({ stream }) => stream === 'screen').at(-1);
  await world.socket.say({ id, error: { code: 'media_lost', message: 'again' } });
  await again;
});

test('media may send candidates and ask for an ICE restart', async () => {
  const { world, made } = await inRoom();
  made.uplink.candidate('candidate:1', '0');
  made.uplink.candidate('');
  const restarting = made.uplink.iceRestart();
  const [, { candidate, mid }, end] = world.socket.sent;
  assert.deepEqual([candidate, mid, end?.candidate], ['candidate:1', '0', '']);
  await world.socket.grant('ice_restart');
  assert.equal(await restarting, undefined);
});

test('a resume changes nothing; a rejoin restores what was published, muted and subscribed, and tells only differences', async () => {
  const there = [participant('bob', [camera]), participant('carol', [camera])];
  const { world, media, client, news } = await inRoom({ participants: there });
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true, attributes: { title: 'a' } }), published());
  await granted(world, 'mute', client.mute('camera', 'audio', true), { state: 'muted' });
  await granted(world, 'subscribe', client.subscribe('bob', 'camera'), subscribed());
  await granted(world, 'subscribe', client.subscribe('carol', 'camera'), subscribed('carol'));
  await granted(world, 'set_stream_attribute', client.setStreamAttribute('camera', 'title', 'b'));
  media.calls = [];
  await world.socket.drop();
  await world.pass(500);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  assert.deepEqual([media.calls, news()], [['resumed'], []]);
  await world.socket.say(offer(1, 1));
  await rejoin(world, { participants: [participant('bob', [camera])] });
  const asked = world.socket.sent.slice(2).map((message) => without(message, 'id'));
  assert.deepEqual(asked, [
    { type: 'publish', stream: 'camera', audio: true, video: true, attributes: { title: 'b' } },
    { type: 'mute', stream: 'camera', kind: 'audio', muted: true },
    { type: 'subscribe', uid: 'bob', stream: 'camera', audio: true, video: true },
  ]);
  await world.socket.grant('publish', published());
  await world.socket.grant('mute', { state: 'muted' });
  await world.socket.grant('subscribe', subscribed());
  await world.socket.say(offer(1, 1));
  assert.deepEqual(media.calls, [
    'resumed', 'offer 1', 'reset', 'unsubscribe carol camera', 'publish camera', 'subscribe bob camera', 'offer 1',
  ]);
  assert.deepEqual(news(), [
    'user-unpublished carol audio camera', 'user-unpublished carol video camera', 'subscription-ended carol camera', 'user-left carol left',
  ]);
  // The answer to an offer of the old session comes too late for anybody.
  media.answers[0]?.('old');
  media.answers[1]?.('new');
  await settle();
  assert.deepEqual(world.socket.sent.filter(({ type }) => type === 'answer').map(({ sdp }) => sdp), ['new']);
});

test('what a new session refuses to restore is told as ended', async () => {
  const { world, client, news } = await inRoom({ participants: [participant('bob', [camera])] });
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true }), published());
  await granted(world, 'subscribe', client.subscribe('bob', 'camera'), subscribed());
  await rejoin(world, { participants: [participant('bob', [camera])] });
  await world.socket.refuse('publish', 'stream_in_use');
  await world.socket.refuse('subscribe', 'too_many_subscriptions');
  assert.deepEqual(news(), [
    'local-unpublished camera', 'exception INVALID_OPERATION', 'subscription-ended bob camera', 'exception INVALID_OPERATION',
  ]);
  assert.deepEqual([client.publications, client.subscriptions], [[], []]);
});

test('a track that its owner mutes stays muted after a rejoin, even if an admin had blocked it meanwhile', async () => {
  const { world, client, news } = await inRoom();
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true }), published());
  await granted(world, 'mute', client.mute('camera', 'audio', true), { state: 'muted' });
  for (const [seq, kind] of [[1, 'audio'], [2, 'video']]) {
    await world.socket.say({ seq, event: 'muted', uid: 'alice', stream: 'camera', kind, state: 'blocked', by: 'eve' });
  }
  assert.deepEqual(news(), ['local-track-state camera audio blocked eve', 'local-track-state camera video blocked eve']);
  await rejoin(world);
  const mutes = world.socket.sent.filter(({ type }) => type === 'mute');
  assert.deepEqual(mutes.map(({ kind, muted }) => [kind, muted]), [['audio', true], ['video', false]]);
  await world.socket.say({ id: mutes[0]?.id, ok: { state: 'muted' } });
  await world.socket.say({ id: mutes[1]?.id, error: { code: 'blocked', message: 'still' } });
  assert.deepEqual([client.publications[0]?.state, news()], [{ audio: 'muted', video: 'blocked' }, []]);
});

test('who becomes audience publishes nothing any longer, whether by wish or by a token', async () => {
  const { world, media, client, news } = await inRoom();
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true }), published());
  await granted(world, 'set_role', client.setClientRole('audience'), { role: 'audience' });
  assert.deepEqual([client.role, client.publications, media.calls.at(-1)], ['audience', [], 'unpublish camera']);
  assert.deepEqual(news(), ['local-unpublished camera', 'local-role-changed audience']);
  await granted(world, 'renew_token', client.renewToken('t2'), { token_expires: 1800000000, role: 'host' });
  assert.deepEqual(news(), ['local-role-changed host']);
  await rejoin(world);
  assert.deepEqual([world.socket.last('join').token, world.socket.last('join').role], ['t2', 'host']);
});

test('a token that expires is warned of, and the end says why', async () => {
  const { world, media, client, heard } = await inRoom();
  await world.socket.say({ seq: 1, event: 'token_expiring', seconds: 30 }, { seq: 2, event: 'session_ended', reason: 'token_expired' });
  assert.deepEqual(heard.slice(-4), [
    'token-privilege-will-expire', 'connection-state-change DISCONNECTED CONNECTED TOKEN_EXPIRE',
    'token-privilege-did-expire', 'session-ended TOKEN_EXPIRE',
  ]);
  assert.deepEqual([media.calls.at(-1), client.connectionState, world.timers], ['close', 'DISCONNECTED', 0]);
});

test('messages are texts or bytes, to all or to one', async () => {
  const { world, client } = await inRoom();
  /** @type {import('../core/client.js').Message[]} */
  const messages = [];
  client.on('message', (message) => messages.push(message));
  assert.equal(await granted(world, 'send_message', client.sendMessage('你好'), { message_id: 7 }), 7);
  assert.equal(world.socket.last('send_message').text, '你好');
  await granted(world, 'send_message', client.sendMessage(Uint8Array.of(0xde, 0xad, 0xbe, 0xef), 'bob'), { message_id: 8 });
  assert.deepEqual([world.socket.last('send_message').data, world.socket.last('send_message').to], ['3q2+7w==', 'bob']);
  await world.socket.say(
    { seq: 1, event: 'message', message_id: 9, from: 42, private: true, at: 5, data: '3q2+7w==' },
    { seq: 2, event: 'message', message_id: 10, from: 'bob', private: false, at: 6, text: 'hi' },
  );
  assert.deepEqual(messages, [
    { id: 9, from: 42, private: true, at: 5, data: Uint8Array.of(0xde, 0xad, 0xbe, 0xef) },
    { id: 10, from: 'bob', private: false, at: 6, text: 'hi' },
  ]);
});

test('a listener that throws, and media that throw, stop nothing', async () => {
  /** @type {unknown[]} */
  const thrown = [];
  const { world, media, client, news } = await inRoom({}, { onListenerError: (cause) => thrown.push(cause) });
  client.on('user-joined', () => {
    throw new Error('mine');
  });
  media.publish = () => {
    throw Object.assign(new Error('no camera'), { code: 'no_camera' });
  };
  await world.socket.say({ seq: 1, event: 'participant_joined', participant: participant('bob') });
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true }), published());
  assert.deepEqual(news(), ['user-joined bob', 'exception no_camera']);
  assert.deepEqual([thrown.length, client.connectionState], [1, 'CONNECTED']);
});

test('leaving leaves nothing behind, also right after joining, and a client can join again', async () => {
  const { world, media, client, news } = clientOf();
  const joining = client.join({ app: 'demo', room: 'r1', uid: 'alice' });
  await world.socket.open();
  await world.socket.grant('join', joinReply({ participants: [participant('bob', [camera])] }));
  await joining;
  const leaving = client.leave();
  await granted(world, 'leave', leaving);
  await world.pass(60_000);
  assert.deepEqual([world.timers, world.sockets.length, world.socket.closed], [0, 1, true]);
  assert.deepEqual([client.remoteUsers, client.publications, client.uid, client.connectionState], [[], [], undefined, 'DISCONNECTED']);
  assert.equal(media.calls.at(-1), 'close');
  news();
  const again = client.join({ app: 'demo', room: 'r2', uid: 'alice' });
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  assert.equal(await again, 'alice');
});

test('a join that failed can be tried again at once', async () => {
  const { world, client } = clientOf();
  const refused = assert.rejects(client.join({ app: 'demo', room: 'r1' }), { reason: 'room_full' });
  await world.socket.open();
  await world.socket.refuse('join', 'room_full', { limit: 500 });
  await refused;
  await assert.rejects(client.join({ app: 'demo', room: 'a b' }), { code: 'INVALID_PARAMS' });
  const joining = client.join({ app: 'demo', room: 'r1' });
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  await joining;
});

test('admins remove and mute others, and statistics go out only while somebody reads them', async () => {
  const { world, client } = await inRoom({ admin: true });
  assert.ok(client.admin);
  await granted(world, 'kick', client.kick('bob', 'later'));
  await granted(world, 'ban', client.ban(42, 60));
  await granted(world, 'set_room_attribute', client.setRoomAttribute('topic', null));
  assert.equal(await granted(world, 'mute', client.mute('camera', 'video', true, 'bob'), { state: 'blocked' }), 'blocked');
  await granted(world, 'stats', client.reportStats({ rtt_ms: 3 }));
  await granted(world, 'close_room', client.closeRoom());
  assert.deepEqual(world.socket.sent.slice(1).map((message) => without(message, 'id')), [
    { type: 'kick', uid: 'bob', message: 'later' },
    { type: 'ban', uid: 42, seconds: 60 },
    { type: 'set_room_attribute', key: 'topic', value: null },
    { type: 'mute', uid: 'bob', stream: 'camera', kind: 'video', muted: true },
    { type: 'stats', rtt_ms: 3 },
    { type: 'close_room' },
  ]);
  await world.socket.drop();
  await client.reportStats({ rtt_ms: 3 });
  await world.pass(500);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  assert.deepEqual(world.socket.asked, ['resume']);
});

test('limits of the encoder are those of the session: a new one is without them until it is told', async () => {
  const { world, client, news } = await inRoom();
  await granted(world, 'publish', client.publish('camera', { audio: true, video: true }), published());
  await world.socket.say({ seq: 1, event: 'publish_limits', stream: 'camera', max_kbps: 420, short_side: 360 });
  assert.deepEqual(client.publishLimits('camera'), { maxKbps: 420, shortSide: 360 });
  assert.equal(client.publishLimits('screen'), null);
  await rejoin(world);
  assert.equal(client.publishLimits('camera'), null);
  assert.deepEqual(news(), ['publish-limits camera [object Object]', 'publish-limits camera']);
  await world.socket.say({ seq: 1, event: 'publish_limits', stream: 'camera', max_kbps: 300 });
  assert.deepEqual(client.publishLimits('camera'), { maxKbps: 300 });
  await granted(world, 'unpublish', client.unpublish('camera'));
  assert.equal(client.publishLimits('camera'), null);
});

test('user data of pictures is sent once, and what comes is told as text or as bytes', async () => {
  const { world, client } = await inRoom({ participants: [participant('bob', [camera])] }, { capabilities: ['sei'] });
  assert.deepEqual(world.socket.last('join').capabilities, ['sei']);
  const told = [];
  client.on('sei', (sei) => told.push(sei));
  await granted(world, 'send_sei', client.sendSei('goal'));
  await granted(world, 'send_sei', client.sendSei(Uint8Array.of(0, 255), { stream: 'screen', type: 242 }));
  assert.deepEqual(world.socket.sent.slice(-2).map((message) => without(message, 'id')), [
    { type: 'send_sei', stream: 'camera', sei_type: 5, text: 'goal' },
    { type: 'send_sei', stream: 'screen', sei_type: 242, data: 'AP8=' },
  ]);
  await assert.rejects(client.sendSei('x'.repeat(2049)), { code: 'INVALID_PARAMS' });
  await world.socket.say(
    { seq: 1, event: 'sei', uid: 'bob', stream: 'camera', sei_type: 5, uuid: 'ab', text: 'goal' },
    { seq: 2, event: 'sei', uid: 'alice', stream: 'camera', sei_type: 242, data: 'AP8=' },
  );
  assert.deepEqual(told, [
    { uid: 'bob', stream: 'camera', type: 5, uuid: 'ab', text: 'goal' },
    { uid: 'alice', stream: 'camera', type: 242, data: Uint8Array.of(0, 255) },
  ]);
  const sent = assert.rejects(client.sendSei('twice'), { reason: 'outcome_unknown' });
  await world.socket.drop();
  await sent;
});
