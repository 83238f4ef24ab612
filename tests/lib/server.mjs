/**
 * The server under test.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './scope.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const START_MS = 10_000;
/** The server promises to close every connection and leave within this time. */
const STOP_MS = 5_000;

/** The binary: `QUEQIAO_BIN`, else a release build, else a debug build. */
export function binary() {
  const candidates = [
    process.env['QUEQIAO_BIN'],
    join(ROOT, 'target/release/queqiao'),
    join(ROOT, 'target/debug/queqiao'),
  ];
  const found = candidates.find((path) => path && existsSync(path));
  assert.ok(found, 'no server binary: run `cargo build --release` or set QUEQIAO_BIN');
  return found;
}

/** The environment without settings of the server, which would be those of whoever runs the tests. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('QUEQIAO_')));
}

/** A running server. */
export class Server {
  /**
   * @param {import('./scope.mjs').Child} child
   * @param {{ http: string, rtmp: string, rtc: string }} addresses
   */
  constructor(child, addresses) {
    this.child = child;
    this.http = addresses.http;
    this.rtmp = addresses.rtmp;
    this.rtc = addresses.rtc;
  }

  /** Everything the server has logged. */
  get log() {
    return this.child.stderr;
  }

  /** @param {string} stream `ROOM/UID` @param {{ app?: string, token?: string }} [options] */
  rtmpUrl(stream, { app = 'demo', token } = {}) {
    return `rtmp://${this.rtmp}/${app}/${stream}${token ? `?token=${token}` : ''}`;
  }

  /** @param {string} stream @param {{ app?: string, token?: string }} [options] */
  flvUrl(stream, { app = 'demo', token } = {}) {
    return `http://${this.http}/flv/${app}/${stream}.flv${token ? `?token=${token}` : ''}`;
  }

  /** @param {string} stream @param {string} [app] */
  whipUrl(stream, app = 'demo') {
    return `http://${this.http}/whip/${app}/${stream}`;
  }

  /** @param {string} stream @param {string} [app] */
  whepUrl(stream, app = 'demo') {
    return `http://${this.http}/whep/${app}/${stream}`;
  }

  /**
   * Waits for a log line.
   * @param {RegExp} pattern @param {number} [ms]
   */
  async logged(pattern, ms = 3000) {
    await until(`log line ${pattern}`, ms, () => pattern.test(this.log)).catch((error) => {
      throw new Error(`${error.message}; the log ends:\n${this.child.tail()}`);
    });
  }

  /** Asks the server to leave and checks that it does so properly. */
  async stop() {
    const alive = this.child.exit === null;
    assert.ok(alive, `the server ended by itself (${JSON.stringify(this.child.exit)}):\n${this.child.tail()}`);
    assert.doesNotMatch(this.log, /panicked at/, 'the server panicked');
    const asked = Date.now();
    this.child.process.kill('SIGTERM');
    const timer = setTimeout(() => this.child.process.kill('SIGKILL'), STOP_MS + 1000);
    const exit = await this.child.exited;
    clearTimeout(timer);
    assert.deepEqual(exit, { code: 0, signal: null }, `exit after SIGTERM:\n${this.child.tail()}`);
    const took = Date.now() - asked;
    assert.ok(took <= STOP_MS, `leaving took ${took} ms`);
  }
}

/**
 * Starts a server on free ports; it is stopped, and its exit checked, with the scope.
 * @param {import('./scope.mjs').Scope} scope
 * @param {{ config?: string, env?: Record<string, string>, program?: string }} [options] `config` is the text of a TOML file
 */
export async function startServer(scope, { config, env = {}, program = binary() } = {}) {
  const args = ['serve', '--http', '127.0.0.1:0', '--rtmp', '127.0.0.1:0', '--rtc', '127.0.0.1:0'];
  if (config !== undefined) args.push('--config', writeConfig(scope, config));
  const child = scope.spawn(program, args, { env: { ...environment(), RUST_BACKTRACE: '1', ...env } });
  let out = '';
  child.reader(1).setEncoding('utf8').on('data', (text) => (out += text));
  const ready = await until('the ready line', START_MS, () => {
    assert.equal(child.exit, null, `the server did not start:\n${child.tail()}`);
    return /^ready http=(\S+) rtmp=(\S+) rtc=(\S+)$/m.exec(out);
  });
  const server = new Server(child, { http: ready[1] ?? '', rtmp: ready[2] ?? '', rtc: ready[3] ?? '' });
  scope.defer(() => server.stop());
  return server;
}

/**
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} text
 */
export function writeConfig(scope, text) {
  const path = join(scope.tempDir(), 'queqiao.toml');
  writeFileSync(path, text);
  return path;
}

/**
 * A configuration with one app that needs tokens.
 * @param {string} app @param {string} secret
 */
export function appConfig(app, secret) {
  return `[[apps]]\nid = "${app}"\nsecrets = ["${secret}"]\n`;
}

/**
 * A token made by `queqiao token`.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} config the text of the server's TOML file
 * @param {{ app: string, room: string, uid: string, role: string, ttl?: string, format?: string }} claims
 */
export async function makeToken(scope, config, { app, room, uid, role, ttl = '1h', format = 'jwt' }) {
  const args = ['token', '--config', writeConfig(scope, config), '--app', app];
  args.push('--room', room, '--uid', uid, '--role', role, '--ttl', ttl, '--format', format);
  const { stdout } = await promisify(execFile)(binary(), args, { env: environment() });
  return stdout.trim();
}
