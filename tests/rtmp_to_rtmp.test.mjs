/** RTMP to RTMP and HTTP-FLV: frames are forwarded as they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { download, play, rtmpdump } from './lib/player.mjs';
import { pushGstreamerRtmp } from './lib/python.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite({ browser: false });

test('ffmpeg, rtmpdump and HTTP-FLV play what ffmpeg publishes, and no frame is lost', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'players/camera';
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream), { profile: 'high', rate: 44_100, channels: 2 });
  await sleep(1500);
  const live = play(scope, s.server.rtmpUrl(stream));
  const dump = rtmpdump(scope, s.server.rtmpUrl(stream));
  const file = download(scope, s.server.flvUrl(stream));
  await live.firstFrame(6000);
  await sleep(8000);
  const recordings = { live: await live.stop(), dump: await dump.stop(), file: await file.stop() };
  assert.deepEqual(await publisher.stop(), { code: 0, signal: null }, publisher.child.tail());
  assertContent(t, recordings.live, { seconds: 6, skip: 1, missing: 0, latency: 1000, name: 'ffmpeg' });
  assertContent(t, recordings.dump, { seconds: 6, skip: 1, missing: 0, name: 'rtmpdump' });
  assertContent(t, recordings.file, { seconds: 6, skip: 1, missing: 0, name: 'HTTP-FLV' });
});

test('B-frames reach RTMP players whole and in order', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'bframes/camera';
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream), { profile: 'main', bframes: 2 });
  await sleep(1000);
  const file = download(scope, s.server.flvUrl(stream));
  await sleep(7000);
  // Cut off in mid-stream, a recording has the picture that B-frames refer to and not yet the B-frames.
  assert.deepEqual(await publisher.stop(), { code: 0, signal: null }, publisher.child.tail());
  await sleep(500);
  const recording = await file.stop();
  assertContent(t, recording, { seconds: 4, skip: 1, missing: 0 });
});

test("ffmpeg plays what GStreamer's rtmp2sink publishes", { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'gstreamer/camera';
  const publisher = pushGstreamerRtmp(scope, s.server.rtmpUrl(stream), 660);
  await sleep(2000);
  const player = play(scope, s.server.rtmpUrl(stream));
  await player.firstFrame(6000);
  await sleep(7000);
  const recording = await player.stop();
  await publisher.stop();
  assertContent(t, recording, { seconds: 5, skip: 1, missing: 0, tone: 660, latency: 1000 });
});

test('the frames that a player gets carry the sizes, times and codecs of the publisher', {
  timeout: 30_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'tags/camera';
  pushRtmp(scope, s.server.rtmpUrl(stream));
  await sleep(1500);
  const player = new FlvPlayer(scope, s.server.flvUrl(stream));
  await sleep(4000);
  const tags = await player.stop();
  assert.equal(player.failure, null);
  assert.deepEqual(faults(tags), []);
  const script = tags.find((tag) => tag.type === 'script');
  assert.ok(script?.body.includes('onMetaData'), 'players expect onMetaData');
  const video = tags.filter((tag) => tag.type === 'video' && !tag.header);
  const steps = video.slice(1).map((tag, i) => tag.timestamp - (video[i]?.timestamp ?? 0));
  // The group of pictures that a joiner gets at once may be squeezed; after it, one frame per 66 or 67 ms.
  const steady = steps.slice(-30);
  assert.ok(steady.length === 30 && steady.every((step) => Math.abs(step - 67) <= 2), `steps: ${steps}`);
});

test('a stream that ends is over for its players', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const stream = 'ending/camera';
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream));
  await sleep(1500);
  const live = play(scope, s.server.rtmpUrl(stream));
  await live.firstFrame(6000);
  assert.deepEqual(await publisher.stop(), { code: 0, signal: null }, publisher.child.tail());
  const last = publisher.source.painted - 1;
  await sleep(1500);
  assert.ok(live.recording.lastNumber() >= last - 2, `${live.recording.lastNumber()} of ${last}`);
});
