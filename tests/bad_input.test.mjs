/** What is wrong is refused by name, in its own protocol, and costs nobody else a frame. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { FlvPlayer } from './lib/flv.mjs';
import { download, play } from './lib/player.mjs';
import { amfNest, command, connectCommand, RawRtmp } from './lib/rtmp_raw.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { appConfig, makeToken, startServer } from './lib/server.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';
import { tools } from './lib/tools.mjs';

/** For how long an expired token is still taken, in case that clocks differ. */
const LEEWAY_MS = 5000;

/** Shorter than usual, so that the tests need not wait. */
const HANDSHAKE_S = 3;
const IDLE_S = 5;

/** A stream that runs beside all tests of this file, and must lose nothing. */
const WITNESS = 'witness/camera';
/** @type {ReturnType<typeof download> | undefined} */
let file;

const s = suite({
  env: { QUEQIAO_LIMITS__HANDSHAKE_TIMEOUT: `${HANDSHAKE_S}s`, QUEQIAO_LIMITS__IDLE_TIMEOUT: `${IDLE_S}s` },
  async prepare({ scope, server }) {
    pushRtmp(scope, server.rtmpUrl(WITNESS));
    await sleep(1500);
    file = download(scope, server.flvUrl(WITNESS));
  },
});

/**
 * The error of a JSON answer.
 * @param {Response} response
 * @returns {Promise<{ code: string, message: string }>}
 */
async function errorOf(response) {
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  const { error } = /** @type {any} */ (await response.json());
  assert.ok(error?.code && error?.message, `error ${JSON.stringify(error)}`);
  return error;
}

const SDP = { 'content-type': 'application/sdp' };
/** A description that is well-formed, and carries a codec that nobody here speaks. */
const VP8_ONLY = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'c=IN IP4 0.0.0.0',
  'a=mid:0',
  'a=sendonly',
  'a=rtcp-mux',
  'a=setup:actpass',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:abcdefghijklmnopqrstuvwx',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  'a=rtpmap:96 VP8/90000',
  '',
].join('\r\n');

test('HTTP answers name what is wrong', { timeout: 30_000 }, async (t) => {
  const base = `http://${s.server.http}`;
  const cases = /** @type {[string, RequestInit, number[]][]} */ ([
    [`${base}/whip/nowhere/room/uid`, { method: 'POST', headers: SDP, body: VP8_ONLY }, [401, 403, 404]],
    [`${base}/whep/nowhere/room/uid`, { method: 'POST', headers: SDP, body: VP8_ONLY }, [401, 403, 404]],
    [`${base}/flv/nowhere/room/uid.flv`, {}, [401, 403, 404]],
    [`${base}/whip/demo`, { method: 'POST', headers: SDP, body: VP8_ONLY }, [404, 405]],
    [`${base}/no/such/path`, {}, [404]],
    [`${base}/whip/demo/room/uid`, { method: 'POST', headers: SDP, body: 'not a description' }, [400, 422]],
    [`${base}/whip/demo/room/uid`, { method: 'POST', headers: SDP, body: '' }, [400, 422]],
    [`${base}/whip/demo/room/uid`, { method: 'POST', headers: SDP, body: VP8_ONLY }, [400, 406, 415, 422]],
    [`${base}/whip/demo/room/uid`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }, [415]],
    [`${base}/whip/demo/room/uid`, { method: 'POST', headers: SDP, body: 'v=0\r\n'.repeat(200_000) }, [400, 413]],
    [`${base}/whip/demo/${'r'.repeat(300)}/uid`, { method: 'POST', headers: SDP, body: VP8_ONLY }, [400, 404, 414]],
  ]);
  for (const [url, init, statuses] of cases) {
    const response = await fetch(url, init);
    const { code } = await errorOf(response);
    const what = `${init.method ?? 'GET'} ${url.slice(base.length, base.length + 40)}`;
    t.diagnostic(`${what}: ${response.status} ${code}`);
    assert.ok(statuses.includes(response.status), `${what}: ${response.status}, not one of ${statuses}`);
  }
});

test('an RTMP publisher and a player of an unknown app are refused with a reason', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const url = s.server.rtmpUrl('room/uid', { app: 'nowhere' });
  const publisher = pushRtmp(scope, url);
  const player = play(scope, url);
  await Promise.all([publisher.child.exited, player.child.exited]);
  assert.notEqual(publisher.child.exit?.code, 0);
  for (const child of [publisher.child, player.child]) {
    assert.match(child.stderr, /Server error: .*\bapp\b/i, child.tail());
  }
  await s.server.logged(/nowhere/);
});

test('an app with secrets takes its tokens, and names what is wrong with others', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const secret = 'a secret of thirty-two characters';
  const config = appConfig('class', secret);
  const server = await startServer(scope, { config });
  const app = 'class';
  const claims = { app, room: 'maths', uid: 'teacher', role: 'host' };
  const token = await makeToken(scope, config, claims);
  const expired = await makeToken(scope, config, { ...claims, ttl: '1s' });
  const expiredAt = Date.now() + 1000 + LEEWAY_MS;
  const publisher = pushRtmp(scope, server.rtmpUrl('maths/teacher', { app, token }));
  await sleep(2500);
  assert.equal(publisher.child.exit, null, publisher.child.tail());
  const audience = await makeToken(scope, config, { ...claims, uid: 'pupil', role: 'audience' });
  const player = play(scope, server.rtmpUrl('maths/teacher', { app, token: audience }));
  await player.firstFrame(6000);

  const foreign = await makeToken(scope, appConfig('class', 'another secret, as long as the first'), claims);
  const elsewhere = await makeToken(scope, config, { ...claims, room: 'history' });
  await sleep(Math.max(0, expiredAt + 1000 - Date.now()));
  const refused = { none: undefined, foreign, elsewhere, audience, expired, nonsense: 'x.y.z' };
  for (const [name, wrong] of Object.entries(refused)) {
    const authorization = wrong ? { authorization: `Bearer ${wrong}` } : {};
    const headers = /** @type {Record<string, string>} */ ({ ...SDP, ...authorization });
    const response = await fetch(server.whipUrl('maths/teacher', app), { method: 'POST', headers, body: VP8_ONLY });
    assert.ok([401, 403].includes(response.status), `${name}: ${response.status}`);
    const { code, message } = await errorOf(response);
    t.diagnostic(`${name}: ${response.status} ${code}: ${message}`);
    if (name === 'expired') assert.match(`${code} ${message}`, /expired/i);
  }
  const intruder = pushRtmp(scope, server.rtmpUrl('maths/teacher', { app, token: foreign }));
  const stranger = play(scope, server.rtmpUrl('maths/teacher', { app }));
  await Promise.all([intruder.child.exited, stranger.child.exited]);
  for (const child of [intruder.child, stranger.child]) assert.match(child.stderr, /Server error: .*token/i, child.tail());
  assert.equal((await fetch(server.flvUrl('maths/teacher', { app }))).status, 401);

  assert.equal(publisher.child.exit, null, 'the rightful publisher was sent away');
  assertContent(t, await player.stop(), { seconds: 3, skip: 1, missing: 0 });
  for (const text of [secret, token, audience, foreign]) assert.ok(!server.log.includes(text), 'a secret in the log');
});

test('HEVC is refused by name', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const publisher = pushRtmp(scope, s.server.rtmpUrl('codecs/hevc'), {
    ffmpeg: tools().ffmpegWhip,
    videoCodec: ['-c:v', 'libx265', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast', '-x265-params', 'log-level=none'],
  });
  await until('the publisher is sent away', 10_000, () => publisher.child.exit !== null);
  await s.server.logged(/codecs.*hevc.*(unsupported|not carried|cannot)|(unsupported|not carried|cannot).*hevc/i);
});

test('MP3 is named, and its picture goes on without it', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'codecs/mp3';
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream), {
    rate: 44_100,
    audioCodec: ['-c:a', 'libmp3lame', '-b:a', '64k'],
  });
  await s.server.logged(/\bmp3\b/i, 8000);
  await sleep(1000);
  if (publisher.child.exit) return; // Refused as a whole: clear too.
  const player = play(scope, s.server.rtmpUrl(stream), { audio: false });
  await player.firstFrame(6000);
  await sleep(4000);
  assertContent(t, await player.stop(), { seconds: 2, skip: 1, audio: false, missing: 0 });
});

for (const only of /** @type {const} */ (['video', 'audio'])) {
  const expectation = { seconds: 3, skip: 2, video: only === 'video', audio: only === 'audio', latency: 1000 };
  const kinds = { video: only === 'video', audio: only === 'audio' };

  test(`RTMP with ${only} only plays in a browser and in an RTMP player`, { timeout: 40_000 }, async (t) => {
    const scope = scopeOf(t);
    const stream = `only-rtmp/${only}`;
    pushRtmp(scope, s.server.rtmpUrl(stream), kinds);
    const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
    const player = play(scope, s.server.rtmpUrl(stream), kinds);
    await sleep(7000);
    const seen = await viewer.recording();
    const played = await player.stop();
    await viewer.stop();
    assertContent(t, seen, { ...expectation, name: 'browser' });
    assertContent(t, played, { ...expectation, name: 'RTMP' });
  });

  test(`a browser with ${only} only plays in a browser and in an RTMP player`, { timeout: 40_000 }, async (t) => {
    const scope = scopeOf(t);
    const stream = `only-browser/${only}`;
    const publisher = await s.browser.publish({ url: s.server.whipUrl(stream), ...kinds });
    const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
    const player = play(scope, s.server.rtmpUrl(stream), kinds);
    await sleep(7000);
    const seen = await viewer.recording();
    const played = await player.stop();
    await Promise.all([viewer.stop(), publisher.stop()]);
    assertContent(t, seen, { ...expectation, name: 'browser' });
    assertContent(t, played, { ...expectation, name: 'RTMP' });
  });
}

test('a peer that stalls in the handshake is sent away in time', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const hello = Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]);
  const stalls = [0, 1, 2, 700, 1536, 1537, 1538, 1537 + 1535, 1537 + 1536].map((bytes) => {
    const peer = new RawRtmp(scope, s.server.rtmp);
    peer.send(hello.subarray(0, bytes));
    return { bytes, peer };
  });
  await sleep((HANDSHAKE_S + 2) * 1000);
  const open = stalls.filter(({ peer }) => !peer.closed).map(({ bytes }) => bytes);
  assert.deepEqual(open, [], 'still connected after stalling at these bytes');
});

test('malformed and oversized messages end only the connection that sent them', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  /** @type {Record<string, (peer: RawRtmp) => void>} */
  const attacks = {
    'a message of 16 MB': (peer) => peer.message(Buffer.alloc(200_000), { type: 9, stream: 1, length: 0xffffff }),
    'AMF0 nested 100,000 deep': (peer) => {
      peer.message(Buffer.concat([Buffer.from([0x02, 0, 1, 0x61]), amfNest(100_000)]));
    },
    'an empty command': (peer) => peer.message(Buffer.alloc(0)),
    'a chunk size of zero': (peer) => peer.message(Buffer.alloc(4), { type: 1 }),
    'a command before connect': (peer) => peer.message(command('createStream', 2)),
    noise: (peer) => peer.send(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 0xff))),
  };
  for (const [name, attack] of Object.entries(attacks)) {
    const peer = new RawRtmp(scope, s.server.rtmp);
    await peer.handshake();
    attack(peer);
    const asked = Date.now();
    await peer.closedWithin((HANDSHAKE_S + 2) * 1000).catch((error) => assert.fail(`${name}: ${error.message}`));
    t.diagnostic(`${name}: closed after ${Date.now() - asked} ms`);
  }
  const polite = new RawRtmp(scope, s.server.rtmp);
  await polite.handshake();
  polite.message(connectCommand('demo', s.server.rtmp));
  await polite.answered('NetConnection.Connect.Success');
});

test('a player that stops reading is left behind and harms nobody', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stalled = play(scope, s.server.rtmpUrl(WITNESS));
  await stalled.firstFrame(6000);
  stalled.child.process.kill('SIGSTOP');
  const player = play(scope, s.server.rtmpUrl(WITNESS));
  await player.firstFrame(6000);
  await sleep(6000);
  stalled.child.process.kill('SIGCONT');
  assertContent(t, await player.stop(), { seconds: 4, skip: 1, missing: 0, latency: 1000 });
});

test('a publisher that falls silent does not hold its uid', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'half-open/camera';
  const silent = pushRtmp(scope, s.server.rtmpUrl(stream));
  const player = new FlvPlayer(scope, s.server.flvUrl(stream));
  await until('frames', 6000, () => player.tags.length > 30);
  silent.child.process.kill('SIGSTOP');
  await sleep(1000);
  pushRtmp(scope, s.server.rtmpUrl(stream), { firstNumber: 150_000 });
  const before = player.tags.length;
  await until('frames of the second publisher', 6000, () => player.tags.length > before + 60);
  silent.child.process.kill('SIGCONT');
  await until('the silent one learns that it was replaced', 6000, () => silent.child.exit !== null);
});

test('a publisher that falls silent is taken for gone', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'silent/camera';
  const silent = pushRtmp(scope, s.server.rtmpUrl(stream));
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  await viewer.firstFrame(6000);
  silent.child.process.kill('SIGSTOP');
  await s.server.logged(/silent\/camera.*silent for too long/, (IDLE_S + 3) * 1000);
  await until('404 for new viewers', 3000, async () => {
    const response = await fetch(s.server.whepUrl(stream), { method: 'POST', headers: SDP, body: VP8_ONLY });
    return response.status === 404;
  });
  silent.child.process.kill('SIGCONT');
  await viewer.stop();
});

test('all the while, the witness lost no frame', { timeout: 30_000 }, async (t) => {
  const recording = await file?.stop();
  assert.ok(recording);
  assertContent(t, recording, { seconds: 30, missing: 0 });
});
