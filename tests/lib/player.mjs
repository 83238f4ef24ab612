/**
 * Players built on ffmpeg: of RTMP, of HTTP-FLV and of files. Each decodes picture and sound and reads them back.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { readPlane } from './barcode.mjs';
import { Recording } from './recording.mjs';
import { until } from './scope.mjs';

/** Frames are scaled to this before they are read, whatever their size. */
const WIDTH = 180;
const HEIGHT = 320;

/** @type {('pipe' | 'ignore')[]} */
const PIPES = ['ignore', 'pipe', 'pipe', 'pipe'];

/**
 * @typedef {object} PlayOptions
 * @property {boolean} [video]
 * @property {boolean} [audio]
 * @property {string[]} [input] ffmpeg arguments before `-i`
 */

/** Cuts a byte stream into frames and reads each. */
class FrameReader {
  /** @type {Buffer[]} */
  #parts = [];
  #length = 0;

  /** @param {Buffer} chunk @param {(frame: Buffer) => void} each */
  push(chunk, each) {
    const size = WIDTH * HEIGHT;
    this.#parts.push(chunk);
    this.#length += chunk.length;
    if (this.#length < size) return;
    let bytes = Buffer.concat(this.#parts);
    for (; bytes.length >= size; bytes = bytes.subarray(size)) each(bytes.subarray(0, size));
    this.#parts = [bytes];
    this.#length = bytes.length;
  }
}

/** ffmpeg decoding something, with what came out of it so far. */
export class Player {
  recording = new Recording();
  /**
   * Presentation times of frames that were announced but not yet read, and when they were: ffmpeg writes the pixels of each
   * only with the next one.
   * @type {{ at: number, seen: number }[]}
   */
  #announced = [];
  /** @type {number} */
  #soundSeconds = 0;

  /** @param {import('./scope.mjs').Child} child @param {PlayOptions} options */
  constructor(child, { video = true, audio = true }) {
    this.child = child;
    child.lineListeners.push((line) => this.#onLine(line));
    const frames = new FrameReader();
    /** @type {Buffer[]} */
    this.waiting = [];
    if (video) {
      child.reader(1).on('data', (chunk) => frames.push(chunk, (frame) => this.#onFrame(Buffer.from(frame))));
    }
    if (audio) child.reader(3).on('data', (chunk) => this.recording.sound.push(chunk));
  }

  /** @param {string} line */
  #onLine(line) {
    const time = /_(a?)showinfo_\d+ .*\bpts_time:\s*(-?[\d.]+)/.exec(line);
    if (time) {
      const at = Number(time[2]);
      if (time[1]) {
        const samples = Number(/nb_samples:(\d+)/.exec(line)?.[1] ?? 0);
        const rate = Number(/rate:(\d+)/.exec(line)?.[1] ?? 48_000);
        this.recording.anchors.push({ seconds: this.#soundSeconds, at });
        this.#soundSeconds += samples / rate;
      } else {
        this.#announced.push({ at, seen: Date.now() });
        this.#drain();
      }
    }
    const size = /Video: h264.*?, (\d+x\d+)/.exec(line);
    if (size?.[1]) this.recording.sizes.add(size[1]);
  }

  /** @param {Buffer} bytes */
  #onFrame(bytes) {
    this.waiting.push(bytes);
    this.#drain();
  }

  // ffmpeg announces a frame's time on one pipe and writes its pixels to another: they meet here in order.
  #drain() {
    while (this.waiting.length > 0 && this.#announced.length > 0) {
      const bytes = this.waiting.shift();
      const { at, seen } = this.#announced.shift() ?? { at: 0, seen: 0 };
      const code = bytes ? readPlane(bytes, WIDTH, HEIGHT) : null;
      this.recording.frames.push({
        number: code ? code.number : null,
        clock: code?.clock ?? 0,
        flash: code?.flash ?? false,
        at,
        seen,
      });
    }
  }

  /**
   * Waits for the first picture.
   * @param {number} ms
   * @returns {Promise<number>} milliseconds since the player started
   */
  async firstFrame(ms) {
    await until('a first picture', ms, () => this.recording.readable().length > 0).catch((error) => {
      throw new Error(`${error.message}; the player says:\n${this.child.tail()}`);
    });
    return (this.recording.readable()[0]?.seen ?? 0) - this.recording.started;
  }

  /** Ends the player and gives what it saw. */
  async stop() {
    await this.child.stop('SIGINT');
    return this.recording;
  }

  /** Waits until the input ends by itself, and gives what was seen. */
  async finished() {
    await this.child.exited;
    return this.recording;
  }
}

/**
 * Plays an address or a file with ffmpeg.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} url
 * @param {PlayOptions} [options]
 */
export function play(scope, url, options = {}) {
  const args = ['-hide_banner', '-nostats', '-loglevel', 'info'];
  args.push(...(options.input ?? LIVE_INPUT), '-i', url);
  if (options.video ?? true) {
    const scale = `scale=${WIDTH}:${HEIGHT}:flags=area,format=gray,showinfo=checksum=0`;
    args.push('-map', '0:v:0', '-vsync', '0', '-vf', scale, '-f', 'rawvideo', 'pipe:1');
  }
  if (options.audio ?? true) {
    const form = 'ashowinfo,aformat=sample_rates=48000:channel_layouts=mono';
    args.push('-map', '0:a:0', '-af', form, '-f', 's16le', 'pipe:3');
  }
  return new Player(scope.spawn('ffmpeg', args, { stdio: PIPES }), options);
}

/** How a live player opens an RTMP or HTTP-FLV address: a second of probing, whose frames it then shows too. */
const LIVE_INPUT = ['-flags', 'low_delay', '-analyzeduration', '1000000'];

/** How a player opens it that throws away what it has probed, to be nearer to live. */
export const IMPATIENT_INPUT = ['-fflags', 'nobuffer', '-flags', 'low_delay', '-analyzeduration', '500000'];

/**
 * Decodes a file that was written by another player.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} path
 */
export function decodeFile(scope, path) {
  return play(scope, path, { input: [] }).finished();
}

/**
 * Plays RTMP with rtmpdump into a file.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} url
 */
export function rtmpdump(scope, url) {
  const path = join(scope.tempDir(), 'dump.flv');
  const child = scope.spawn('rtmpdump', ['-r', url, '--live', '-o', path]);
  child.reader(1).resume();
  return {
    child,
    path,
    /** Ends the recording and decodes it. */
    async stop() {
      await child.stop('SIGINT');
      return decodeFile(scope, path);
    },
  };
}

/**
 * Writes an HTTP answer to a file until it is stopped.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} url
 */
export function download(scope, url) {
  const path = join(scope.tempDir(), 'download.flv');
  const abort = new AbortController();
  scope.defer(() => abort.abort());
  const done = fetch(url, { signal: abort.signal })
    .then(({ body }) => (body ? pipeline(/** @type {any} */ (body), createWriteStream(path)) : undefined))
    .catch(() => {});
  return {
    path,
    /** Ends the download and decodes it. */
    async stop() {
      abort.abort();
      await done;
      return decodeFile(scope, path);
    },
  };
}
