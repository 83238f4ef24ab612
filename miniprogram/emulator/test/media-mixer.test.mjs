/** Background music over the microphone, in samples. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mixer } from '../src/media/mixer.js';

const RATE = 100;

function mixing() {
  /** @type {(string | number)[]} */
  const events = [];
  const mixer = new Mixer(RATE, {
    progress: (at, of) => events.push(at, of),
    complete: () => events.push('complete'),
  });
  return { mixer, events };
}

/** @param {number} value @param {number} count */
const steady = (value, count) => new Int16Array(count).fill(value);

test('without music the microphone goes through as it is', () => {
  const { mixer } = mixing();
  const samples = steady(100, 10);
  assert.equal(mixer.mix(samples, 1), samples);
});

test('music is added on every channel, tells its progress and ends by itself', () => {
  const { mixer, events } = mixing();
  mixer.play(steady(1000, 150));
  const out = [];
  for (let i = 0; i < 4; i += 1) out.push(...mixer.mix(steady(1, 100), 2));
  assert.ok(out.slice(0, 300).every((value) => value === 1001));
  assert.ok(out.slice(300).every((value) => value === 1));
  assert.deepEqual(events, [1000, 1500, 'complete']);
});

test('music that is paused goes on where it was', () => {
  const { mixer } = mixing();
  mixer.play(Int16Array.from({ length: 20 }, (_, i) => i));
  mixer.mix(steady(0, 5), 1);
  mixer.pause();
  assert.deepEqual([...mixer.mix(steady(7, 2), 1)], [7, 7]);
  mixer.resume();
  assert.deepEqual([...mixer.mix(steady(0, 3), 1)], [5, 6, 7]);
  mixer.stop();
  mixer.resume();
  assert.deepEqual([...mixer.mix(steady(0, 2), 1)], [0, 0]);
});

test('volumes count, and what is too loud is cut off rather than turned round', () => {
  const { mixer } = mixing();
  mixer.volume('microphone', 0.5);
  assert.deepEqual([...mixer.mix(steady(1000, 1), 1)], [500]);
  mixer.play(steady(30_000, 10));
  mixer.volume('music', 0.1);
  assert.deepEqual([...mixer.mix(steady(1000, 1), 1)], [3500]);
  mixer.volume('music', 1);
  assert.deepEqual([...mixer.mix(steady(30_000, 1), 1)], [32_767]);
});
