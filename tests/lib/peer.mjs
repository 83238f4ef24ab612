/**
 * The native participant, and films for it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLASH_FRAMES, paint } from './barcode.mjs';
import { until } from './scope.mjs';
import { synthesize } from './sound.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The command: `QUEQIAO_PEER_BIN`, else a release build, else a debug build. */
function binary() {
  const candidates = [
    process.env['QUEQIAO_PEER_BIN'],
    join(ROOT, 'target/release/queqiao-peer'),
    join(ROOT, 'target/debug/queqiao-peer'),
  ];
  const found = candidates.find((path) => path && existsSync(path));
  assert.ok(found, 'no queqiao-peer: run `cargo build --release -p queqiao-peer` or set QUEQIAO_PEER_BIN');
  return found;
}

/** A running `queqiao-peer`. */
export class Peer {
  out = '';

  /** @param {import('./scope.mjs').Child} child */
  constructor(child) {
    this.child = child;
    child.reader(1).setEncoding('utf8').on('data', (text) => (this.out += text));
  }

  /** Waits until it says so. @param {'published' | 'receiving'} word @param {number} ms */
  async said(word, ms) {
    await until(`queqiao-peer to say ${word}`, ms, () => {
      assert.equal(this.child.exit, null, `queqiao-peer ended:\n${this.child.tail()}`);
      return this.out.split('\n').includes(word);
    }).catch((error) => {
      throw new Error(`${error.message}; it says:\n${this.child.tail()}`);
    });
  }

  /** Waits until it ends by itself, and gives its exit code. */
  async ended() {
    const { code } = await this.child.exited;
    return code;
  }

  /** Asks it to end, and gives its exit code. */
  async stop() {
    const { code } = await this.child.stop('SIGINT');
    return code;
  }
}

/**
 * @typedef {object} Who
 * @property {string} room
 * @property {string} uid
 * @property {string} [app]
 * @property {string} [token]
 */

/** @param {import('./scope.mjs').Scope} scope @param {import('./server.mjs').Server | string} server @param {string} command @param {Who} who @param {string[]} rest */
function start(scope, server, command, { room, uid, app = 'demo', token }, rest) {
  const address = typeof server === 'string' ? server : `http://${server.http}`;
  const args = [command, '--server', address, '--app', app, '--room', room, '--uid', uid];
  if (token !== undefined) args.push('--token', token);
  const env = { ...process.env, QUEQIAO_LOG: 'warn,queqiao_peer=debug', RUST_BACKTRACE: '1' };
  return new Peer(scope.spawn(binary(), [...args, ...rest], { env }));
}

/**
 * Publishes a file.
 * @param {import('./scope.mjs').Scope} scope
 * @param {import('./server.mjs').Server | string} server
 * @param {Who} who
 * @param {string} file
 * @param {string[]} [flags]
 */
export function publishFile(scope, server, who, file, flags = []) {
  return start(scope, server, 'publish', who, [...flags, file]);
}

/**
 * Writes a participant into a file.
 * @param {import('./scope.mjs').Scope} scope
 * @param {import('./server.mjs').Server | string} server
 * @param {Who} who
 * @param {string} of
 * @param {string} file
 * @param {string[]} [flags]
 */
export function recordFile(scope, server, who, of, file, flags = []) {
  return start(scope, server, 'play', who, ['--of', of, ...flags, '-o', file]);
}

/**
 * Makes a film of the test source.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} name whose ending says which container
 * @param {{ seconds: number, tone?: number, fps?: number, audio?: string[], gop?: number }} options
 */
export async function film(scope, name, { seconds, tone = 440, fps = 15, audio = ['-c:a', 'aac'], gop = 15 }) {
  const path = join(scope.tempDir(), name);
  const [width, height, rate] = [360, 640, 48_000];
  const args = ['-hide_banner', '-nostats', '-loglevel', 'warning'];
  args.push('-f', 'rawvideo', '-pix_fmt', 'gray', '-video_size', `${width}x${height}`, '-framerate', String(fps));
  args.push('-i', 'pipe:0', '-f', 's16le', '-ar', String(rate), '-ac', '1', '-i', 'pipe:3');
  args.push('-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-profile:v', 'baseline', '-preset', 'veryfast');
  args.push('-g', String(gop), '-sc_threshold', '0', '-bf', '0', '-b:v', '600k', '-threads', '1', ...audio, path);
  const child = scope.spawn('ffmpeg', args, { stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
  const pcm = synthesize({ tone, rate, channels: 1, from: 0, count: rate * seconds });
  child.writer(3).end(new Uint8Array(pcm.buffer));
  const pictures = child.writer(0);
  for (let number = 0; number < fps * seconds; number += 1) {
    const plane = new Uint8Array(width * height);
    paint(plane, width, height, { number, clock: 0, flash: number % fps < FLASH_FRAMES });
    if (!pictures.write(plane)) await once(pictures, 'drain');
  }
  pictures.end();
  const exit = await child.exited;
  assert.deepEqual(exit, { code: 0, signal: null }, `ffmpeg makes the film:\n${child.tail()}`);
  return path;
}
