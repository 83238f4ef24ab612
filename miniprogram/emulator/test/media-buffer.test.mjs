/** What a player holds back, in made-up time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlayBuffer } from '../src/media/play-buffer.js';

const RTC = { minMs: 200, maxMs: 800 };

/** @param {'video' | 'audio'} kind @param {number} timestamp */
const tag = (kind, timestamp) => ({ kind, timestamp, config: false, keyframe: false, data: Buffer.alloc(1) });

/** A player that looks whenever the buffer asks it to. */
class Viewer {
  now = 0;
  /** @type {{ at: number, kind: string, timestamp: number }[]} */
  played = [];
  dry = 0;

  /** @param {PlayBuffer} buffer */
  constructor(buffer) {
    this.buffer = buffer;
  }

  /** @param {number} until */
  run(until) {
    for (;;) {
      const deadline = this.buffer.deadline(this.now);
      if (deadline === null || deadline > until) break;
      this.now = Math.max(this.now, deadline);
      const { tags, dry } = this.buffer.due(this.now);
      this.dry += dry ? 1 : 0;
      for (const { kind, timestamp } of tags) this.played.push({ at: this.now, kind, timestamp });
    }
    this.now = until;
  }

  /** Delivers tags, each at its time. @param {[number, 'video' | 'audio', number][]} arrivals */
  receive(arrivals) {
    for (const [at, kind, timestamp] of arrivals) {
      this.run(at);
      this.buffer.push(tag(kind, timestamp), this.now);
      const { tags } = this.buffer.due(this.now);
      for (const one of tags) this.played.push({ at: this.now, kind: one.kind, timestamp: one.timestamp });
    }
  }
}

/** Sound every 20 ms. @param {number} from @param {number} to @param {(at: number) => number} [delay] */
function soundBetween(from, to, delay = () => 0) {
  /** @type {[number, 'audio', number][]} */
  const arrivals = [];
  for (let at = from; at < to; at += 20) arrivals.push([at + delay(at), 'audio', at]);
  return arrivals;
}

test('what comes evenly is played evenly, by the least that is held back', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 2000));
  viewer.run(2300);
  const delays = new Set(viewer.played.map(({ at, timestamp }) => at - timestamp));
  assert.deepEqual([...delays], [200]);
  assert.equal(viewer.played.length, 100);
});

test('what comes unevenly, but within what is held back, is played evenly', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 3000, (at) => (at % 200 === 100 ? 0 : 180 - ((at + 100) % 200))));
  viewer.run(3500);
  const gaps = viewer.played.slice(1).map(({ at }, i) => at - (viewer.played[i]?.at ?? 0));
  assert.deepEqual(new Set(gaps.slice(10)), new Set([20]));
});

test('pictures of the past are shown at once, and sound of the past is not played', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  for (let at = 0; at <= 2000; at += 100) {
    viewer.buffer.push(tag('video', at), 0);
    viewer.buffer.push(tag('audio', at), 0);
  }
  viewer.run(0);
  const video = viewer.played.filter(({ kind }) => kind === 'video');
  const audio = viewer.played.filter(({ kind }) => kind === 'audio');
  assert.equal(video.length, 19);
  assert.deepEqual(audio.map(({ timestamp }) => timestamp), [1800]);
});

test('more than the most is not held: it moves to the live end', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 1000));
  viewer.receive(soundBetween(1000, 3000).map(([, kind, timestamp]) => [1000, kind, timestamp]));
  assert.ok(viewer.buffer.held().audio <= RTC.maxMs, `${viewer.buffer.held().audio} ms are held`);
});

test('a buffer that runs dry says so once, and begins again with the next that comes', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 1000));
  viewer.run(9000);
  assert.equal(viewer.dry, 1);
  const before = viewer.played.length;
  viewer.receive(soundBetween(5000, 6000).map(([at, kind, timestamp]) => [at + 5000, kind, timestamp]));
  viewer.run(11_500);
  assert.equal(viewer.played.length, before + 50);
});

test('sound that has become later by much delays the rest, and the delay goes when it is not needed any more', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 2000));
  viewer.receive(soundBetween(2000, 2400, () => 400));
  viewer.run(2800);
  const late = viewer.played.at(-1);
  assert.ok(late && late.at - late.timestamp >= 380, `${late && late.at - late.timestamp} ms behind`);
  viewer.receive(soundBetween(2800, 16_000));
  viewer.run(16_300);
  const end = viewer.played.at(-1);
  assert.ok(end && end.at - end.timestamp <= 240, `${end && end.at - end.timestamp} ms behind`);
});

test('another time line is not waited for', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(100_000, 101_000).map(([at, kind, timestamp]) => [at - 100_000, kind, timestamp]));
  viewer.receive(soundBetween(0, 1000).map(([at, kind, timestamp]) => [at + 1000, kind, timestamp]));
  viewer.run(2300);
  assert.equal(viewer.played.at(-1)?.timestamp, 980);
});

test('a stream that nobody plays does not fill the memory', () => {
  const buffer = new PlayBuffer({ minMs: 1e9, maxMs: 1e9 });
  for (let i = 0; i < 5000; i += 1) buffer.push(tag('audio', i), i);
  assert.ok(buffer.count().audio < 1000);
});

test('sound leads: pictures that are far ahead of it wait, and the sound is heard', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 3000).flatMap(([at, kind, timestamp]) => [
    [at, kind, timestamp],
    [at, 'video', timestamp + 3500],
  ]));
  viewer.run(3000);
  const sound = viewer.played.filter(({ kind }) => kind === 'audio');
  assert.ok(sound.length > 130, `${sound.length} of 150`);
});

test('pictures play by themselves when the sound has ended', () => {
  const viewer = new Viewer(new PlayBuffer(RTC));
  viewer.receive(soundBetween(0, 1000));
  /** @type {[number, 'video', number][]} */
  const pictures = [];
  for (let at = 1000; at < 6000; at += 100) pictures.push([at, 'video', at]);
  viewer.receive(pictures);
  viewer.run(6200);
  assert.equal(viewer.played.filter(({ kind }) => kind === 'video').length, 50);
  assert.equal(viewer.dry, 0);
});
