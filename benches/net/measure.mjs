/** What a person notices of a stream, from what a player saw and heard. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FPS } from '../lib/camera.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, '.cache/netbench');
export const SPEECH = join(CACHE, 'speech.s16');
const PYTHON = join(CACHE, 'venv/bin/python');
const LISTEN = fileURLToPath(new URL('listen.py', import.meta.url));
const RATE = 48_000;
/** The speech repeats after so many seconds. */
const PERIOD_S = 60;

/** What a mini-program's player holds back before it shows anything, and again after it ran dry (`min-cache`), in ms. */
const CACHE_MS = 200;
/** By which share it plays faster while it holds more than that. */
const CATCH_UP = 0.05;

/** Pieces of sound that join within this many seconds are one: a page times its blocks only so well. */
const JOIN_S = 0.03;

/** A picture and the sound around it within so many seconds are held against each other. */
const BESIDE_S = 0.5;

/** Recovery has to hold for this long, in milliseconds. */
const STEADY_MS = 1000;

/**
 * @typedef {object} Figures
 * @property {number} freeze share of the time in which the picture stood still, in %, by libwebrtc's definition of a freeze: a
 * picture stays for three times as long as those before it did on average, and 150 ms longer
 * @property {number} longest longest freeze, in ms
 * @property {number} shown share of the source's pictures that were shown, in %
 * @property {number | null} lip p95 of the time between sound and picture of the same instant, in ms
 * @property {number} p50 of the delay from paint to player, in ms
 * @property {number} p95
 * @property {number} max
 * @property {number} growth median delay of the last quarter less that of the time before the first step, in ms
 * @property {number} pesq mean opinion of the speech, 1 to 4.64
 * @property {number | null} drop by how much that is below the reference's
 * @property {number} missing share of the speech that was not heard, in %
 * @property {number} gap longest time of this, in ms
 * @property {number | null} recover seconds until picture and delay are steady again; infinite when they never are
 */

/** @typedef {{ number: number, clock: number, at: number, seen: number }} Frame */

/** @param {number[]} values @param {number} share */
function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Infinity;
}

/** @param {number[]} values */
const median = (values) => percentile(values, 0.5);

/** @param {Frame} frame milliseconds from paint to player */
const delay = (frame) => (frame.seen % 2 ** 31) - frame.clock;

/** Pictures that were not seen before. @param {import('../../tests/lib/recording.mjs').Recording} recording */
function fresh(recording) {
  const readable = recording.readable();
  return readable.filter((frame, i) => frame.number > (readable[i - 1]?.number ?? -1));
}

/**
 * When a phone would show pictures, in wall-clock milliseconds: a browser has shown them, a player of RTMP gets them as they
 * arrive and holds a cache.
 * @param {Frame[]} frames @param {'browser' | 'rtmp'} player
 */
function showings(frames, player) {
  if (player === 'browser') return frames.map((frame) => frame.seen);
  /** From presentation to wall clock. */
  let base = -Infinity;
  return frames.map((frame, i) => {
    const at = frame.at * 1000;
    const spare = at + base - frame.seen;
    if (spare < 0) base = frame.seen + CACHE_MS - at;
    else if (spare > CACHE_MS) base -= Math.min(spare - CACHE_MS, CATCH_UP * (at - (frames[i - 1]?.at ?? 0) * 1000));
    return at + base;
  });
}

/**
 * Times in which the picture stood still.
 * @param {number[]} shown ascending @param {number} from @param {number} to
 * @returns {{ at: number, ms: number }[]}
 */
function freezes(shown, from, to) {
  const found = [];
  let average = 1000 / FPS;
  let last = shown.findLast((at) => at < from) ?? from;
  for (const at of [...shown.filter((time) => time >= from && time < to), to]) {
    const gap = at - last;
    if (gap > Math.max(3 * average, average + 150)) found.push({ at: Math.max(last, from), ms: at - Math.max(last, from) });
    else average += (gap - average) / 30;
    last = at;
  }
  return found;
}

/**
 * The sound as it was presented, silence where there was none.
 * @param {import('../../tests/lib/recording.mjs').Recording} recording
 * @param {number} from @param {number} to on the time line of the frames, in seconds
 */
function presented(recording, from, to) {
  const bytes = Buffer.concat(recording.sound);
  const out = Buffer.alloc(Math.max(0, Math.round((to - from) * RATE)) * 2);
  let shift = NaN;
  recording.anchors.forEach(({ seconds, at }, i) => {
    if (!(Math.abs(at - seconds - shift) < JOIN_S)) shift = at - seconds;
    const start = Math.round(seconds * RATE) * 2;
    const end = Math.round((recording.anchors[i + 1]?.seconds ?? Infinity) * RATE) * 2;
    const target = Math.round((seconds + shift - from) * RATE) * 2;
    const part = bytes.subarray(start + Math.max(0, -target), Math.min(end, bytes.length));
    if (part.length > 0 && target < out.length) part.copy(out, Math.max(0, target));
  });
  return out;
}

/**
 * @typedef {object} Heard what `listen.py` says
 * @property {[number, number, number][]} segments
 * @property {[number, number][]} pesq
 * @property {number} missing
 * @property {number} gap
 */

/**
 * @param {import('../../tests/lib/scope.mjs').Scope} scope
 * @param {Buffer} sound
 * @returns {Promise<Heard>}
 */
async function listen(scope, sound) {
  const path = join(scope.tempDir(), 'heard.s16');
  writeFileSync(path, sound);
  const { stdout } = await promisify(execFile)(PYTHON, [LISTEN, SPEECH, path], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}

/**
 * By how much sound comes after the picture of the same instant, in milliseconds, each half second.
 * @param {Frame[]} frames @param {Heard} heard @param {number} from where the sound begins, on the frames' time line
 */
function lipSync(frames, heard, from) {
  const errors = [];
  for (const [position, source] of heard.segments) {
    const at = from + position;
    const beside = frames.filter((frame) => Math.abs(frame.at - at) < BESIDE_S);
    if (beside.length === 0) continue;
    const picture = median(beside.map((frame) => frame.at - frame.number / FPS));
    const late = at - source - picture;
    errors.push((late - PERIOD_S * Math.round(late / PERIOD_S)) * 1000);
  }
  return errors;
}

/**
 * Seconds from a moment to the first picture from which on nothing stands still and nothing is late.
 * @param {Frame[]} frames @param {number[]} shown @param {number} moment @param {number} most delay in milliseconds
 * @param {number} end
 */
function recovery(frames, shown, moment, most, end) {
  const frozen = freezes(shown, moment, end);
  for (const frame of frames) {
    const [from, to] = [frame.seen, frame.seen + STEADY_MS];
    if (from < moment || to > end) continue;
    const late = frames.some((other) => other.seen >= from && other.seen <= to && delay(other) > most);
    const still = frozen.some(({ at, ms }) => at + ms > from && at < to);
    if (!late && !still) return (from - moment) / 1000;
  }
  return Infinity;
}

/**
 * @param {import('../../tests/lib/scope.mjs').Scope} scope
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @param {import('../../tests/lib/recording.mjs').Recording} recording
 * @param {number} begin wall clock at which the measurement began, in milliseconds
 * @param {number} end
 */
export async function measure(scope, scenario, recording, begin, end) {
  const all = fresh(recording);
  const shownAll = showings(all, scenario.to);
  const frames = all.filter((frame) => frame.seen >= begin && frame.seen < end);
  const [first, last] = [frames[0], frames.at(-1)];
  if (!first || !last) throw new Error('no picture while it was measured');
  const frozen = freezes(shownAll, begin, end);
  const heard = await listen(scope, presented(recording, first.at, last.at));
  const delays = frames.map(delay);
  const step = begin + (scenario.steps?.[0]?.at ?? (end - begin) / 4000) * 1000;
  const before = median(frames.filter((frame) => frame.seen < step).map(delay));
  const after = median(frames.filter((frame) => frame.seen >= end - (end - begin) / 4).map(delay));
  const late = lipSync(frames, heard, first.at);
  const { recover } = scenario;
  /** @type {Figures} */
  const figures = {
    freeze: (100 * frozen.reduce((sum, { ms }) => sum + ms, 0)) / (end - begin),
    longest: Math.max(0, ...frozen.map(({ ms }) => ms)),
    shown: (100 * frames.length) / (last.number - first.number + 1),
    lip: late.length > 0 ? percentile(late.map(Math.abs), 0.95) : null,
    p50: median(delays),
    p95: percentile(delays, 0.95),
    max: Math.max(...delays),
    growth: after - before,
    pesq: heard.pesq.reduce((sum, [, value]) => sum + value, 0) / Math.max(1, heard.pesq.length),
    drop: null,
    missing: 100 * heard.missing,
    gap: 1000 * heard.gap,
    recover: recover ? recovery(all, shownAll, begin + recover.from * 1000, before + recover.lag, end) : null,
  };
  const series = frames.map((frame) => [(frame.seen - begin) / 1000, delay(frame)]);
  return { figures, series: { delay: series, freezes: frozen.map(({ at, ms }) => [(at - begin) / 1000, ms]), pesq: heard.pesq, lip: late } };
}
