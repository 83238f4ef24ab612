/** An encoder publishes by RTMP; a browser watches by WebRTC. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { recordFile } from './lib/peer.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

const FORMS = /** @type {const} */ ([
  { profile: 'baseline', rate: 48_000, channels: 1 },
  { profile: 'main', rate: 44_100, channels: 2 },
  { profile: 'high', rate: 16_000, channels: 1 },
]);

for (const form of FORMS) {
  const { profile, rate, channels } = form;
  test(`a browser sees and hears RTMP: ${profile} profile, AAC ${rate} Hz, ${channels} channel(s)`, {
    timeout: 60_000,
  }, async (t) => {
    const scope = scopeOf(t);
    const stream = `forms-${profile}/camera`;
    pushRtmp(scope, s.server.rtmpUrl(stream), form);
    const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
    await viewer.firstFrame(5000);
    await sleep(10_000);
    const recording = await viewer.recording();
    await viewer.stop();
    assertContent(t, recording, { seconds: 7, skip: 2, latency: 1000 });
    assert.deepEqual([...recording.sizes], ['360x640']);
  });
}

test('a browser sees a moving picture when the encoder uses B-frames that nothing refers to', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'bframes/camera';
  pushRtmp(scope, s.server.rtmpUrl(stream), { profile: 'main', bframes: 2 });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  await viewer.firstFrame(5000);
  await sleep(24_000);
  const recording = await viewer.recording();
  await viewer.stop();
  // Two frames of three are B-frames, which WebRTC does not carry. The others arrive up to 270 ms before they are due,
  // and Chromium takes its time to hold them back.
  assertContent(t, recording.skip(2), { seconds: 18, missing: 0.7, lipSync: 0.4 });
  assertContent(t, recording.skip(16), { seconds: 5, missing: 0.7 });
});

test('a browser keeps seeing the stream while others come and go', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const room = 'audience';
  const stream = `${room}/camera`;
  pushRtmp(scope, s.server.rtmpUrl(stream));
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  await viewer.firstFrame(5000);
  // Not pages: those that start take the processor from the one that plays, which is not the server's doing.
  for (let i = 0; i < 4; i += 1) {
    const path = join(scope.tempDir(), 'guest.mkv');
    const guest = recordFile(scope, s.server, { room, uid: `guest-${i}` }, 'camera', path, ['--seconds', '2']);
    await guest.said('receiving', 5000);
    if (i % 2 === 0) assert.equal(await guest.ended(), 0, guest.child.tail());
    else await guest.child.stop('SIGKILL');
  }
  await sleep(4000);
  const recording = await viewer.recording();
  await viewer.stop();
  assertContent(t, recording, { seconds: 5, skip: 2, latency: 1000 });
});
