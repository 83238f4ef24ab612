/** The figures of the network bench, from recordings that are made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recording } from '../../tests/lib/recording.mjs';
import { freezes, lipSync, presented, recovery, showings } from './figures.mjs';

const FRAME_MS = 1000 / 15;
const START = 1_000_000;

/**
 * Frames as they are painted, and seen `late(i)` milliseconds afterwards; those are left out for which that is infinite.
 * @param {number} count @param {(i: number) => number} late
 */
function frames(count, late) {
  return Array.from({ length: count }, (_, i) => {
    const painted = START + i * FRAME_MS;
    return { number: i, clock: painted, at: i / 15, seen: painted + late(i) };
  }).filter(({ seen }) => Number.isFinite(seen));
}

const seen = (/** @type {{ seen: number }[]} */ list) => list.map((frame) => frame.seen);

test('an even picture never freezes, at fifteen frames a second or at seven', () => {
  const even = seen(frames(150, () => 80));
  assert.deepEqual(freezes(even, START + 80, START + 9900), []);
  assert.deepEqual(freezes(even.filter((_, i) => i % 2 === 0), START + 80, START + 9900), []);
});

test('a picture that stays for half a second is one freeze of that length, and so is one that never comes', () => {
  const gap = seen(frames(150, (i) => (i > 60 && i < 68 ? Infinity : 80)));
  const [freeze, ...others] = freezes(gap, START + 80, START + 9990);
  assert.deepEqual(others, []);
  assert.ok(freeze && Math.abs(freeze.ms - 8 * FRAME_MS) < 1, `${freeze?.ms}`);
  const ended = freezes(seen(frames(75, () => 80)), START, START + 10_000);
  assert.ok(Math.abs((ended.at(-1)?.ms ?? 0) - 5000) < 200, JSON.stringify(ended));
});

test('the cache of a phone hides jitter that is shorter than it, and not what is longer', () => {
  const jittery = showings(frames(300, (i) => 80 + (i % 7 === 3 ? 150 : 0)), 'rtmp');
  assert.deepEqual(freezes(jittery, START + 1000, START + 15_000), []);
  const stalled = showings(frames(300, (i) => (i >= 100 && i < 110 ? 80 + (110 - i) * FRAME_MS : 80)), 'rtmp');
  assert.equal(freezes(stalled, START + 1000, START + 15_000).length, 1);
});

test('recovery is the first second without a freeze and without delay', () => {
  // Five seconds of standstill, then all of it at once, and lag that goes away in two seconds.
  const list = frames(300, (i) => {
    if (i < 75) return 80;
    if (i < 150) return 80 + (150 - i) * FRAME_MS;
    return Math.max(80, 1080 - (i - 150) * 33.3);
  });
  const found = recovery(list, seen(list), START + 10_000, 300, START + 20_000);
  assert.ok(found > 1.4 && found < 2.1, `${found} s`);
  const never = frames(300, () => 900);
  assert.equal(recovery(never, seen(never), START + 10_000, 300, START + 20_000), Infinity);
});

test('sound that is 70 ms late for the picture is told so, across the end of the speech', () => {
  const list = frames(1200, () => 80);
  const segments = Array.from({ length: 60 }, (_, i) => {
    const position = 20 + i / 2;
    return /** @type {[number, number, number]} */ ([position, (position + 37 - 0.07) % 60, 1]);
  });
  const moved = list.map((frame) => ({ ...frame, number: frame.number + 37 * 15 }));
  for (const late of lipSync(moved, { segments, pesq: [], missing: 0, gap: 0 }, 0)) {
    assert.ok(Math.abs(late - 70) < 1, `${late} ms`);
  }
});

test('presented sound has silence where the player had none, and no seams where it only counts unevenly', () => {
  const recording = new Recording();
  const samples = new Int16Array(48_000).fill(1000);
  recording.sound = [Buffer.from(samples.buffer)];
  // Ten pieces of a tenth of a second, from second 5 on; after the fifth, 0.3 s are missing.
  recording.anchors = Array.from({ length: 10 }, (_, i) => ({ seconds: i / 10, at: 5 + i / 10 + (i % 3) / 500 + (i < 5 ? 0 : 0.3) }));
  const out = presented(recording, 5, 6.3);
  const heard = new Int16Array(out.buffer, out.byteOffset, out.length / 2);
  const silent = heard.filter((value) => value === 0).length;
  assert.ok(Math.abs(silent - 0.3 * 48_000) < 300, `${silent} samples are silent`);
  assert.ok(heard.subarray(100, 23_900).every((value) => value === 1000), 'a seam');
});
