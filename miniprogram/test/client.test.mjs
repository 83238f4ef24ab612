import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle, World } from '../../web-client/test/core-world.mjs';
import { Client } from '../src/core/client.js';

const PUSH = 'rtmp://h/demo/r1/1?ticket=a';
const PLAY = { uid: 2, stream: 'camera', rtmp: 'rtmp://h/demo/r1/2?ticket=b', flv: 'http://h/flv/demo/r1/2.flv?ticket=b' };

const NAMES = [
  'stream-added', 'stream-removed', 'track-state', 'push-url', 'play-url', 'push-ended', 'play-ended', 'push-state', 'play-state',
  'rotation', 'ended', 'exception', 'participant-joined', 'participant-left',
];

/** @param {object} [reply] @param {object} [options] */
async function inRoom(reply = {}, options = {}) {
  const world = new World();
  const client = new Client({ server: 'https://example.com', platform: world.platform, ...options });
  const heard = [];
  for (const name of NAMES) client.on(name, (...args) => heard.push([name, ...args]));
  const joining = client.join({ app: 'demo', room: 'r1', uid: 1 });
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, ...reply }));
  await joining;
  await world.pass(0);
  return { world, client, heard, news: () => heard.splice(0) };
}

test('a stream is told of once, whole, and its tracks when they change', async () => {
  const { world, news } = await inRoom({ participants: [participant(2, [camera])] });
  const added = { uid: 2, stream: 'camera', audio: 'live', video: 'live', attributes: {} };
  assert.deepEqual(news().filter(([name]) => name !== 'participant-joined'), [['stream-added', added]]);
  await world.socket.say({ seq: 1, event: 'muted', uid: 2, stream: 'camera', kind: 'video', state: 'muted' });
  assert.deepEqual(news(), [['track-state', { ...added, video: 'muted' }, 'video', 'muted', undefined]]);
  await world.socket.say({ seq: 2, event: 'stream_changed', uid: 2, stream: 'camera', audio: 'live', video: 'absent' });
  assert.deepEqual(news().map(([name, , kind, state]) => [name, kind, state]), [['track-state', 'video', 'absent']]);
  await world.socket.say({ seq: 3, event: 'stream_unpublished', uid: 2, stream: 'camera' });
  assert.deepEqual(news(), [['stream-removed', 2, 'camera']]);
});

test('a rotation that a publisher tells is told in degrees, and rubbish is none', async () => {
  const { world, news } = await inRoom({ participants: [participant(2, [camera])] });
  news();
  const set = (seq, value) => ({ seq, event: 'stream_attribute', uid: 2, stream: 'camera', key: 'rotation', value });
  await world.socket.say(set(1, '90'), set(2, 'sideways'));
  assert.deepEqual(news().filter(([name]) => name === 'rotation').map(([, , degrees]) => degrees), [90, 0]);
});

test('the sound of the room and the pictures of who speaks are streams of ones own, and who speaks is told', async () => {
  const { world, client } = await inRoom({ participants: [participant(2, [camera])] });
  const told = [];
  client.on('speaker', (uid) => told.push(uid));
  /** @param {string} stream */
  const made = (stream) => ({ uid: 1, stream, rtmp: `rtmp://h/demo/r1/1~${stream}?ticket=c`, flv: `http://h/flv/demo/r1/1~${stream}.flv?ticket=c` });
  for (const [ask, stream, audio, video] of /** @type {const} */ ([
    [() => client.subscribeMix(), 'mix', true, false],
    [() => client.subscribeSpeaker({ audio: false }), 'speaker', false, true],
  ])) {
    const subscribing = ask();
    await settle();
    const asked = world.socket.last('subscribe');
    assert.deepEqual([asked.uid, asked.stream, asked.audio, asked.video], [1, stream, audio, video]);
    await world.socket.grant('subscribe', made(stream));
    assert.equal((await subscribing).url, made(stream).rtmp);
  }
  assert.equal(client.play(1, 'mix')?.flv, made('mix').flv);
  await world.socket.say({ seq: 1, event: 'speaker', uid: 2 });
  assert.deepEqual(told, [2]);
  const ending = client.unsubscribeMix();
  await world.socket.grant('unsubscribe', {});
  await ending;
  assert.equal(client.play(1, 'mix'), undefined);
});

test('publishing and subscribing give addresses, and end with them', async () => {
  const { world, client, news } = await inRoom({ participants: [participant(2, [camera])] });
  const [publishing, subscribing] = [client.publish(), client.subscribe(2)];
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await world.socket.grant('subscribe', PLAY);
  assert.equal(await publishing, PUSH);
  assert.equal((await subscribing).url, PLAY.rtmp);
  assert.equal(client.pushUrl(), PUSH);
  assert.equal(client.play('2')?.flv, PLAY.flv);
  news();
  await world.socket.say({ seq: 1, event: 'stream_unpublished', uid: 2, stream: 'camera' });
  assert.deepEqual(news().map(([name]) => name), ['stream-removed', 'play-state', 'play-ended']);
  const leaving = client.leave();
  await world.socket.grant('leave');
  await leaving;
  assert.equal(client.pushUrl(), undefined);
  assert.ok(news().some(([name]) => name === 'push-ended'));
  assert.equal(world.timers, 0);
});

test('a new session brings new addresses in place of the old ones', async () => {
  const { world, client, news } = await inRoom({ participants: [participant(2, [camera])] });
  const working = Promise.all([client.publish(), client.subscribe(2)]);
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await world.socket.grant('subscribe', PLAY);
  await working;
  news();
  await world.socket.drop();
  await world.pass(1000);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.grant('join', joinReply({ uid: 1, session: 's2', participants: [participant(2, [camera])] }));
  await world.socket.grant('publish', { stream: 'camera', rtmp: `${PUSH}2` });
  await world.socket.grant('subscribe', { ...PLAY, rtmp: `${PLAY.rtmp}2` });
  const told = news().filter(([name]) => name.endsWith('-url'));
  assert.deepEqual(told.map(([name, first, url]) => [name, url ?? first.url]), [['push-url', `${PUSH}2`], ['play-url', `${PLAY.rtmp}2`]]);
});

test('without rejoining, a session that cannot be resumed is the end, and so is a connection that stays away', async () => {
  const persistence = { rejoins: false, patienceMs: 5_000 };
  for (const lose of [
    async (world) => {
      await world.pass(1000);
      await world.socket.open();
      await world.socket.refuse('resume', 'resume_impossible');
    },
    (world) => world.pass(5_000),
  ]) {
    const { world, client, news } = await inRoom({}, { persistence });
    news();
    await world.socket.drop();
    await lose(world);
    assert.deepEqual(news().map(([name]) => name), ['ended']);
    assert.equal(client.state, 'DISCONNECTED');
    assert.equal(world.timers, 0);
  }
});

test('a pusher is live by its code, or by its figures where the code is left out', async () => {
  for (const report of [
    (client) => client.pusherState({ type: 'statechange', detail: { code: 1002 } }),
    (client) => client.pusherNetStatus({ detail: { detail: { info: { videoBitrate: 300, netSpeed: 320 } } } }),
  ]) {
    const { world, client, news } = await inRoom();
    const publishing = client.publish();
    await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
    await publishing;
    report(client);
    await settle();
    assert.deepEqual(news().filter(([name]) => name === 'push-state').map(([, , { phase }]) => phase), ['starting', 'live']);
    client.pusherState({ detail: { code: -1307 } });
    assert.equal(client.pusher().phase, 'failed');
  }
});

test('one’s own tracks are as one has muted them, or as an admin has', async () => {
  const { world, client } = await inRoom();
  assert.equal(client.localTrack('audio'), 'absent');
  const publishing = client.publish({ video: false });
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  assert.deepEqual([client.localTrack('audio'), client.localTrack('video')], ['live', 'absent']);
  const muting = client.mute('audio', true);
  await world.socket.grant('mute', { state: 'muted' });
  assert.equal(await muting, 'muted');
  assert.equal(client.localTrack('audio'), 'muted');
  await world.socket.say({ seq: 1, event: 'muted', uid: 1, stream: 'camera', kind: 'audio', state: 'blocked', by: 9 });
  assert.equal(client.localTrack('audio'), 'blocked');
});

test('what a page passes on may be anything', async () => {
  const { client, news } = await inRoom();
  news();
  for (const event of [undefined, null, 7, 'x', {}, { detail: null }, { detail: { code: 'x', info: [] } }, { detail: { info: { netJitter: {} } } }]) {
    client.pusherState(event);
    client.pusherNetStatus(event);
    client.playerState(2, event);
    client.playerNetStatus('nobody', event);
  }
  assert.deepEqual(news(), []);
});

test('the figures of the components are told to the server, at most every two seconds', async () => {
  const { world, client } = await inRoom({ participants: [participant(2, [camera])] });
  const subscribing = client.subscribe(2);
  await world.socket.grant('subscribe', PLAY);
  await subscribing;
  client.playerState(2, { detail: { code: 2004 } });
  for (let turn = 0; turn < 4; turn += 1) {
    client.playerNetStatus(2, { detail: { info: { videoBitrate: 400, audioBitrate: 40, videoFPS: 15, netJitter: 400, netSpeed: 500 } } });
    await world.pass(1000);
  }
  const sent = world.socket.sent.filter(({ type }) => type === 'stats');
  assert.equal(sent.length, 2);
  assert.deepEqual(sent[0], {
    id: sent[0]?.id, type: 'stats', uplink: 0, downlink: 4,
    streams: [{ uid: 2, stream: 'camera', kbps: 440, fps: 15, jitter_ms: 400 }],
  });
});
