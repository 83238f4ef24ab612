/** Who comes late sees a picture soon and is not behind; who comes early waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent, SETTLE } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();
const GOP = 45;

/**
 * Waits for the middle of a group of pictures, where a joiner is farthest from a keyframe.
 * @param {import('./lib/source.mjs').Publisher} publisher
 */
function midGop(publisher) {
  return until('the middle of a group of pictures', 10_000, () => publisher.source.painted % GOP === 25);
}

test('a browser that joins RTMP in the middle of a 3 s GOP sees a picture within a second', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'late-whep/camera';
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream), { gop: GOP });
  await sleep(4000);
  const url = s.server.whepUrl(stream);
  const waits = [];
  for (let i = 0; i < 2; i += 1) {
    await midGop(publisher);
    const viewer = await s.browser.watch({ url });
    waits.push(await viewer.firstFrame(5000));
    await viewer.stop();
  }
  await midGop(publisher);
  const viewer = await s.browser.watch({ url });
  waits.push(await viewer.firstFrame(5000));
  await sleep((SETTLE + 5) * 1000);
  const recording = await viewer.recording();
  await viewer.stop();
  t.diagnostic(`first pictures after ${waits.join(', ')} ms`);
  assert.ok(
    waits.every((ms) => ms < 1000),
    `waited ${waits} ms`,
  );
  assertContent(t, recording, { seconds: 12, skip: 2, latency: 700, lipSync: 0.2, name: 'from the start' });
  assertContent(t, recording, { seconds: 3, skip: SETTLE, latency: 700, name: 'settled' });
});

test('an RTMP or HTTP-FLV player that joins a browser gets a keyframe within a second, and no backlog', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'late-rtmp/camera';
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream) });
  await sleep(5000);
  const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
  const key = await until('a keyframe', 5000, () => tags.tags.find((tag) => tag.keyframe && !tag.header));
  const wait = key.seen - tags.asked;
  await sleep(1000);
  assert.deepEqual(faults(await tags.stop()), []);
  const player = play(scope, s.server.rtmpUrl(stream));
  const shown = await player.firstFrame(5000);
  await sleep(6000);
  const recording = await player.stop();
  await publisher.stop();
  t.diagnostic(`keyframe after ${wait} ms, ffmpeg shows it after ${shown} ms`);
  assert.ok(wait < 1000, `the keyframe came after ${wait} ms`);
  assertContent(t, recording, { seconds: 4, skip: 1, latency: 700 });
});

test('an RTMP player that joins RTMP in the middle of a 3 s GOP gets the keyframe at once', {
  timeout: 30_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'late-flv/camera';
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream), { gop: GOP });
  await sleep(4000);
  await midGop(publisher);
  const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
  const key = await until('a keyframe', 5000, () => tags.tags.find((tag) => tag.keyframe && !tag.header));
  const wait = key.seen - tags.asked;
  t.diagnostic(`keyframe after ${wait} ms`);
  assert.ok(wait < 500, `the keyframe came after ${wait} ms`);
  await sleep(1000);
  assert.deepEqual(faults(await tags.stop()), []);
});

for (const from of /** @type {const} */ (['RTMP', 'WebRTC'])) {
  test(`RTMP and HTTP-FLV players that come before a ${from} publisher wait for it`, { timeout: 60_000 }, async (t) => {
    const scope = scopeOf(t);
    const stream = `early-${from}/camera`;
    const player = play(scope, s.server.rtmpUrl(stream));
    const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
    await sleep(2000);
    assert.equal(player.child.exit, null, `the player was sent away: ${player.child.tail()}`);
    assert.equal(tags.ended, false, `the HTTP-FLV player was sent away with ${tags.status}`);
    if (from === 'RTMP') pushRtmp(scope, s.server.rtmpUrl(stream));
    const tab = from === 'WebRTC' ? await s.browser.publish({ url: s.server.whipUrl(stream) }) : null;
    await player.firstFrame(8000);
    await sleep(6000);
    const recording = await player.stop();
    await tab?.stop();
    assert.deepEqual(faults(await tags.stop()), []);
    assertContent(t, recording, { seconds: 4, skip: 1, latency: 1500 });
  });
}

test('a browser that comes before the publisher is told to come back', { timeout: 30_000 }, async (t) => {
  scopeOf(t);
  const tab = await s.browser.tab();
  const refusal = await tab.evaluate(async (url) => {
    const peer = new RTCPeerConnection();
    peer.addTransceiver('video', { direction: 'recvonly' });
    await peer.setLocalDescription();
    const headers = { 'content-type': 'application/sdp' };
    const answer = await fetch(url, { method: 'POST', headers, body: peer.localDescription?.sdp ?? '' });
    return { status: answer.status, retry: answer.headers.get('retry-after'), body: await answer.json() };
  }, s.server.whepUrl('nobody/camera'));
  assert.equal(refusal.status, 404);
  assert.ok(Number(refusal.retry) >= 1, `Retry-After ${refusal.retry}`);
  assert.ok(refusal.body.error.code && refusal.body.error.message, JSON.stringify(refusal.body));
});
