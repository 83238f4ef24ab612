/** RTMP and HTTP-FLV players on paths that carry too little, or nothing for a while: they stay near live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOCK_MODULUS } from './lib/barcode.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { startLink } from './lib/link.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite({ browser: false });

/** Frames of AAC at 48 kHz are so far apart. */
const AUDIO_STEP = 1024 / 48;

/**
 * A publisher, an RTMP player and an HTTP-FLV reader behind a link each, and what the stream takes.
 * @param {import('./lib/scope.mjs').Scope} scope
 * @param {string} stream
 */
async function set(scope, stream) {
  const publisher = pushRtmp(scope, s.server.rtmpUrl(stream));
  await sleep(1500);
  const near = await startLink(scope, 'tcp', s.server.rtmp);
  const far = await startLink(scope, 'tcp', s.server.http);
  const rtmp = play(scope, s.server.rtmpUrl(stream).replace(s.server.rtmp, `127.0.0.1:${near.port}`));
  const flv = new FlvPlayer(scope, s.server.flvUrl(stream).replace(s.server.http, `127.0.0.1:${far.port}`));
  await rtmp.firstFrame(6000);
  await sleep(3000);
  return {
    publisher,
    rtmp,
    flv,
    kbps: bitrate(flv.tags.filter((tag) => tag.seen > Date.now() - 2000)),
    /** @param {import('./lib/link.mjs').Conditions} conditions */
    link: (conditions) => Promise.all([near, far].map((link) => link.set({ down: conditions }))),
  };
}

/** @param {import('./lib/flv.mjs').Tag[]} tags of two seconds */
function bitrate(tags) {
  return tags.reduce((sum, tag) => sum + tag.body.length + 15, 0) / 250;
}

/**
 * How late each tag was against the quickest, in milliseconds.
 * @param {import('./lib/flv.mjs').Tag[]} tags
 */
function lateness(tags) {
  const delays = tags.map((tag) => tag.seen - tag.timestamp);
  const quickest = delays.toSorted((a, b) => a - b)[Math.floor(delays.length / 10)] ?? 0;
  return tags.map((tag, i) => ({ ...tag, late: (delays[i] ?? 0) - quickest }));
}

/**
 * How old each picture was when it came out of the player.
 * @param {import('./lib/player.mjs').Player} player
 */
function ages(player) {
  return player.recording
    .readable()
    .map(({ seen, clock }) => ({ seen, age: (seen % CLOCK_MODULUS) - clock }));
}

/** @param {number[]} values */
const largest = (values) => values.reduce((a, b) => Math.max(a, b), 0);

/** @param {{ seen: number }[]} pictures */
const longestFreeze = (pictures) =>
  largest(pictures.slice(1).map((picture, i) => picture.seen - (pictures[i]?.seen ?? picture.seen)));

test('on a path of 70 % players stay within a second of live, with all the sound and a picture that moves', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const { rtmp, flv, link, kbps } = await set(scope, 'limited/camera');
  const limited = Date.now();
  await link({ rate_kbps: kbps * 0.7 });
  await sleep(12_000);
  const released = Date.now();
  await link({});
  await sleep(5000);
  await rtmp.stop();
  const tags = lateness((await flv.stop()).filter((tag) => tag.type !== 'script' && !tag.header));
  assert.deepEqual(faults(flv.tags), []);

  const sound = tags.filter((tag) => tag.type === 'audio');
  const holes = sound.slice(1).map((tag, i) => tag.timestamp - (sound[i]?.timestamp ?? 0));
  assert.ok(largest(holes) <= AUDIO_STEP + 2, `sound has a hole of ${largest(holes)} ms`);
  const heard = rtmp.recording.pcm().length / rtmp.recording.rate;
  const span = rtmp.recording.presented(heard) - rtmp.recording.presented(0);
  assert.ok(Math.abs(span - heard) < 0.1, `${heard} s of sound for ${span} s`);

  for (const [name, late] of /** @type {const} */ ([
    ['HTTP-FLV', tags.map(({ seen, late }) => ({ seen, age: late }))],
    ['RTMP', ages(rtmp)],
  ])) {
    const usual = late.filter(({ seen }) => seen < limited).at(-1)?.age ?? 0;
    const worst = largest(late.map(({ age }) => age)) - usual;
    assert.ok(worst < 1000, `${name}: ${worst} ms behind`);
    const after = largest(late.filter(({ seen }) => seen > released + 3000).map(({ age }) => age)) - usual;
    assert.ok(after < 300, `${name}: still ${after} ms behind after three seconds`);
    t.diagnostic(`${name}: at most ${worst} ms behind, ${after} ms after the release`);
  }
  for (const [name, pictures] of /** @type {const} */ ([
    ['HTTP-FLV', tags.filter((tag) => tag.type === 'video')],
    ['RTMP', ages(rtmp)],
  ])) {
    const shown = pictures.filter(({ seen }) => seen > limited + 2000 && seen < released);
    const freeze = longestFreeze(shown);
    t.diagnostic(`${name}: ${shown.length} of 150 pictures, longest freeze ${freeze} ms`);
    assert.ok(shown.length > 45, `${name}: ${shown.length} of 150 pictures`);
    assert.ok(freeze < 2000, `${name}: a freeze of ${freeze} ms`);
  }
});

test('a path that stood still for five seconds is live again within a second, without a hole in the timeline', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const { rtmp, flv, link } = await set(scope, 'still/camera');
  await link({ cut: true });
  await sleep(5000);
  const mended = Date.now();
  await link({});
  await until('pictures again', 3000, () => ages(rtmp).some(({ seen, age }) => seen > mended && age < 600));
  await sleep(4000);
  await rtmp.stop();
  const tags = (await flv.stop()).filter((tag) => tag.type !== 'script' && !tag.header);
  assert.deepEqual(faults(flv.tags), []);

  const usual = ages(rtmp).filter(({ seen }) => seen < mended - 5000).at(-1)?.age ?? 0;
  const live = ages(rtmp).find(({ seen, age }) => seen > mended && age < usual + 300);
  assert.ok(live && live.seen < mended + 1000, `RTMP: live after ${(live?.seen ?? Infinity) - mended} ms`);
  const later = largest(ages(rtmp).filter(({ seen }) => seen > mended + 1500).map(({ age }) => age)) - usual;
  assert.ok(later < 300, `RTMP: ${later} ms behind after that`);
  const { anchors } = rtmp.recording;
  const jumps = anchors.slice(1).map(({ at, seconds }, i) => at - (anchors[i]?.at ?? at) - seconds + (anchors[i]?.seconds ?? 0));
  assert.ok(largest(jumps) < 0.2, `RTMP: the sound's time jumps by ${largest(jumps)} s`);

  for (const type of /** @type {const} */ (['audio', 'video'])) {
    const own = tags.filter((tag) => tag.type === type);
    const steps = own.slice(1).map((tag, i) => tag.timestamp - (own[i]?.timestamp ?? 0));
    assert.ok(largest(steps) < 200, `HTTP-FLV: ${type} has a hole of ${largest(steps)} ms`);
    // The quickest after the standstill tell what live is on the timeline that was moved.
    const after = lateness(own.filter((tag) => tag.seen > mended + 1000));
    assert.ok(largest(after.map(({ late }) => late)) < 300, `HTTP-FLV: ${type} is late`);
  }
  const offsets = /** @type {const} */ (['audio', 'video']).map((type) => {
    const end = tags.filter((tag) => tag.type === type && tag.seen > mended + 3000);
    return Math.min(...end.map((tag) => tag.seen - tag.timestamp));
  });
  assert.ok(Math.abs((offsets[0] ?? 0) - (offsets[1] ?? 0)) < 100, `sound and picture are apart: ${offsets}`);
  t.diagnostic(`RTMP: live ${live.seen - mended} ms after the path moved again`);
});
