/** What measurements are given, and the program that makes those without a browser. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary } from '../../tests/lib/server.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, '.cache/bench');
const TARGET = process.env['CARGO_TARGET_DIR'] ?? join(ROOT, 'target');

/** No measurement of the load client takes as long as this. */
const LOAD_MS = 15 * 60_000;

/**
 * @typedef {object} Context
 * @property {boolean} quick whether to take few and short samples
 */

/**
 * Runs one measurement of the load client.
 * @param {Context} context
 * @param {string[]} measurement
 * @returns {Promise<import('./table.mjs').Result[]>}
 */
export async function load(context, ...measurement) {
  mkdirSync(CACHE, { recursive: true });
  const args = ['--server', binary(), '--media', join(CACHE, 'media.flv'), '--logs', CACHE];
  if (context.quick) args.push('--quick');
  const program = join(TARGET, 'release/queqiao-bench');
  const { stdout } = await promisify(execFile)(program, [...args, ...measurement], { timeout: LOAD_MS });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
