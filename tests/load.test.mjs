/** The load generator against the server: everybody is served, and the report says so. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { scopeOf } from './lib/scope.mjs';
import { appConfig, binary, startServer } from './lib/server.mjs';
import { suite } from './lib/suite.mjs';

const s = suite({ browser: false });

const SECRET = '4f1c9a0b7de2583c61d0a8e3';

/**
 * @param {import('./lib/scope.mjs').Scope} scope
 * @param {import('./lib/server.mjs').Server} server
 * @param {...string} flags
 */
async function load(scope, server, ...flags) {
  const path = join(scope.tempDir(), 'report.json');
  const args = ['load', '--server', `http://${server.http}`, '--json', path, ...flags];
  const ended = await promisify(execFile)(binary(), args).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error) => ({ code: error.code, stdout: error.stdout }),
  );
  return { ...ended, report: JSON.parse(readFileSync(path, 'utf8')) };
}

test('two rooms of four with an encoder and a player each are served without loss', { timeout: 90_000 }, async (t) => {
  const rtmp = ['--rtmp-publishers', '1', '--rtmp-players', '1'];
  const { code, stdout, report } = await load(scopeOf(t), s.server, '--rooms', '2', '--duration', '4s', ...rtmp);
  t.diagnostic(stdout);
  assert.deepEqual(report.failures, {});
  assert.equal(code, 0);
  assert.equal(report.joins.latency_ms.count, 8);
  assert.ok(report.joins.told >= 12, 'everybody is told of those who come later');
  assert.equal(report.connect_ms.count, 8);
  // Each of four receives three others and the encoder.
  assert.equal(report.first_keyframe_ms.count, 32);
  assert.equal(report.packets.tracks, 64);
  assert.equal(report.packets.lost, 0);
  const { sent, received } = report.packets;
  assert.ok(received > 3.5 * sent && received < 4.5 * sent, `${received} of ${sent} packets, each to three and more`);
  assert.deepEqual(report.method, { decrypted_streams: 8, counted_streams: 24 });
  assert.ok(report.delay_ms.count > 8 * 4 * 10 && report.delay_ms.p50 > 0);
  assert.equal(report.rtmp.first_keyframe_ms.count, 2);
  assert.ok(report.rtmp.frames_received > 2 * 4 * 50 && report.rtmp.delay_ms.count > 2 * 4 * 12);
  assert.equal(report.server.pid, s.server.child.process.pid, 'the server is found by its port');
  assert.ok(report.server.cores > 0 && report.client.cores > 0);
});

test('without media, participants join and are told of each other', { timeout: 60_000 }, async (t) => {
  const flags = ['--no-media', '--rooms', '2', '--participants', '20', '--ramp', 'max', '--duration', '0s'];
  const { code, report } = await load(scopeOf(t), s.server, ...flags);
  assert.deepEqual(report.failures, {});
  assert.equal(code, 0);
  assert.equal(report.joins.latency_ms.count, 40);
  assert.equal(report.joins.told, (2 * 20 * 19) / 2);
  assert.ok(report.joins.server_cpu_us > 0);
});

test('participants of an app have tokens, and a wrong secret is a failure with a reason', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const server = await startServer(scope, { config: appConfig('live', SECRET) });
  const flags = ['--app', 'live', '--participants', '2', '--duration', '1s', '--secret'];
  const right = await load(scope, server, ...flags, SECRET);
  assert.deepEqual(right.report.failures, {});
  const wrong = await load(scope, server, ...flags, [...SECRET].reverse().join(''));
  assert.deepEqual(wrong.report.failures, { join_bad_signature: 2 });
  assert.notEqual(wrong.code, 0);
});
