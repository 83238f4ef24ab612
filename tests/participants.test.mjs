/** Encoders and mini-programs in one room with signalled participants: who is seen, and what addresses are good for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { Signaller } from './lib/signalling.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

/** Players give up sooner than usual, so that the tests need not wait. */
const s = suite({ browser: false, env: { QUEQIAO_ROOMS__GRACE: '3s', QUEQIAO_LIMITS__PLAY_WAIT: '6s' } });

/** @param {import('./lib/source.mjs').Publisher} publisher @param {number} [ms] */
async function refused(publisher, ms = 20_000) {
  await until('ffmpeg is refused', ms, () => publisher.child.exit !== null);
  assert.notEqual(publisher.child.exit?.code, 0);
  return publisher.child.stderr;
}

test('an encoder is seen to come, to send what it sends, and to go', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice } = await Signaller.join(scope, s.server, 'encoder', 'alice');
  const encoder = pushRtmp(scope, s.server.rtmpUrl('encoder/obs'), { audio: false });
  const { participant } = await alice.event('participant_joined');
  assert.deepEqual(
    [participant.uid, participant.platform, participant.role, participant.state],
    ['obs', 'encoder', 'host', 'connected'],
  );
  const published = await alice.event('stream_published');
  assert.deepEqual([published['uid'], published['stream']], ['obs', 'camera']);
  const changed = await alice.event('stream_changed');
  assert.deepEqual([changed['audio'], changed['video']], ['absent', 'live']);
  await encoder.stop();
  assert.equal((await alice.event('participant_left'))['reason'], 'left');
});

test('an encoder that breaks may come back, and is gone if it does not', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice } = await Signaller.join(scope, s.server, 'broken', 'alice');
  const first = pushRtmp(scope, s.server.rtmpUrl('broken/obs'));
  await alice.event('stream_published');
  await sleep(2500);
  first.child.process.kill('SIGKILL');
  assert.equal((await alice.event('participant_reconnecting'))['uid'], 'obs');
  const second = pushRtmp(scope, s.server.rtmpUrl('broken/obs'));
  assert.equal((await alice.event('participant_reconnected'))['uid'], 'obs');
  await sleep(2500);
  second.child.process.kill('SIGKILL');
  await alice.event('participant_reconnecting');
  assert.equal((await alice.event('participant_left', 8000))['reason'], 'timed_out');
});

test('an admin mutes an encoder, kicks it, and keeps it out', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: admin } = await Signaller.join(scope, s.server, 'kicked', 'admin');
  const url = s.server.rtmpUrl('kicked/obs');
  const encoder = pushRtmp(scope, url);
  await admin.event('stream_published');
  const muted = await admin.request('mute', { uid: 'obs', stream: 'camera', kind: 'audio', muted: true });
  assert.equal(muted['state'], 'blocked');
  await admin.request('ban', { uid: 'obs', seconds: 60 });
  assert.equal((await admin.event('participant_left'))['reason'], 'banned');
  await refused(encoder);
  assert.match(await refused(pushRtmp(scope, url)), /banned/);
  const flv = await fetch(s.server.flvUrl('kicked/obs'));
  assert.equal(flv.status, 404, 'a guest is somebody else');
});

test('an RTMP player and an HTTP-FLV player are guests of the room, and leave with it', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: admin } = await Signaller.join(scope, s.server, 'guests', 'admin');
  pushRtmp(scope, s.server.rtmpUrl('guests/obs'));
  await admin.event('stream_published');
  const player = play(scope, s.server.rtmpUrl('guests/obs'));
  const { participant } = await admin.event('participant_joined');
  assert.match(participant.uid, /^guest-/);
  assert.deepEqual([participant.platform, participant.role], ['encoder', 'audience']);
  await player.firstFrame(6000);
  const flv = new FlvPlayer(scope, s.server.flvUrl('guests/obs'));
  const other = (await admin.event('participant_joined'))['participant'].uid;
  await until('frames', 6000, () => flv.reader.tags.length > 0);
  await admin.request('close_room');
  assert.equal((await admin.event('session_ended'))['reason'], 'room_closed');
  await until('the HTTP-FLV body ends', 5000, () => flv.ended);
  await until('the RTMP player ends', 8000, () => player.child.exit !== null);
  assert.notEqual(other, participant.uid);
});

test('what a session publishes is published by no encoder, and a host that became audience by neither', {
  timeout: 40_000,
}, async (t) => {
  const scope = scopeOf(t);
  const { client: phone } = await Signaller.join(scope, s.server, 'taken', 'phone', { platform: 'miniprogram' });
  await phone.request('publish', { stream: 'camera', audio: true, video: true });
  assert.match(await refused(pushRtmp(scope, s.server.rtmpUrl('taken/phone'))), /stream_in_use/);
  await phone.request('set_role', { role: 'audience' });
  assert.match(await refused(pushRtmp(scope, s.server.rtmpUrl('taken/phone'))), /not_host/);
});

test('a mini-program publishes and plays by its tickets, until it leaves', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice } = await Signaller.join(scope, s.server, 'phones', 'alice', { platform: 'miniprogram' });
  const { client: bob } = await Signaller.join(scope, s.server, 'phones', 42, { platform: 'miniprogram' });
  const { rtmp } = await alice.request('publish', { stream: 'camera', audio: true, video: true });
  assert.ok(rtmp.startsWith(`rtmp://${s.server.rtmp}/demo/phones/alice?ticket=`), 'the address of this server');
  const pusher = pushRtmp(scope, rtmp);
  await bob.event('stream_published');
  const addresses = await bob.request('subscribe', { uid: 'alice', stream: 'camera' });
  const player = play(scope, addresses['rtmp']);
  await player.firstFrame(8000);
  assert.deepEqual(bob.inbox, [], 'who bears a ticket is no newcomer');
  const flv = new FlvPlayer(scope, addresses['flv']);
  await until('frames', 6000, () => flv.reader.tags.length > 0);
  await until('the player with the same ticket is replaced', 8000, () => player.child.exit !== null);
  await bob.request('leave');
  await until('the HTTP-FLV body ends', 5000, () => flv.ended);
  assert.equal((await fetch(addresses['flv'])).status, 401);
  await alice.request('unpublish', { stream: 'camera' });
  await refused(pusher);
  assert.match(await refused(pushRtmp(scope, rtmp)), /invalid_ticket/);
  assert.doesNotMatch(s.server.log, /qt1\./, 'a ticket is in the log');
});

test('a pusher that breaks comes back with the same ticket, and is seen to be away, not to leave', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice } = await Signaller.join(scope, s.server, 'retries', 'alice', { platform: 'miniprogram' });
  const { client: bob } = await Signaller.join(scope, s.server, 'retries', 'bob');
  const { rtmp } = await alice.request('publish', { stream: 'camera', audio: true, video: true });
  await bob.event('stream_published');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const pusher = pushRtmp(scope, rtmp);
    const player = play(scope, s.server.rtmpUrl('retries/alice'));
    await player.firstFrame(8000);
    await player.stop();
    pusher.child.process.kill('SIGKILL');
    await pusher.child.exited;
    // As long as WeChat's components wait before they try again.
    await sleep(3000);
  }
  const others = bob.inbox.filter(({ participant, uid }) => !String(participant?.uid ?? uid).startsWith('guest-'));
  const [away, back] = ['participant_reconnecting', 'participant_reconnected'];
  assert.deepEqual(others.map(({ event }) => event), [away, back, away, back, away]);
});

test('a ticket is good for nothing but its own purpose', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice } = await Signaller.join(scope, s.server, 'purpose', 'alice', { platform: 'miniprogram' });
  const { client: bob } = await Signaller.join(scope, s.server, 'purpose', 'bob', { platform: 'miniprogram' });
  const { rtmp } = await alice.request('publish', { stream: 'camera', audio: true, video: true });
  const { flv } = await bob.request('subscribe', { uid: 'alice', stream: 'camera' });
  const mine = new URL(rtmp).search;
  const theirs = new URL(flv).search;
  const base = `rtmp://${s.server.rtmp}/demo`;
  const cases = /** @type {[string, RegExp][]} */ ([
    [`${base}/purpose/alice~screen${mine}`, /ticket_for_another_stream/],
    [`${base}/purpose/bob${mine}`, /ticket_for_another_stream/],
    [`${base}/another/alice${mine}`, /ticket_for_another_stream/],
    [`${base}/purpose/alice${theirs}`, /ticket_for_another_direction/],
    [`${base}/purpose/alice?ticket=qt1.${'0'.repeat(32)}`, /invalid_ticket/],
    [`${base}/purpose/alice?ticket=nonsense`, /invalid_ticket/],
  ]);
  await Promise.all(cases.map(async ([url, reason]) => assert.match(await refused(pushRtmp(scope, url)), reason)));
  const player = `http://${s.server.http}/flv/demo/purpose/alice.flv`;
  const answer = async (/** @type {string} */ url) => {
    const response = await fetch(url);
    return [response.status, /** @type {any} */ (await response.json()).error.code];
  };
  assert.deepEqual(await answer(player + mine), [403, 'ticket_for_another_direction']);
  assert.deepEqual(await answer(player.replace('alice', 'bob') + theirs), [403, 'ticket_for_another_stream']);
  const { flv: anew } = await bob.request('subscribe', { uid: 'alice', stream: 'camera' });
  assert.deepEqual(await answer(flv), [401, 'invalid_ticket'], 'another has taken its place');
  pushRtmp(scope, rtmp);
  const tags = new FlvPlayer(scope, anew);
  await until('frames', 8000, () => tags.reader.tags.length > 0);
});
