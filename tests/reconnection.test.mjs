/** Networks that change and break: publishers come back, players go on, and nobody is seen to leave. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlvPlayer } from './lib/flv.mjs';
import { startLink } from './lib/link.mjs';
import { IMPATIENT_INPUT, play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { Signaller } from './lib/signalling.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const GRACE_MS = 2000;
const s = suite({ config: `[rooms]\ngrace = "${GRACE_MS / 1000}s"\n` });

/** Pictures of a publisher that has come back begin with this number. */
const SECOND = 150_000;
/** How long anything may take on a busy machine, in milliseconds. */
const WAIT_MS = 10_000;
/** From the start of a new encoder, which takes a second to begin: no keyframe of the phone is waited for, every 3 s. */
const BACK_MS = 3500;
/** What others must not hear of somebody who comes back. */
const ENDINGS = ['participant_left', 'stream_unpublished', 'participant_joined'];

/** @param {string} address @param {number} [port] of a link in front of the server */
function pushAddress(address, port) {
  const [, rest = ''] = /^rtmp:\/\/[^/]+(\/.*)$/.exec(address) ?? [];
  return `rtmp://${port === undefined ? s.server.rtmp : `127.0.0.1:${port}`}${rest}`;
}

/** A phone that publishes, and somebody who watches the room. @param {import('./lib/scope.mjs').Scope} scope @param {string} room */
async function call(scope, room) {
  const { client: phone } = await Signaller.join(scope, s.server, room, 'phone', { platform: 'miniprogram' });
  const { client: watcher } = await Signaller.join(scope, s.server, room, 'watcher');
  const address = async () => (await phone.request('publish', { stream: 'camera', audio: true, video: true }))['rtmp'];
  const link = await startLink(scope, 'tcp', s.server.rtmp);
  return { phone, watcher, address, link };
}

/** @param {Signaller} watcher @param {string[]} [names] what it must not have been told */
function assertNothingEnded(watcher, names = ENDINGS) {
  const told = watcher.inbox.filter(({ event, uid, participant }) => names.includes(event) && (uid ?? participant?.uid) === 'phone');
  assert.deepEqual(told, []);
}

/** When a player first showed the publisher that came back. @param {import('./lib/recording.mjs').Recording} recording */
function firstOfSecond(recording) {
  return recording.readable().find((frame) => frame.number >= SECOND)?.seen;
}

for (const renewed of [false, true]) {
  const how = renewed ? 'a new address' : 'the same address';
  test(`a phone in another network pushes again to ${how} while its old connection hangs, and players go on`, {
    timeout: 60_000,
  }, async (t) => {
    const scope = scopeOf(t);
    const { watcher, address, link } = await call(scope, `hangs-${renewed}`);
    const url = await address();
    pushRtmp(scope, pushAddress(url, link.port), { gop: 45 });
    const stream = `hangs-${renewed}/phone`;
    const player = play(scope, s.server.rtmpUrl(stream), { input: IMPATIENT_INPUT });
    const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
    const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
    await player.firstFrame(WAIT_MS);
    await viewer.firstFrame(WAIT_MS);
    await link.cut();
    await sleep(1000);
    const newest = pushAddress(renewed ? await address() : url);
    const pushed = Date.now();
    pushRtmp(scope, newest, { gop: 45, firstNumber: SECOND });
    const shown = await until('the RTMP player shows it', WAIT_MS, () => firstOfSecond(player.recording));
    const seen = await until('the browser shows it', WAIT_MS, async () => firstOfSecond(await viewer.recording()));
    t.diagnostic(`the picture is back at RTMP after ${shown - pushed} ms, at WebRTC after ${seen - pushed} ms`);
    assert.ok(shown - pushed < BACK_MS && seen - pushed < BACK_MS);
    assert.equal(tags.ended, false, 'the HTTP-FLV answer ended');
    const times = tags.tags.filter(({ type }) => type === 'video').map(({ timestamp }) => timestamp);
    assert.ok(times.every((time, at) => at === 0 || time >= (times[at - 1] ?? 0)), 'time goes backwards for HTTP-FLV');
    assertNothingEnded(watcher);
    await viewer.stop();
  });
}

test('a phone whose push breaks is seen reconnecting, not leaving, until it pushes again', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { watcher, address, link } = await call(scope, 'breaks');
  const url = pushAddress(await address(), link.port);
  const player = play(scope, s.server.rtmpUrl('breaks/phone'), { input: IMPATIENT_INPUT });
  pushRtmp(scope, url);
  await player.firstFrame(WAIT_MS);
  await link.refuse();
  assert.equal((await watcher.event('participant_reconnecting', WAIT_MS))['uid'], 'phone');
  await sleep(2 * GRACE_MS);
  assertNothingEnded(watcher);
  await link.accept();
  pushRtmp(scope, url, { firstNumber: SECOND });
  assert.equal((await watcher.event('participant_reconnected', WAIT_MS))['uid'], 'phone');
  await until('the player shows it', WAIT_MS, () => firstOfSecond(player.recording));
  assertNothingEnded(watcher);
});

test('a phone that loses its signalling stays as long as it pushes, and the grace time beyond that', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { phone, watcher, address } = await call(scope, 'background');
  const push = pushRtmp(scope, pushAddress(await address()));
  await play(scope, s.server.rtmpUrl('background/phone'), { input: IMPATIENT_INPUT }).firstFrame(WAIT_MS);
  phone.socket.cut();
  await watcher.event('participant_reconnecting', WAIT_MS);
  await sleep(2 * GRACE_MS);
  assertNothingEnded(watcher);
  push.child.process.kill('SIGKILL');
  const killed = Date.now();
  const left = await watcher.event('participant_left', WAIT_MS);
  const after = Date.now() - killed;
  assert.deepEqual([left['uid'], left['reason']], ['phone', 'timed_out']);
  assert.ok(after >= GRACE_MS - 200, `after ${after} ms`);
});

test('who is kicked is let back neither by its address nor by its session', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { phone, watcher, address } = await call(scope, 'kicked');
  const url = pushAddress(await address());
  const push = pushRtmp(scope, url);
  const { client: admin, joined } = await Signaller.join(scope, s.server, 'kicked', 'admin');
  assert.equal(joined['admin'], true);
  await play(scope, s.server.rtmpUrl('kicked/phone'), { input: IMPATIENT_INPUT }).firstFrame(WAIT_MS);
  await admin.request('kick', { uid: 'phone', message: 'bye' });
  assert.deepEqual(await phone.socket.closed, { code: 4003, reason: 'kicked' });
  await until('its push is ended', WAIT_MS, () => push.child.exit !== null);
  assert.equal((await watcher.event('participant_left'))['reason'], 'kicked');
  const again = pushRtmp(scope, url);
  await until('its address is refused', WAIT_MS, () => again.child.exit !== null);
  await s.server.logged(/invalid_ticket/);
  assert.equal(watcher.inbox.some(({ event }) => event === 'participant_joined'), false);
});

test('a browser whose packets come from another address goes on, both ways', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const links = await Promise.all([1, 2].map((seed) => startLink(scope, 'udp', s.server.rtc, { seed })));
  const [up, down] = links;
  assert.ok(up && down);
  const publisher = await s.browser.publish({ url: s.server.whipUrl('moves/camera'), viaPort: up.port });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl('moves/camera'), viaPort: down.port });
  await viewer.firstFrame(WAIT_MS);
  await Promise.all(links.map((link) => link.cut()));
  await sleep(2000);
  const mended = Date.now();
  await Promise.all(links.map((link) => link.mend({ rebind: true })));
  const seen = await until('the picture moves again', WAIT_MS, async () =>
    (await viewer.recording()).readable().find((frame) => frame.seen > mended + 200 && frame.clock > 0)?.seen);
  t.diagnostic(`the picture moves ${seen - mended} ms after the path is back`);
  await Promise.all([publisher.stop(), viewer.stop()]);
});
