/** WHIP and WHEP with clients that are not browsers, and their HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { play } from './lib/player.mjs';
import { publishWith, watchWith } from './lib/python.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { pushFfmpegWhip, pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

/**
 * Checks a WHIP publisher on the two sides where it is watched: in a browser and in an RTMP player.
 * @param {import('node:test').TestContext} t
 * @param {import('./lib/scope.mjs').Scope} scope
 * @param {string} stream
 */
async function assertWatched(t, scope, stream) {
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) }, 10_000);
  const player = play(scope, s.server.rtmpUrl(stream));
  await viewer.firstFrame(6000);
  await player.firstFrame(6000);
  await sleep(8000);
  const seen = await viewer.recording();
  const played = await player.stop();
  await viewer.stop();
  // Encoders that begin with their sound and picture apart keep Chromium busy for a while (see republish.test.mjs).
  assertContent(t, seen, { seconds: 5, skip: 2, latency: 1000, lipSync: 0.2, name: 'browser' });
  assertContent(t, played, { seconds: 5, skip: 2, latency: 1000, name: 'RTMP' });
}

test('ffmpeg publishes by WHIP to a browser and an RTMP player', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'ffmpeg-whip/camera';
  // ffmpeg takes no keyframe requests, so players wait for its next keyframes.
  const publisher = pushFfmpegWhip(scope, s.server.whipUrl(stream), { gop: 15 });
  await sleep(1500);
  assert.equal(publisher.child.exit, null, publisher.child.tail());
  await assertWatched(t, scope, stream);
});

for (const library of /** @type {const} */ (['aiortc', 'gstreamer'])) {
  test(`${library} publishes by WHIP to a browser and an RTMP player`, { timeout: 60_000 }, async (t) => {
    const scope = scopeOf(t);
    const stream = `${library}-whip/camera`;
    const publisher = publishWith(scope, library, s.server.whipUrl(stream));
    await publisher.connected(8000);
    await assertWatched(t, scope, stream);
    await publisher.stop();
    assert.ok(publisher.deleted >= 200 && publisher.deleted < 300, `DELETE: ${publisher.deleted}`);
  });

  for (const from of /** @type {const} */ (['RTMP', 'a browser'])) {
    test(`${library} watches ${from} by WHEP`, { timeout: 60_000 }, async (t) => {
      const scope = scopeOf(t);
      const stream = `${library}-whep-${from.length}/camera`;
      const tab = from === 'RTMP' ? null : await s.browser.publish({ url: s.server.whipUrl(stream), tone: 660 });
      if (!tab) pushRtmp(scope, s.server.rtmpUrl(stream), { tone: 660 });
      await sleep(3000);
      const { client, stop } = watchWith(scope, library, s.server.whepUrl(stream));
      await client.connected(8000);
      await sleep(8000);
      const recording = await stop();
      await tab?.stop();
      assert.ok(client.deleted >= 200 && client.deleted < 300, `DELETE: ${client.deleted}`);
      // These clients do not align picture and sound by sender reports, so only content is checked together.
      assertContent(t, recording, { seconds: 4, skip: 2, audio: false, latency: 1000 });
      assertContent(t, recording, { seconds: 4, skip: 2, video: false, tone: 660 });
    });
  }
}

test('a browser on another origin may publish, add candidates, restart ICE and leave', {
  timeout: 30_000,
}, async (t) => {
  scopeOf(t);
  const url = s.server.whipUrl('http/camera');
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin: 'http://other.example', 'access-control-request-method': 'POST' },
  });
  assert.ok(preflight.ok, `OPTIONS: ${preflight.status}`);
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
  const tab = await s.browser.publish({ url });
  const { location, etag, answer } = await tab.session();
  assert.ok(location && etag);
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(answer)?.[1];
  assert.ok(ufrag);
  const outcome = await tab.handle.evaluate(async ({ peer }, { location, etag }) => {
    /** @param {string} body @param {Record<string, string>} headers */
    const patch = (body, headers) =>
      fetch(location, {
        method: 'PATCH',
        headers: { 'content-type': 'application/trickle-ice-sdpfrag', ...headers },
        body,
      });
    /** @param {string} sdp the part of a description that a fragment repeats */
    const credentials = (sdp) => (sdp.match(/^a=ice-(ufrag|pwd):.*\r\n/gm) ?? []).slice(0, 2).join('');
    const before = peer.localDescription?.sdp ?? '';
    const media = `m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n`;
    const candidate = 'a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n';
    const trickle = await patch(credentials(before) + media + candidate, { 'if-match': etag });
    await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
    const after = peer.localDescription?.sdp ?? '';
    const restart = await patch(credentials(after) + media, { 'if-match': '*' });
    const stale = await patch(credentials(before) + media + candidate, { 'if-match': '"stale"' });
    return {
      trickle: trickle.status,
      restart: restart.status,
      restartEtag: restart.headers.get('etag'),
      fragment: await restart.text(),
      stale: stale.status,
    };
  }, { location, etag });
  assert.equal(outcome.trickle, 204);
  assert.equal(outcome.restart, 200);
  assert.notEqual(outcome.restartEtag, etag, 'a restart is a new ICE session');
  assert.match(outcome.fragment, /a=ice-ufrag:/);
  assert.ok(!outcome.fragment.includes(`a=ice-ufrag:${ufrag}\r\n`), 'the restart kept the credentials');
  assert.equal(outcome.stale, 412);
  const remove = await fetch(location, { method: 'DELETE' });
  assert.ok(remove.ok, `DELETE: ${remove.status}`);
  assert.equal((await fetch(location, { method: 'DELETE' })).status, 404);
  await tab.vanish();
});
