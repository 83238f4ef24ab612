/**
 * Takes every measurement, prints the table and writes it to `results/latest.json`.
 *
 * BENCH=quick takes a few seconds for each row, BENCH=full (the default) as long as the figures need. ROWS=cpu,glass
 * takes only the measurements with a row whose name contains one of the words.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import * as firstPicture from './first_picture.mjs';
import * as glassToGlass from './glass_to_glass.mjs';
import { load } from './lib/context.mjs';
import * as lipSync from './lip_sync.mjs';
import { ROWS, format } from './lib/table.mjs';
import * as rooms from './rooms.mjs';

/**
 * @typedef {import('./lib/context.mjs').Context} Context
 * @typedef {import('./lib/table.mjs').Result} Result
 */

/** @type {{ rows: string[], run: (context: Context) => Promise<Result[]> }[]} */
const MEASUREMENTS = [
  { rows: ['rtmp_to_rtp', 'rtmp_to_rtmp', 'rtp_to_rtmp'], run: (context) => load(context, 'frame-delay') },
  { rows: ['audio_aac_to_opus', 'audio_opus_to_aac'], run: (context) => load(context, 'audio-delay') },
  {
    rows: ['glass_to_chromium', 'glass_to_chromium_sound', 'glass_to_rtmp', 'glass_to_rtmp_wire'],
    run: glassToGlass.measure,
  },
  { rows: ['first_webrtc', 'first_webrtc_click'], run: firstPicture.chromiumJoins },
  { rows: ['first_webrtc_wire'], run: (context) => load(context, 'join-webrtc') },
  { rows: ['first_rtmp', 'first_rtmp_backlog'], run: firstPicture.rtmpJoins },
  { rows: ['lip_to_chromium', 'lip_to_rtmp', 'lip_floor'], run: lipSync.measure },
  { rows: ['cpu_rtmp'], run: (context) => load(context, 'cpu-rtmp') },
  { rows: ['cpu_rtmp_to_webrtc'], run: (context) => load(context, 'cpu-rtmp-to-webrtc') },
  { rows: ['cpu_webrtc_to_rtmp'], run: (context) => load(context, 'cpu-webrtc-to-rtmp') },
  { rows: ['more_webrtc_cpu', 'more_webrtc_memory'], run: (context) => load(context, 'more-webrtc') },
  { rows: ['more_rtmp_cpu'], run: (context) => load(context, 'more-rtmp') },
  { rows: ['memory_rtmp'], run: (context) => load(context, 'memory-rtmp') },
  { rows: ['join_picture'], run: rooms.chromiumJoinsRoom },
  { rows: ['room_connect'], run: (context) => load(context, 'room-connect') },
  { rows: ['room_joins'], run: (context) => load(context, 'room-joins') },
  { rows: ['signal_cut'], run: rooms.signallingCut },
  { rows: ['media_cut'], run: rooms.mediaCut },
  { rows: ['mix_room'], run: (context) => load(context, 'mix-room') },
  { rows: ['room_of_thirty'], run: (context) => load(context, 'room-of-thirty') },
];

const mode = process.env['BENCH'] ?? 'full';
if (mode !== 'quick' && mode !== 'full') throw new Error(`BENCH is ${mode}, not quick or full`);
const words = (process.env['ROWS'] ?? '').split(/[\s,]+/).filter((word) => word !== '');
const chosen = MEASUREMENTS.filter(
  ({ rows }) => words.length === 0 || rows.some((row) => words.some((word) => row.includes(word))),
);
if (chosen.length === 0) {
  throw new Error(`no row is called ${words.join(' or ')}: there are ${ROWS.map((row) => row.id).join(' ')}`);
}

/** @type {Map<string, Result | { failed: string }>} */
const results = new Map();
for (const { rows, run } of chosen) {
  process.stderr.write(`measuring ${rows.join(', ')}\n`);
  try {
    for (const result of await run({ quick: mode === 'quick' })) results.set(result.id, result);
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${failed}\n`);
    process.exitCode = 1;
    for (const row of rows) results.set(row, { failed });
  }
}

const processors = cpus();
const machine = `${processors.length} x ${processors[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB`;
process.stdout.write(`\n${format(results)}\n\n${mode}, ${machine}\n`);
const directory = new URL('results/', import.meta.url);
mkdirSync(directory, { recursive: true });
const rows = ROWS.filter(({ id }) => results.has(id)).map((row) => ({ ...row, ...results.get(row.id) }));
writeFileSync(
  new URL('latest.json', directory),
  `${JSON.stringify({ at: new Date().toISOString(), mode, machine, rows }, null, 2)}\n`,
);
