/**
 * ffmpeg as a child process that is surely gone when it is no longer wanted.
 */
import { spawn } from 'node:child_process';

/** A log line longer than this is cut: nothing that is looked for is as long. */
const MAX_LINE = 4096;
/** How long an ffmpeg that has been asked to leave may take, in milliseconds. */
const GRACE_MS = 2000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const living = new Set();
let watching = false;

function watchExit() {
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const child of living) child.kill('SIGKILL');
  });
}

/** One running ffmpeg. */
export class Ffmpeg {
  /** Resolves when it has ended, whatever the reason; never rejects. @type {Promise<void>} */
  exited;
  #child;
  #ended = false;
  /** What it said last: the reason, when it has ended by itself. */
  lastLine = '';
  #rest = '';
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /**
   * @param {string} path of ffmpeg
   * @param {string[]} args
   * @param {object} [options]
   * @param {boolean} [options.input] whether bytes will be written to it
   * @param {(chunk: Buffer) => void} [options.onData] gets its standard output
   * @param {(line: string) => void} [options.onLine] gets its log
   */
  constructor(path, args, { input = false, onData, onLine } = {}) {
    watchExit();
    const child = spawn(path, args, { stdio: [input ? 'pipe' : 'ignore', onData ? 'pipe' : 'ignore', 'pipe'] });
    this.#child = child;
    living.add(child);
    this.exited = new Promise((resolve) => {
      const done = () => {
        living.delete(child);
        this.#ended = true;
        clearTimeout(this.#timer);
        resolve();
      };
      child.once('close', done);
      child.once('error', (error) => {
        this.lastLine = error.message;
        done();
      });
    });
    // A pipe breaks when the process ends, which `exited` tells.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => {});
    if (onData) child.stdout?.on('data', onData);
    child.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => this.#log(text, onLine));
  }

  get ended() {
    return this.#ended;
  }

  /** Bytes that were written but that the process has not taken yet. */
  get backlog() {
    return this.#child.stdin?.writableLength ?? 0;
  }

  /** @param {Uint8Array} bytes */
  write(bytes) {
    if (this.#child.stdin?.writable) this.#child.stdin.write(bytes);
  }

  /** Ends its input, so that it finishes and says goodbye; it is killed if that takes too long. */
  finish() {
    if (this.#ended) return this.exited;
    this.#child.stdin?.end();
    this.#timer ??= setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    return this.exited;
  }

  /** Ends it at once. */
  kill() {
    if (!this.#ended) this.#child.kill('SIGKILL');
    return this.exited;
  }

  /** Asks it to leave, by signal. */
  stop() {
    if (this.#ended) return this.exited;
    this.#child.kill('SIGTERM');
    this.#timer ??= setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    return this.exited;
  }

  /** @param {string} text @param {((line: string) => void) | undefined} onLine */
  #log(text, onLine) {
    const lines = (this.#rest + text).split(/\r?\n/);
    this.#rest = (lines.pop() ?? '').slice(-MAX_LINE);
    for (const line of lines) {
      if (line.trim() !== '') this.lastLine = line.slice(0, MAX_LINE);
      onLine?.(line);
    }
  }
}
