/** The native participant between the server and browsers: an independent WebRTC stack in rooms with signalling. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { assertContent } from './lib/content.mjs';
import { film, publishFile, recordFile } from './lib/peer.mjs';
import { decodeFile } from './lib/player.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

/**
 * What ffprobe makes of a file.
 * @param {string} path
 * @returns {Promise<{ streams: Record<string, string | number>[], format: Record<string, string> }>}
 */
async function probe(path) {
  const args = ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', path];
  return JSON.parse((await promisify(execFile)('ffprobe', args)).stdout);
}

for (const { name, audio } of [
  { name: 'film.mp4', audio: ['-c:a', 'aac'] },
  { name: 'film.flv', audio: ['-c:a', 'aac'] },
  { name: 'film.mkv', audio: ['-c:a', 'libopus'] },
]) {
  test(`a browser sees and hears what the native participant publishes of ${name}`, { timeout: 90_000 }, async (t) => {
    const scope = scopeOf(t);
    const path = await film(scope, name, { seconds: 24, audio });
    const room = `native-${name.replace('.', '-')}`;
    const peer = publishFile(scope, s.server, { room, uid: 'film' }, path);
    await peer.said('published', 8000);
    const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(`${room}/film`) });
    t.diagnostic(`first picture after ${await viewer.firstFrame(5000)} ms`);
    await sleep(14_000);
    const recording = await viewer.recording();
    await viewer.stop();
    // A file begins in the middle of everything: Chromium takes its time to find its pace.
    assertContent(t, recording, { seconds: 7, skip: 5 });
    assert.equal(await peer.ended(), 0, peer.child.tail());
  });
}

test('the native participant writes what a browser publishes', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const path = join(scope.tempDir(), 'browser.mkv');
  const who = { room: 'native-play', uid: 'tape' };
  const peer = recordFile(scope, s.server, who, 'camera', path, ['--seconds', '12']);
  const tab = await s.browser.publish({ url: s.server.whipUrl('native-play/camera'), tone: 660 });
  await peer.said('receiving', 8000);
  assert.equal(await peer.ended(), 0, peer.child.tail());
  await tab.stop();
  const { streams, format } = await probe(path);
  assert.deepEqual(streams.map((stream) => stream['codec_name']).sort(), ['h264', 'opus']);
  assert.equal(format['format_name'], 'matroska,webm');
  assert.ok(Math.abs(Number(format['duration']) - 12) < 0.5, `it says ${format['duration']} s`);
  // The file is decoded as fast as it can be: pictures come in bursts.
  const recording = await decodeFile(scope, path);
  assertContent(t, recording, { seconds: 8, skip: 3, tone: 660 });
});

test('one native participant writes what another publishes, in a loop', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const source = await film(scope, 'loop.mp4', { seconds: 4, tone: 550 });
  const path = join(scope.tempDir(), 'copy.mkv');
  const publisher = publishFile(scope, s.server, { room: 'native-both', uid: 'film' }, source, ['--loop', '--screen']);
  const flags = ['--stream', 'screen', '--seconds', '11'];
  const peer = recordFile(scope, s.server, { room: 'native-both', uid: 'tape' }, 'film', path, flags);
  assert.equal(await peer.ended(), 0, peer.child.tail());
  assert.equal(await publisher.stop(), 0, publisher.child.tail());
  const recording = await decodeFile(scope, path);
  const numbers = recording.readable().map((frame) => frame.number);
  const again = numbers.filter((number, i) => i > 0 && number < (numbers[i - 1] ?? 0)).length;
  t.diagnostic(`${numbers.length} pictures, ${again} times from the beginning`);
  assert.ok(again === 2 || again === 3, 'eleven seconds of four');
  assert.ok(numbers.length > 11 * 15 * 0.97, `${numbers.length} pictures of ${11 * 15}`);
  const skips = numbers.filter((number, i) => i > 0 && number > (numbers[i - 1] ?? 0) + 1);
  assert.deepEqual(skips, [], 'no picture is missing');
});

test('the exit code says what is wrong, in one line', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const path = await film(scope, 'short.mp4', { seconds: 1 });
  const who = { room: 'native-errors', uid: 'film' };
  const nobody = 'http://127.0.0.1:9';
  const cases = [
    { code: 2, peer: publishFile(scope, 'ftp://x', who, path) },
    { code: 2, peer: publishFile(scope, s.server, { ...who, room: 'a b' }, path) },
    { code: 3, peer: publishFile(scope, s.server, { ...who, app: 'unknown' }, path) },
    { code: 4, peer: publishFile(scope, nobody, who, path) },
    { code: 5, peer: publishFile(scope, s.server, who, '/nowhere.mp4') },
    { code: 5, peer: recordFile(scope, s.server, who, 'film', '/nowhere/film.mkv') },
  ];
  for (const { code, peer } of cases) {
    assert.equal(await peer.ended(), code, peer.child.tail());
    const lines = peer.child.stderr.split('\n').filter((line) => line.startsWith('queqiao-peer: '));
    assert.equal(lines.length, 1, peer.child.stderr);
    t.diagnostic(`${code}: ${lines[0]}`);
  }
});
