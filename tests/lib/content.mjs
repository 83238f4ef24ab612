/**
 * Judges a recording: is it the picture and the sound that the source made, whole, in order and together?
 */
import assert from 'node:assert/strict';
import { FLASH_FRAMES } from './barcode.mjs';
import { beeps, pitches } from './sound.mjs';

/** Two presentation times further apart than this in a row are a frozen picture, in seconds. */
const FREEZE_SECONDS = 1;

/**
 * @typedef {object} Report
 * @property {number} frames frames that came out
 * @property {number} unreadable frames whose code could not be read
 * @property {number} first number of the first readable frame
 * @property {number} last number of the last one
 * @property {number} backward how often a number was lower than the one before
 * @property {number} missing share of the numbers between first and last that never came
 * @property {number} freeze longest time between two different pictures, in seconds, presented or by the wall clock
 * @property {number} pace numbers per second of presentation time
 * @property {number} latency median time from paint to player, in milliseconds
 * @property {number} hertz median pitch of the sound, 0 without sound
 * @property {number} steady share of the sound, in tenths of a second, within 1 % of that pitch
 * @property {number} soundSeconds
 * @property {number[]} beepGaps seconds from each beep to the next
 * @property {number[]} lipSync for each flash with a beep: seconds by which the sound is late
 */

/**
 * @param {import('./recording.mjs').Recording} recording
 * @param {{ fps?: number }} [options]
 * @returns {Report}
 */
export function report(recording, { fps = 15 } = {}) {
  const seen = recording.readable();
  const numbers = seen.map((frame) => frame.number);
  const first = seen[0];
  const last = seen.at(-1);
  const fresh = seen.filter((frame, i) => i === 0 || frame.number !== seen[i - 1]?.number);
  const gaps = fresh.slice(1).map((frame, i) => {
    const before = fresh[i] ?? frame;
    return Math.max((frame.seen - before.seen) / 1000, frame.at - before.at);
  });
  const span = (last?.number ?? 0) - (first?.number ?? 0) + 1;
  const pcm = recording.pcm();
  const heard = pitches(pcm, recording.rate);
  const hertz = median(heard.filter((hz) => hz > 0));
  const starts = beeps(pcm, recording.rate);
  return {
    frames: recording.frames.length,
    unreadable: recording.frames.length - seen.length,
    first: first?.number ?? -1,
    last: last?.number ?? -1,
    backward: numbers.filter((number, i) => i > 0 && number < (numbers[i - 1] ?? 0)).length,
    missing: first ? 1 - new Set(numbers).size / span : 1,
    freeze: gaps.length > 0 ? Math.max(...gaps) : Infinity,
    pace: first && last ? (span - 1) / (last.at - first.at) : 0,
    latency: median(seen.map((frame) => (frame.seen % 2 ** 31) - frame.clock)),
    hertz,
    steady: heard.filter((hz) => Math.abs(hz - hertz) < hertz / 100).length / Math.max(1, heard.length),
    soundSeconds: pcm.length / recording.rate,
    beepGaps: starts.slice(1).map((at, i) => at - (starts[i] ?? 0)),
    lipSync: lipSync(recording, starts, fps),
  };
}

/**
 * @param {import('./recording.mjs').Recording} recording @param {number[]} starts @param {number} fps
 */
function lipSync(recording, starts, fps) {
  const heard = starts.map((at) => recording.presented(at));
  const flashes = recording
    .readable()
    .filter((frame) => frame.flash && frame.number % fps < FLASH_FRAMES)
    // A frame of the flash that is not its first tells the same instant, so a lost frame loses no measurement.
    .map((frame) => ({ second: Math.floor(frame.number / fps), at: frame.at - (frame.number % fps) / fps }));
  /** @type {Map<number, number>} */
  const seconds = new Map();
  for (const { second, at } of flashes) if (!seconds.has(second)) seconds.set(second, at);
  const errors = [];
  for (const at of seconds.values()) {
    const nearest = Math.min(...heard.map((beep) => Math.abs(beep - at)));
    const beep = heard.find((candidate) => Math.abs(candidate - at) === nearest);
    if (beep !== undefined && nearest < 0.45) errors.push(beep - at);
  }
  return errors;
}

/** @param {number[]} values */
export function median(values) {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** @param {Report} r one line for a test's output */
export function summary(r) {
  const sync = r.lipSync.map((s) => Math.round(s * 1000)).join(',');
  return (
    `frames ${r.frames} (${r.unreadable} unreadable) ${r.first}..${r.last} missing ${(r.missing * 100).toFixed(1)} %` +
    ` freeze ${r.freeze.toFixed(2)} s pace ${r.pace.toFixed(2)}/s latency ${Math.round(r.latency)} ms;` +
    ` sound ${r.soundSeconds.toFixed(1)} s ${r.hertz.toFixed(1)} Hz steady ${(r.steady * 100).toFixed(0)} %;` +
    ` lip sync ${sync} ms`
  );
}

/**
 * The share of pictures that a browser may leave out, at either end. A page captures and shows at the refreshes of its
 * screen: of two pictures that fall into one, nobody sees the first. Standstills and the pace are judged on their own.
 */
const UNSHOWN = 0.2;

/**
 * How long Chromium takes to bring picture and sound together again, in seconds, once a gap or a burst of pictures has
 * made its buffer of sound grow by some 150 ms: it holds the picture back by no more than about 25 ms a second.
 */
export const SETTLE = 12;

/**
 * By how much a second of sound may be stretched, in seconds: Chromium plays up to a tenth faster for a few seconds after it
 * has begun, until its buffer is as short as the network allows. Sound that is left out or comes twice shows in the tone.
 */
const STRETCH = 0.1;

/**
 * @typedef {object} Expectation
 * @property {number} [seconds] at least so much picture and sound
 * @property {number} [fps]
 * @property {number} [tone] hertz
 * @property {number} [missing] share of frames that may be missing
 * @property {number} [steady] share of the sound that must hold the tone
 * @property {number} [freeze] longest standstill, in seconds
 * @property {number} [latency] most milliseconds from paint to player, at the median
 * @property {number} [skip] seconds at the beginning of which only order and legibility are checked
 * @property {number} [lipSync] seconds by which sound and picture may be apart, at the median
 * @property {boolean} [video]
 * @property {boolean} [audio]
 * @property {string} [name] of the player, for messages
 */

/**
 * Checks that picture numbers advance in order at the right pace without a standstill, that the tone is right and
 * unbroken, that beeps come once a second, and that they sound when the picture flashes.
 * @param {import('node:test').TestContext} t gets the figures
 * @param {import('./recording.mjs').Recording} recording
 * @param {Expectation} [expectation]
 */
export function assertContent(t, recording, expectation = {}) {
  const { seconds = 5, fps = 15, tone = 440, missing = UNSHOWN, steady = 0.95, freeze = FREEZE_SECONDS } = expectation;
  const { video = true, audio = true, latency = Infinity, skip = 0, lipSync = 0.1, name } = expectation;
  const r = report(recording.skip(skip), { fps });
  const text = name ? `${name}: ${summary(r)}` : summary(r);
  t.diagnostic(text);
  if (video) {
    const whole = recording.readable();
    const unreadable = recording.frames.length - whole.length;
    assert.ok(unreadable <= recording.frames.length * 0.02, `${unreadable} unreadable pictures: ${text}`);
    const order = whole.map((frame) => frame.number);
    assert.deepEqual(order.filter((number, i) => number < (order[i - 1] ?? 0)), [], `pictures go back: ${text}`);
    assert.ok(r.frames >= seconds * fps * (1 - missing), `too few frames: ${text}`);
    assert.ok(r.latency < latency, `the picture is late: ${text}`);
    assert.ok(r.missing <= missing, `pictures are missing: ${text}`);
    assert.ok(r.freeze < freeze, `the picture froze: ${text}`);
    assert.ok(Math.abs(r.pace - fps) < fps * 0.1, `the picture runs at a wrong pace: ${text}`);
  }
  if (audio) {
    assert.ok(r.soundSeconds >= seconds * 0.9, `too little sound: ${text}`);
    assert.ok(Math.abs(r.hertz - tone) < tone * 0.01, `wrong tone: ${text}`);
    assert.ok(r.steady >= steady, `the sound is broken: ${text}`);
    const wrong = r.beepGaps.filter((gap) => Math.abs(gap - 1) > STRETCH);
    assert.ok(wrong.length <= Math.ceil(seconds / 10), `beeps are not a second apart (${wrong}): ${text}`);
  }
  if (video && audio) {
    assert.ok(r.lipSync.length >= Math.floor(seconds / 2), `too few flashes with a beep: ${text}`);
    const error = Math.abs(median(r.lipSync));
    assert.ok(error < lipSync, `lip sync is off by ${Math.round(error * 1000)} ms: ${text}`);
  }
  return r;
}
