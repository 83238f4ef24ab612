/**
 * Everything a test starts, so that all of it is gone when the test ends, however it ends.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Bytes of standard error that are kept from a child, enough for a test's worth of per-frame lines. */
const MAX_STDERR = 4 << 20;

/** How long a child gets between a polite signal and SIGKILL, in milliseconds. */
const GRACE_MS = 3000;

/** @type {Set<Child>} */
const living = new Set();

/** @type {Set<string>} */
const directories = new Set();

/** @param {string} path */
function removeDirectory(path) {
  directories.delete(path);
  rmSync(path, { recursive: true, force: true });
}

// A test that times out may leave the process without running its hooks.
process.on('exit', () => {
  for (const child of living) child.process.kill('SIGKILL');
  for (const path of directories) removeDirectory(path);
});

/**
 * A child process with its standard error collected.
 */
export class Child {
  /**
   * @param {string} command
   * @param {string[]} args
   * @param {{ stdio?: ('pipe' | 'ignore')[], env?: NodeJS.ProcessEnv, cwd?: string }} [options]
   */
  constructor(command, args, options = {}) {
    const stdio = options.stdio ?? ['ignore', 'pipe', 'pipe'];
    this.command = command;
    this.stderr = '';
    /** @type {((line: string) => void)[]} */
    this.lineListeners = [];
    this.process = spawn(command, args, { stdio, env: options.env ?? process.env, cwd: options.cwd });
    /** @type {{ code: number | null, signal: NodeJS.Signals | null } | null} */
    this.exit = null;
    living.add(this);
    /** @type {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} */
    this.exited = new Promise((resolve) => {
      /** @param {number | null} code @param {NodeJS.Signals | null} signal */
      const done = (code, signal) => {
        living.delete(this);
        this.exit ??= { code, signal };
        resolve(this.exit);
      };
      this.process.on('close', done);
      this.process.on('error', (error) => {
        this.stderr += `${error.message}\n`;
        done(-1, null);
      });
    });
    for (const stream of this.process.stdio) stream?.on('error', () => {});
    this.#collectStderr();
  }

  #collectStderr() {
    let rest = '';
    this.process.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      this.stderr = (this.stderr + text).slice(-MAX_STDERR);
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) for (const listener of this.lineListeners) listener(line);
    });
  }

  /** @param {number} index a file descriptor that this side writes */
  writer(index) {
    return /** @type {import('node:stream').Writable} */ (this.process.stdio[index]);
  }

  /** @param {number} index a file descriptor that this side reads */
  reader(index) {
    return /** @type {import('node:stream').Readable} */ (this.process.stdio[index]);
  }

  /**
   * Ends the child: the signal first, SIGKILL when it does not listen.
   * @param {NodeJS.Signals} [signal]
   */
  async stop(signal = 'SIGTERM') {
    if (!this.exit) this.process.kill(signal);
    const timer = setTimeout(() => this.process.kill('SIGKILL'), GRACE_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** The end of standard error, for messages. */
  tail() {
    return this.stderr
      .split('\n')
      .filter((line) => !line.includes('showinfo'))
      .slice(-25)
      .join('\n');
  }
}

/** A list of things to undo. */
export class Scope {
  /** @type {(() => unknown)[]} */
  #undo = [];

  /** @param {() => unknown} undo runs when the scope closes, last registered first */
  defer(undo) {
    this.#undo.push(undo);
  }

  /**
   * @param {string} command @param {string[]} args
   * @param {ConstructorParameters<typeof Child>[2]} [options]
   */
  spawn(command, args, options) {
    const child = new Child(command, args, options);
    this.defer(() => child.stop('SIGKILL'));
    return child;
  }

  /** A directory that is removed with the scope. */
  tempDir() {
    const path = mkdtempSync(join(tmpdir(), 'queqiao-test-'));
    directories.add(path);
    this.defer(() => removeDirectory(path));
    return path;
  }

  async close() {
    /** @type {unknown} */
    let failure;
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure) throw failure;
  }
}

/**
 * A scope that closes when the test does.
 * @param {import('node:test').TestContext} t
 */
export function scopeOf(t) {
  const scope = new Scope();
  t.after(() => scope.close());
  return scope;
}

/** @param {number} ms */
export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until something holds.
 * @template T
 * @param {string} what for the message when it never does
 * @param {number} ms
 * @param {() => T | Promise<T>} probe
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, ms, probe) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return /** @type {NonNullable<T>} */ (value);
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(25);
  }
}
