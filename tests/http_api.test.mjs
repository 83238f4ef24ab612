/** The admin API and webhooks, as a back end sees them: rooms with real participants, and what it is told of them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiClient } from './lib/api.mjs';
import { FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { Scope, scopeOf, sleep, until } from './lib/scope.mjs';
import { startServer } from './lib/server.mjs';
import { Signaller } from './lib/signalling.mjs';
import { pushRtmp } from './lib/source.mjs';
import { WebhookReceiver } from './lib/webhooks.mjs';

const ADMIN = 'f5c1a9b70de2483c96d0a8e37b1c5d42';
const APP = '0f9c3e7a52b84d16a0c7e9f1d3b5a286';
const HOOKS = '7d1b0c9e4f3a48e2b6a5c8d7e9f01324';

const scope = new Scope();
/** @type {WebhookReceiver} */
let hooks;
/** @type {import('./lib/server.mjs').Server} */
let server;
/** @type {ApiClient} */
let api;

before(
  async () => {
    hooks = await WebhookReceiver.start(scope, HOOKS);
    const config = [
      `[admin]\nsecret = "${ADMIN}"`,
      `[[apps]]\nid = "shop"\nsecrets = ["${APP}"]`,
      `[[webhooks]]\nurl = "${hooks.url}"\nsecret = "${HOOKS}"\napps = ["demo"]`,
      '[rooms]\ngrace = "2s"',
    ].join('\n\n');
    server = await startServer(scope, { config });
    api = await ApiClient.open(server, ADMIN);
  },
  { timeout: 30_000 },
);
after(() => scope.close(), { timeout: 20_000 });

/** @param {string} room @param {string} uid */
const place = (room, uid) => ({ app: 'demo', room, uid });

/** @param {string} path @param {RequestInit} [init] */
const raw = (path, init) => fetch(`http://${server.http}${path}`, init);

/** A participant of a room as the API shows it. @param {string} room @param {string | number} uid */
async function seen(room, uid) {
  const { participants } = await api.call('getRoom', { app: 'demo', room });
  return participants.find((/** @type {any} */ participant) => participant.uid === uid);
}

test('without the secret nothing is told, and with it everything', { timeout: 20_000 }, async () => {
  for (const [authorization, code] of [
    [undefined, 'missing_admin_secret'],
    ['Bearer', 'missing_admin_secret'],
    [`Basic ${ADMIN}`, 'missing_admin_secret'],
    [`Bearer ${ADMIN.slice(0, -1)}`, 'wrong_admin_secret'],
    [`Bearer ${ADMIN}0`, 'wrong_admin_secret'],
    [`Bearer ${APP}`, 'wrong_admin_secret'],
  ]) {
    for (const path of ['/api/v1/rooms', '/api/v1/status', '/api/v1/nothing', '/metrics']) {
      const answer = await raw(path, authorization === undefined ? {} : { headers: { authorization } });
      const { error } = /** @type {any} */ (await answer.json());
      assert.deepEqual([answer.status, error.code], [401, code], `${path} with ${authorization?.slice(0, 6)}`);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
  }
  const headers = { authorization: `bearer ${ADMIN}` };
  assert.equal((await raw('/api/v1/rooms', { headers })).status, 200);
  for (const [path, method, expected] of /** @type {const} */ ([
    ['/api/v1/nothing', 'GET', '404 not_found'],
    ['/api/v1/rooms', 'DELETE', '405 method_not_allowed'],
  ])) {
    const answer = await raw(path, { method, headers });
    const { error } = /** @type {any} */ (await answer.json());
    assert.equal(`${answer.status} ${error.code}`, expected);
  }
});

test('a server without an admin secret has no admin API', { timeout: 20_000 }, async (t) => {
  const other = await startServer(scopeOf(t));
  for (const path of ['/api/v1/rooms', '/api/v1/openapi.json', '/metrics']) {
    const answer = await fetch(`http://${other.http}${path}`, { headers: { authorization: `Bearer ${ADMIN}` } });
    const { error } = /** @type {any} */ (await answer.json());
    assert.deepEqual([answer.status, error.code], [404, 'admin_disabled'], path);
  }
});

test('a room shows its people, their streams and how they flow', { timeout: 60_000 }, async (t) => {
  const own = scopeOf(t);
  const room = 'flow';
  const { client: viewer } = await Signaller.join(own, server, room, 42, { role: 'audience' });
  const encoder = pushRtmp(own, server.rtmpUrl(`${room}/phone`), { fps: 15 });
  await viewer.event('stream_published');
  const player = play(own, server.rtmpUrl(`${room}/phone`));
  await player.firstFrame(8000);
  await viewer.request('stats', {
    downlink: 2,
    rtt_ms: 31,
    streams: [{ uid: 'phone', stream: 'camera', kbps: 640, fps: 15, loss_permille: 2, jitter_ms: 4 }],
  });
  await sleep(3500);
  const phone = await seen(room, 'phone');
  assert.deepEqual(
    [phone.platform, phone.role, phone.state, phone.connections],
    ['encoder', 'host', 'connected', ['rtmp']],
  );
  const [stream] = phone.streams;
  assert.deepEqual([stream.stream, stream.audio, stream.video], ['camera', 'live', 'live']);
  const { players, seconds, video, audio, sent } = stream.media;
  t.diagnostic(JSON.stringify(stream.media));
  assert.equal(players, 1);
  assert.ok(seconds >= 3 && seconds < 30, `seconds ${seconds}`);
  assert.ok(Math.abs(video.fps - 15) <= 2, `fps ${video.fps}`);
  assert.ok(video.kbps > 10 && video.kbps < 1200, `video ${video.kbps} kbit/s`);
  assert.ok(audio.kbps > 5 && audio.kbps < 100, `audio ${audio.kbps} kbit/s`);
  assert.ok(Math.abs(sent.kbps - (video.kbps + audio.kbps)) < 0.3 * sent.kbps, `sent ${sent.kbps} kbit/s`);
  assert.ok(video.frames >= 45 && video.keyframes >= 1 && video.packets === video.frames);
  const watcher = await seen(room, 42);
  assert.deepEqual([watcher.platform, watcher.role, watcher.streams], ['web', 'audience', []]);
  assert.deepEqual(watcher.network, {
    uplink: 0,
    downlink: 2,
    rtt_ms: 31,
    receives: [{ uid: 'phone', stream: 'camera', kbps: 640, fps: 15, loss_permille: 2, jitter_ms: 4 }],
  });
  const { rooms } = await api.call('listRooms', { app: 'demo' });
  const summary = rooms.find((/** @type {any} */ other) => other.room === room);
  assert.equal(summary.streams, 1);
  const status = await api.call('getStatus');
  assert.ok(status.counts.rooms >= 1 && status.counts.participants >= 2 && status.counts.streams >= 1);
  await player.stop();
  await encoder.stop();
});

test('a track that is blocked is counted and passed on to nobody', { timeout: 60_000 }, async (t) => {
  const own = scopeOf(t);
  const room = 'block';
  const { client: viewer } = await Signaller.join(own, server, room, 'viewer');
  const encoder = pushRtmp(own, server.rtmpUrl(`${room}/phone`), { audio: false });
  await viewer.event('stream_changed');
  const player = new FlvPlayer(own, server.flvUrl(`${room}/phone`));
  await until('a first picture', 8000, () => player.tags.length > 3);
  const track = { ...place(room, 'phone'), stream: 'camera', track: 'video' };
  assert.deepEqual(await api.call('blockTrack', track, { blocked: true }), { state: 'blocked' });
  assert.deepEqual((await viewer.event('muted'))['state'], 'blocked');
  const flow = async () => (await seen(room, 'phone')).streams[0].media;
  await sleep(300);
  const first = await flow();
  await sleep(1500);
  const second = await flow();
  assert.ok(second.video.frames > first.video.frames, 'nothing more was received');
  // Black pictures take its place, of a few bytes each.
  assert.ok(second.sent.bytes - first.sent.bytes < 100, 'a blocked track was passed on');
  assert.deepEqual(await api.call('blockTrack', track, { blocked: false }), { state: 'live' });
  await until('the track flows again', 5000, async () => (await flow()).sent.bytes > second.sent.bytes + 1000);
  assert.deepEqual(await api.refusal('blockTrack', { ...track, track: 'audio' }, { blocked: true }), [
    404,
    'no_such_track',
  ]);
  assert.deepEqual(await api.refusal('blockTrack', { ...track, stream: 'screen' }, { blocked: true }), [
    404,
    'no_such_stream',
  ]);
  await player.stop();
  await encoder.stop();
});

test('who is kicked may come back, who is banned may not, and a closed room is empty', { timeout: 60_000 }, async (t) => {
  const own = scopeOf(t);
  const room = 'order';
  const { client: first } = await Signaller.join(own, server, room, 'mallory');
  await api.call('kickParticipant', { ...place(room, 'mallory'), message: 'be kind' });
  const kicked = await first.event('session_ended');
  assert.deepEqual([kicked['reason'], kicked['message']], ['kicked', 'be kind']);
  const { client: second } = await Signaller.join(own, server, room, 'mallory');
  await api.call('banParticipant', place(room, 'mallory'), { seconds: 60 });
  const banned = await second.event('session_ended');
  assert.deepEqual([banned['reason'], banned['seconds']], ['banned', 60]);
  const join = { version: 1, app: 'demo', room, uid: 'mallory', platform: 'web' };
  const third = await Signaller.open(own, server);
  assert.equal((await third.refusal('join', join))['code'], 'banned');
  await api.call('unbanParticipant', place(room, 'mallory'));
  await third.request('join', join);
  const encoder = pushRtmp(own, server.rtmpUrl(`${room}/obs`));
  await third.event('participant_joined');
  await api.call('closeRoom', { app: 'demo', room });
  assert.equal((await third.event('session_ended'))['reason'], 'room_closed');
  await until('the encoder is sent away', 6000, () => encoder.child.exit !== null);
  assert.deepEqual(await api.refusal('getRoom', { app: 'demo', room }), [404, 'no_such_room']);
});

test('a token that the API makes opens its room', { timeout: 20_000 }, async (t) => {
  const own = scopeOf(t);
  const asked = { app: 'shop', room: 'r1', uid: 'alice', role: 'host', ttl_seconds: 60, admin: true };
  const { token, expires } = await api.call('createToken', {}, asked);
  assert.ok(Math.abs(expires - Date.now() / 1000 - 60) < 5);
  const fields = { app: 'shop', token };
  const { joined } = await Signaller.join(own, server, 'r1', 'alice', fields);
  assert.deepEqual([joined['role'], joined['admin'], joined['token_expires']], ['host', true, expires]);
  const stranger = await Signaller.open(own, server);
  const elsewhere = { version: 1, room: 'r2', uid: 'alice', platform: 'web', ...fields };
  assert.equal((await stranger.refusal('join', elsewhere))['code'], 'wrong_room');
  for (const [change, expected] of /** @type {[any, [number, string]][]} */ ([
    [{ app: 'demo' }, [400, 'no_token_needed']],
    [{ app: 'nobody' }, [404, 'unknown_app']],
    [{ ttl_seconds: 0 }, [400, 'invalid_ttl']],
    [{ ttl_seconds: 400 * 86_400 }, [400, 'invalid_ttl']],
    [{ role: 'king' }, [400, 'invalid_body']],
    [{ uid: 'a/b' }, [400, 'invalid_body']],
    [{ rule: 'host' }, [400, 'invalid_body']],
  ])) {
    assert.deepEqual(await api.refusal('createToken', {}, { ...asked, ...change }), expected);
  }
});

test('rooms come a page at a time, and none is left out', { timeout: 20_000 }, async (t) => {
  const own = scopeOf(t);
  const names = ['page-a', 'page-b', 'page-c', 'page-d', 'page-e'];
  for (const name of names) await Signaller.join(own, server, name, 'alice');
  /** @type {string[]} */
  const found = [];
  let cursor;
  do {
    const page = await api.call('listRooms', { app: 'demo', limit: 2, ...(cursor && { cursor }) });
    assert.ok(page.rooms.length <= 2);
    found.push(...page.rooms.map((/** @type {any} */ room) => room.room));
    cursor = page.next;
  } while (cursor);
  assert.deepEqual(found.filter((room) => room.startsWith('page-')), names);
  assert.deepEqual(found, found.toSorted());
  assert.deepEqual((await api.call('listRooms', { app: 'nobody' })).rooms, []);
  assert.deepEqual(await api.refusal('listRooms', { cursor: 'nowhere' }), [400, 'invalid_cursor']);
  assert.deepEqual(await api.refusal('listRooms', { limit: 'many' }), [400, 'invalid_query']);
});

test('what is wrong is refused by name', { timeout: 20_000 }, async (t) => {
  const own = scopeOf(t);
  await Signaller.join(own, server, 'names', 'alice');
  const nobody = place('names', 'nobody');
  assert.deepEqual(await api.refusal('kickParticipant', nobody), [404, 'no_such_participant']);
  assert.deepEqual(await api.refusal('kickParticipant', place('elsewhere', 'alice')), [404, 'no_such_room']);
  assert.deepEqual(await api.refusal('kickParticipant', { ...nobody, message: 'x'.repeat(257) }), [
    400,
    'text_too_large',
  ]);
  assert.deepEqual(await api.refusal('closeRoom', { app: 'demo', room: 'elsewhere' }), [404, 'no_such_room']);
  assert.deepEqual(await api.refusal('getRoom', { app: 'demo', room: 'a?b' }), [400, 'invalid_room']);
  assert.deepEqual(await api.refusal('banParticipant', nobody, { seconds: 31 * 86_400 }), [400, 'ban_too_long']);
  assert.deepEqual(await api.refusal('banParticipant', nobody, { seconds: 0 }), [400, 'invalid_body']);
});

test('every operation of the document was tried, and the document is well-formed', () => {
  assert.match(api.document['openapi'], /^3\.1\./);
  const ids = api.operations.map((operation) => operation.id);
  assert.deepEqual([...api.called].sort(), [...ids].sort());
  assert.equal(new Set(ids).size, ids.length);
});

test('a back end that redirects and fails is told all the same, in order, with signatures', { timeout: 60_000 }, async (t) => {
  const own = scopeOf(t);
  const room = 'told';
  await until('a quiet moment', 10_000, async () => (await api.call('getStatus')).webhooks[0].waiting === 0);
  hooks.refusals = [
    { status: 307, headers: { location: `${hooks.url}&elsewhere` } },
    { status: 503, body: Buffer.alloc(1 << 20) },
  ];
  const before = hooks.attempts.length;
  const { client } = await Signaller.join(own, server, room, 'alice', { platform: 'miniprogram' });
  const encoder = pushRtmp(own, server.rtmpUrl(`${room}/obs~screen`));
  await client.event('stream_published');
  await encoder.stop();
  await client.event('participant_left');
  await api.call('kickParticipant', place(room, 'alice'));
  const story = await hooks.story(room, 'room_closed', 15_000);
  assert.deepEqual(story, [
    'room_created',
    'participant_joined alice miniprogram',
    'participant_joined obs encoder',
    'stream_published obs screen',
    'stream_unpublished obs screen',
    'participant_left obs left',
    'participant_left alice kicked',
    'room_closed',
  ]);
  const attempts = hooks.attempts.slice(before);
  const [first, second, third] = attempts;
  assert.deepEqual(attempts.slice(0, 4).map(({ status }) => status), [307, 503, 204, 204]);
  assert.deepEqual(attempts.slice(0, 3).map(({ attempt }) => attempt), [1, 2, 3]);
  assert.equal(first?.delivery, third?.delivery);
  assert.deepEqual(first?.event, third?.event);
  const pauses = [(second?.at ?? 0) - (first?.at ?? 0), (third?.at ?? 0) - (second?.at ?? 0)];
  t.diagnostic(`pauses ${pauses.map(Math.round).join(' ms, ')} ms`);
  assert.ok((pauses[0] ?? 0) >= 450 && (pauses[0] ?? 0) < 2500, `first pause ${pauses[0]}`);
  assert.ok((pauses[1] ?? 0) >= 950 && (pauses[1] ?? 0) < 4000, `second pause ${pauses[1]}`);
  const ids = hooks.events.map((event) => event['id']);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(hooks.events.every((event) => Math.abs(event['at'] - Date.now() / 1000) < 300));
  const [webhook] = (await api.call('getStatus')).webhooks;
  assert.deepEqual([webhook.url, webhook.failed, webhook.dropped], [hooks.url.replace(/\?.*/, ''), 2, 0]);
  const metrics = await (await raw('/metrics', { headers: { authorization: `Bearer ${ADMIN}` } })).text();
  assert.match(metrics, /^queqiao_webhooks_failed_total\{endpoint="http:\/\/127\.0\.0\.1:\d+\/hooks"\} 2$/m);
  assert.match(metrics, /^queqiao_mixed_rooms 0$/m);
  assert.doesNotMatch(server.log + metrics, /key=hidden/);
  assert.doesNotMatch(server.log, new RegExp([ADMIN, APP, HOOKS].join('|')));
});
