/** Figures from what a player saw and heard, without clocks or processes. */
import { FPS } from '../lib/camera.mjs';

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

/** @typedef {{ number: number, clock: number, at: number, seen: number }} Frame */

/** @param {number[]} values @param {number} share */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Infinity;
}

/** @param {number[]} values */
export const median = (values) => percentile(values, 0.5);

/** @param {Frame} frame milliseconds from paint to player */
export const delay = (frame) => (frame.seen % 2 ** 31) - frame.clock;

/** Pictures that were not seen before. @param {import('../../tests/lib/recording.mjs').Recording} recording */
export function fresh(recording) {
  const readable = recording.readable();
  return readable.filter((frame, i) => frame.number > (readable[i - 1]?.number ?? -1));
}

/**
 * When a phone would show pictures, in wall-clock milliseconds: a browser has shown them, a player of RTMP gets them as they
 * arrive and holds a cache.
 * @param {Frame[]} frames @param {'browser' | 'rtmp'} player
 */
export function showings(frames, player) {
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
export function freezes(shown, from, to) {
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
export function presented(recording, from, to) {
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
 * By how much sound comes after the picture of the same instant, in milliseconds, each half second.
 * @param {Frame[]} frames @param {Heard} heard @param {number} from where the sound begins, on the frames' time line
 */
export function lipSync(frames, heard, from) {
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
export function recovery(frames, shown, moment, most, end) {
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
