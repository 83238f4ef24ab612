/** The instruments themselves, without the server: what they read must be what was sent. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { paint, readPlane } from './lib/barcode.mjs';
import { clientOf, launch, toRecording } from './lib/chromium.mjs';
import { assertContent, median, summary } from './lib/content.mjs';
import { startLink } from './lib/link.mjs';
import { decodeFile } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { beeps, pitches, synthesize } from './lib/sound.mjs';
import { pushRtmp } from './lib/source.mjs';

test('a painted code is read back, and a damaged one is refused', () => {
  const plane = new Uint8Array(90 * 160);
  for (let i = 0; i < 200; i += 1) {
    const code = { number: (i * 86_413) & 0xffffff, clock: 1_234_567_890 + i, flash: i % 3 === 0 };
    paint(plane, 90, 160, code);
    assert.deepEqual(readPlane(plane, 90, 160), code);
    for (let y = 80; y < 85; y += 1) for (let x = 40; x < 60; x += 1) plane[y * 90 + x] = 251 - (plane[y * 90 + x] ?? 0);
    assert.equal(readPlane(plane, 90, 160), null);
  }
});

test('the pitch and the beeps of the test sound are measured to 0.1 % and 3 ms', () => {
  for (const rate of [16_000, 44_100, 48_000]) {
    const sound = synthesize({ tone: 440, rate, channels: 1, from: rate / 2, count: rate * 3 });
    const pcm = Float32Array.from(sound, (value) => value / 32768);
    for (const hz of pitches(pcm, rate)) assert.ok(Math.abs(hz - 440) < 0.44, `${hz} Hz at ${rate}`);
    const starts = beeps(pcm, rate);
    assert.equal(starts.length, 3);
    starts.forEach((at, i) => assert.ok(Math.abs(at - i - 0.5) < 0.003, `beep at ${at} s, rate ${rate}`));
  }
});

test('ffmpeg alone keeps picture and sound together to 10 ms', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const path = join(scope.tempDir(), 'out.flv');
  const publisher = pushRtmp(scope, path, { profile: 'high', rate: 44_100, channels: 2 });
  await sleep(5000);
  assert.deepEqual(await publisher.stop(), { code: 0, signal: null });
  const r = assertContent(t, await decodeFile(scope, path), { seconds: 4, missing: 0 });
  assert.ok(Math.abs(median(r.lipSync)) < 0.01, summary(r));
});

test('Chromium alone keeps picture and sound together to 80 ms', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const browser = await launch(scope);
  const page = await browser.tab();
  const options = { tone: 440, fps: 15, width: 360, height: 640, firstNumber: 0 };
  const handle = await (await clientOf(page)).evaluateHandle((client, o) => client.loop(o), options);
  await sleep(8000);
  const recording = toRecording(await handle.evaluate((client) => client.collect()));
  const r = assertContent(t, recording, { seconds: 6 });
  assert.ok(Math.abs(median(r.lipSync)) < 0.08, summary(r));
});

/** @param {import('node:net').Server} server @returns {Promise<number>} */
function listening(server) {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(/** @type {import('node:net').AddressInfo} */ (server.address()).port));
  });
}

test('a link loses the same datagrams each time, and delays the others', { timeout: 20_000 }, async (t) => {
  const scope = scopeOf(t);
  const echo = createSocket('udp4').on('message', (message, from) => echo.send(message, from.port, from.address));
  await new Promise((resolve) => echo.bind(0, '127.0.0.1', () => resolve(undefined)));
  scope.defer(() => echo.close());
  const address = `127.0.0.1:${echo.address().port}`;
  const runs = [];
  for (let run = 0; run < 2; run += 1) {
    const link = await startLink(scope, 'udp', address, { up: { loss: 0.2 }, down: { delay_ms: 40 }, seed: 9 });
    /** @type {number[]} */
    const came = [];
    /** @type {number[]} */
    const waits = [];
    const sent = new Map();
    const client = createSocket('udp4').on('message', (message) => {
      came.push(message.readUInt16BE());
      waits.push(performance.now() - sent.get(message.readUInt16BE()));
    });
    for (let i = 0; i < 200; i += 1) {
      const message = Buffer.alloc(200);
      message.writeUInt16BE(i);
      sent.set(i, performance.now());
      client.send(message, link.port, '127.0.0.1');
      await sleep(2);
    }
    const { up } = await until('all that is not lost', 5000, async () => {
      const passed = await link.passed();
      return passed.down.passed === 200 - passed.up.lost && came.length === passed.down.passed ? passed : null;
    });
    client.close();
    assert.ok(up.lost > 20 && up.lost < 60, `${up.lost} of 200 were lost`);
    assert.ok(median(waits) >= 40 && median(waits) < 60, `${median(waits)} ms`);
    runs.push(came);
  }
  assert.deepEqual(runs[0], runs[1]);
});

test('a link makes the kernel of who sends by TCP feel its rate, its standstill and its end', {
  timeout: 20_000,
}, async (t) => {
  const scope = scopeOf(t);
  let received = 0;
  const server = createServer((socket) => socket.on('data', (chunk) => (received += chunk.length)).on('error', () => {}));
  const address = `127.0.0.1:${await listening(server)}`;
  scope.defer(() => server.close());
  const link = await startLink(scope, 'tcp', address, { up: { rate_kbps: 800, queue_ms: 100 } });
  const socket = connect(link.port, '127.0.0.1');
  /** @type {string | undefined} */
  let broken;
  socket.on('error', (error) => (broken = /** @type {NodeJS.ErrnoException} */ (error).code));
  scope.defer(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', () => resolve(undefined)));
  socket.write(Buffer.alloc(4_000_000));
  await sleep(500);
  const before = { received, at: performance.now() };
  await sleep(1500);
  const kbps = ((received - before.received) * 8) / (performance.now() - before.at);
  assert.ok(kbps > 700 && kbps < 830, `${kbps.toFixed(0)} kbit/s`);

  await link.cut();
  await sleep(100);
  const held = received;
  await sleep(500);
  assert.equal(received, held, 'something came through a link that is cut');
  assert.equal(broken, undefined, 'nobody is told of a cut');

  await link.set({ up: {} });
  await until('everything that waited', 5000, () => received === 4_000_000);
  await link.refuse();
  await until('a reset', 2000, () => broken);
  assert.equal(broken, 'ECONNRESET');
});
