/** The instruments themselves, without the server: what they read must be what was sent. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { paint, readPlane } from './lib/barcode.mjs';
import { clientOf, launch, toRecording } from './lib/chromium.mjs';
import { assertContent, median, summary } from './lib/content.mjs';
import { decodeFile } from './lib/player.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { beeps, pitches, synthesize } from './lib/sound.mjs';
import { pushRtmp } from './lib/source.mjs';

test('a painted code is read back, and a damaged one is refused', () => {
  const plane = new Uint8Array(90 * 160);
  for (let i = 0; i < 200; i += 1) {
    const code = { number: (i * 86_413) & 0xffffff, clock: 1_234_567_890 + i, flash: i % 3 === 0 };
    paint(plane, 90, 160, code);
    assert.deepEqual(readPlane(plane, 90, 160), code);
    for (let y = 80; y < 85; y += 1) for (let x = 40; x < 60; x += 1) plane[y * 90 + x] = 251 - (plane[y * 90 + x] ?? 0);
    assert.equal(readPlane(plane, 90, 160), null);
  }
});

test('the pitch and the beeps of the test sound are measured to 0.1 % and 3 ms', () => {
  for (const rate of [16_000, 44_100, 48_000]) {
    const sound = synthesize({ tone: 440, rate, channels: 1, from: rate / 2, count: rate * 3 });
    const pcm = Float32Array.from(sound, (value) => value / 32768);
    for (const hz of pitches(pcm, rate)) assert.ok(Math.abs(hz - 440) < 0.44, `${hz} Hz at ${rate}`);
    const starts = beeps(pcm, rate);
    assert.equal(starts.length, 3);
    starts.forEach((at, i) => assert.ok(Math.abs(at - i - 0.5) < 0.003, `beep at ${at} s, rate ${rate}`));
  }
});

test('ffmpeg alone keeps picture and sound together to 10 ms', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const path = join(scope.tempDir(), 'out.flv');
  const publisher = pushRtmp(scope, path, { profile: 'high', rate: 44_100, channels: 2 });
  await sleep(5000);
  assert.deepEqual(await publisher.stop(), { code: 0, signal: null });
  const r = assertContent(t, await decodeFile(scope, path), { seconds: 4, missing: 0 });
  assert.ok(Math.abs(median(r.lipSync)) < 0.01, summary(r));
});

test('Chromium alone keeps picture and sound together to 80 ms', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const browser = await launch(scope);
  const page = await browser.tab();
  const options = { tone: 440, fps: 15, width: 360, height: 640, firstNumber: 0 };
  const handle = await (await clientOf(page)).evaluateHandle((client, o) => client.loop(o), options);
  await sleep(8000);
  const recording = toRecording(await handle.evaluate((client) => client.collect()));
  const r = assertContent(t, recording, { seconds: 6 });
  assert.ok(Math.abs(median(r.lipSync)) < 0.08, summary(r));
});
