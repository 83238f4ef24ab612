/** A publisher that rotates, goes silent, loses its network and its clock, within one connection: players follow it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, report, summary } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { RtmpPublisher } from './lib/rtmp_publisher.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

/** @typedef {import('./lib/recording.mjs').Recording} Recording */

const s = suite();

/** How long a player may take to follow a change, in milliseconds. */
const FOLLOW_MS = 1000;
/** What the machine adds to that while it runs encoders, a browser and players beside each other. */
const MACHINE_MS = 500;
/** How late pictures may stay: encoder, jitter buffer, player. */
const LATE_MS = 600;
/** How far sound and picture may stay apart, in seconds; a browser takes a while to bring them together after a gap. */
const LIP_SYNC = { browser: 0.2, RTMP: 0.1 };
const FPS = 15;

/** When each change was made, by `Date.now()`, in order. @typedef {{ name: string, from: number, to: number }} Phase */

/**
 * The first picture that was painted after a moment.
 * @param {Recording} recording @param {number} painted `Date.now()`
 */
function firstAfter(recording, painted) {
  return recording.readable().find((frame) => paintedAt(frame) >= painted);
}

/** @param {import('./lib/recording.mjs').Frame} frame */
function paintedAt(frame) {
  return frame.seen - (((frame.seen % 2 ** 31) - frame.clock + 2 ** 31) % 2 ** 31);
}

/**
 * The part of a recording that was painted in a phase, without its first moments.
 * @param {Recording} recording @param {Phase} phase
 */
function partOf(recording, phase) {
  const first = firstAfter(recording, phase.from + FOLLOW_MS);
  const next = firstAfter(recording, phase.to);
  assert.ok(first, `${phase.name}: no picture`);
  return (next ? recording.before(next.at) : recording).since(first.at);
}

test('players follow one connection through rotation, pauses, a stall and a clock that starts again', {
  timeout: 110_000,
}, async (t) => {
  const scope = scopeOf(t);
  const stream = 'changes/camera';
  const publisher = await RtmpPublisher.connect(scope, s.server.rtmp, stream);
  const upright = publisher.encoder({ gop: FPS, tone: 440 });
  publisher.passes = (tag) => tag.type === 'audio';
  await publisher.use(upright);
  const tags = new FlvPlayer(scope, s.server.flvUrl(stream));
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  await sleep(1500);

  /** @type {Phase[]} */
  const phases = [];
  /** @param {string} name @param {number} ms @param {() => unknown} change */
  const phase = async (name, ms, change) => {
    await change();
    const from = Date.now();
    await sleep(ms);
    phases.push({ name, from, to: Date.now() });
  };
  await phase('the picture comes after the sound', 5000, () => (publisher.passes = () => true));
  // ffmpeg finds out which tracks there are when it begins.
  const player = play(scope, s.server.rtmpUrl(stream));
  const across = publisher.encoder({ width: 640, height: 360, gop: FPS, tone: 660, rate: 44_100, channels: 2, firstNumber: 15_000 });
  await phase('rotated, with sound at 44.1 kHz in stereo', 4500, () => publisher.use(across));
  await phase('camera off', 2000, () => (publisher.passes = (tag) => tag.type === 'audio'));
  await phase('camera on', 4500, () => (publisher.passes = () => true));
  await phase('microphone off', 2000, () => (publisher.passes = (tag) => tag.type === 'video'));
  await phase('microphone on', 4500, () => (publisher.passes = () => true));
  await phase('timestamps that start at zero again', 4500, () => (publisher.shift = -10_000_000));
  await phase('the path stands still', 5000, () => publisher.stall());
  await phase('the path goes on', 5000, () => publisher.burst());
  const square = publisher.encoder({ width: 480, height: 480, gop: FPS, tone: 880, rate: 16_000, firstNumber: 30_000 });
  publisher.inBand = true;
  await phase('another size that is told in band alone, and sound at 16 kHz', 4500, () => publisher.use(square));

  const seen = await viewer.recording();
  await viewer.stop();
  const played = await player.stop();
  assert.deepEqual(faults(await tags.stop()), []);
  assert.equal(tags.failure, null);
  assert.equal(publisher.peer.closed, false, 'the publisher was sent away');
  for (const [who, recording] of /** @type {const} */ ([['browser', seen], ['RTMP', played]])) {
    for (const each of phases) {
      if (/off|stands still/.test(each.name) || (who === 'RTMP' && each === phases[0])) continue;
      judge(t, who, recording, each);
    }
  }
  assert.ok(['360x640', '640x360', '480x480'].every((size) => seen.sizes.has(size)), [...seen.sizes].join());
});

/**
 * @param {import('node:test').TestContext} t @param {'browser' | 'RTMP'} who @param {Recording} recording
 * @param {Phase} phase
 */
function judge(t, who, recording, phase) {
  const name = `${who}, ${phase.name}`;
  const first = firstAfter(recording, phase.from);
  assert.ok(first, `${name}: no picture`);
  const wait = first.seen - phase.from;
  const part = partOf(recording, phase);
  const r = report(part);
  const late = median(part.readable().map((frame) => frame.seen - paintedAt(frame)));
  t.diagnostic(`${name}: a picture after ${wait} ms, ${Math.round(late)} ms old; ${summary(r)}`);
  assert.ok(wait < FOLLOW_MS + MACHINE_MS, `${name}: no picture for ${wait} ms`);
  assert.ok(late < LATE_MS, `${name}: the picture stays ${late} ms late`);
  const lips = median(r.lipSync.map(Math.abs));
  assert.ok(lips < LIP_SYNC[who], `${name}: lips are ${lips} s off`);
}
