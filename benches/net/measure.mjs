/** What a person notices of a stream, from what a player saw and heard. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { delay, freezes, fresh, lipSync, median, percentile, presented, recovery, showings } from './figures.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, '.cache/netbench');
export const SPEECH = join(CACHE, 'speech.s16');
const PYTHON = join(CACHE, 'venv/bin/python');
const LISTEN = fileURLToPath(new URL('listen.py', import.meta.url));
/** The longest delay with which sound is not yet missing. */
const ON_ITS_WAY_MS = 1000;

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

/**
 * @param {import('../../tests/lib/scope.mjs').Scope} scope
 * @param {Buffer} sound
 * @returns {Promise<import('./figures.mjs').Heard>}
 */
async function listen(scope, sound) {
  const path = join(scope.tempDir(), 'heard.s16');
  writeFileSync(path, sound);
  const { stdout } = await promisify(execFile)(PYTHON, [LISTEN, SPEECH, path], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
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
  // Sound goes on where the picture does not; what is on its way at the end is not missing.
  const to = Math.max(last.at, first.at + (end - first.seen - ON_ITS_WAY_MS) / 1000);
  const heard = await listen(scope, presented(recording, first.at, to));
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
