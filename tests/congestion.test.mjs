/** A viewer whose network carries less than the stream: the sound stays whole, and the picture live and moving. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report, summary } from './lib/content.mjs';
import { startLink } from './lib/link.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

const FPS = 15;
const VIDEO = 600_000;
/**
 * Noise in the picture, so that the encoder needs all the bits it may use, and keyframes like those of phones, which are kept
 * small: a few times as large as other pictures.
 */
const NOISY = ['-vf', 'noise=alls=24:allf=t', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-profile:v', 'baseline']
  .concat(['-preset', 'veryfast', '-tune', 'zerolatency', '-refs', '1', '-g', '15', '-keyint_min', '15'])
  .concat(['-sc_threshold', '0', '-b:v', `${VIDEO}`, '-maxrate', `${VIDEO}`, '-bufsize', `${VIDEO / 5}`, '-threads', '1']);

test('a browser behind 60 % of the bitrate hears everything, sees a live picture that moves, and all of it later', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'narrow/camera';
  const narrow = { rate_kbps: (0.6 * VIDEO) / 1000, queue_ms: 300 };
  const link = await startLink(scope, 'udp', s.server.rtc, { down: narrow });
  pushRtmp(scope, s.server.rtmpUrl(stream), { fps: FPS, videoCodec: NOISY });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream), viaPort: link.port });
  await viewer.firstFrame(10_000);
  await sleep(17_000);
  const before = report((await viewer.recording()).skip(6), { fps: FPS });
  t.diagnostic(`narrow: ${summary(before)}`);
  t.diagnostic(`link: ${JSON.stringify(await link.passed())}`);
  await link.set({ down: {} });
  await sleep(20_000);
  const recording = await viewer.recording();
  const wide = report(recording.skip(33), { fps: FPS });
  t.diagnostic(`wide: ${summary(wide)}`);
  await viewer.stop();
  // A receiver that adapts its delay moves the sound by as much as the queue grows and shrinks.
  const broken = before.beepGaps.filter((gap) => Math.abs(gap - 1) > 0.3);
  assert.ok(before.steady > 0.95 && broken.length === 0, `the sound is broken: ${summary(before)}`);
  // Of each group of pictures, a second long, the beginning is shown.
  assert.ok(before.freeze < 2, 'the picture stands still');
  assert.ok(before.missing < 0.85, 'the picture hardly moves');
  assert.ok(before.latency < 1000, 'the picture is late');
  assert.ok(wide.missing < 0.2 && wide.freeze < 0.5, 'the path is wide again, and the picture is not whole');
});
