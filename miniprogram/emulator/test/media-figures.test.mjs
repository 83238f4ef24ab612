/** Figures, sizes, rates and log lines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLine, refusal, shown } from '../src/media/ffmpeg-log.js';
import { Meter, portions } from '../src/media/netstatus.js';
import { rateBounds, sizeOnWire } from '../src/media/picture-size.js';
import { greyPng } from '../src/media/png.js';
import { PUSHER_DEFAULTS } from '../src/media/live-pusher.js';
import { Uplink } from '../src/media/uplink.js';
import { testPattern } from '../src/media/camera.js';

test('rates and pictures are those since the last time', () => {
  const meter = new Meter(0);
  for (let i = 0; i < 15; i += 1) {
    meter.add('video', 2500, i * 66, { keyframe: i === 0, timestamp: i * 66 });
    meter.add('audio', 500, i * 66, { timestamp: i * 66 });
    meter.frame();
  }
  const info = meter.read(1000);
  assert.equal(info['videoBitrate'], 300);
  assert.equal(info['audioBitrate'], 60);
  assert.equal(info['videoFPS'], 15);
  assert.equal(info['netSpeed'], 360);
  assert.equal(meter.read(2000)['videoBitrate'], 0);
});

test('the distance of keyframes is told in seconds', () => {
  const meter = new Meter(0);
  meter.add('video', 1, 0, { keyframe: true, timestamp: 0 });
  meter.add('video', 1, 3000, { keyframe: true, timestamp: 3000 });
  assert.equal(meter.read(3000)['videoGOP'], 3);
});

test('an even stream has no jitter and an uneven one has some', () => {
  const even = new Meter(0);
  const uneven = new Meter(0);
  for (let i = 0; i < 200; i += 1) {
    even.add('audio', 1, i * 20, { timestamp: 0 });
    uneven.add('audio', 1, i * 20 + (i % 2) * 15, { timestamp: 0 });
  }
  assert.ok(Number(even.read(4000)['netJitter']) <= 1);
  assert.ok(Number(uneven.read(4000)['netJitter']) >= 10);
});

test('over plain RTMP there is no quality level', () => {
  assert.equal(new Meter(0).read(1000)['netQualityLevel'], undefined);
});

test('iOS tells the figures in two halves that complement each other', () => {
  const info = { videoBitrate: 1, audioBitrate: 2, netSpeed: 3, videoWidth: 368 };
  assert.deepEqual(portions('android', info), [info]);
  const [first, second] = portions('ios', info);
  assert.deepEqual(first, { videoBitrate: 1, videoWidth: 368 });
  assert.deepEqual(second, { audioBitrate: 2, netSpeed: 3 });
});

test('the size on the wire comes in blocks of 16 and follows aspect, orientation, mode and rate', () => {
  const of = (/** @type {object} */ changes, kbps = 1000) => {
    const { width, height } = sizeOnWire({ ...PUSHER_DEFAULTS, ...changes }, kbps);
    return `${width}x${height}`;
  };
  assert.equal(of({}), '368x640');
  assert.equal(of({ aspect: '3:4' }), '368x480');
  assert.equal(of({ orientation: 'horizontal' }), '640x368');
  assert.equal(of({}, 250), '192x336');
  assert.equal(of({}, 2000), '720x1280');
  assert.equal(of({ mode: 'FHD', videoWidth: 100, videoHeight: 100 }), '720x1280');
  assert.equal(of({ mode: 'HD' }), '544x960');
});

test('mode FHD has a rate of its own, and the lower bound is never above the upper one', () => {
  assert.deepEqual(rateBounds({ ...PUSHER_DEFAULTS, mode: 'FHD', maxBitrate: 500 }), { min: 1800, max: 1800 });
  assert.deepEqual(rateBounds({ ...PUSHER_DEFAULTS, minBitrate: 800, maxBitrate: 500 }), { min: 500, max: 500 });
});

test('an uplink that does not keep up lowers the rate step by step, and raises it when it does', () => {
  const uplink = new Uplink();
  uplink.kbps = 1000;
  uplink.bounds({ min: 200, max: 1000 });
  assert.deepEqual(uplink.update(0, 0), { weak: false, changed: false });
  const second = 1000 * 125;
  assert.deepEqual(uplink.update(second, 100), { weak: true, changed: true });
  assert.equal(uplink.kbps, 700);
  assert.deepEqual(uplink.update(second, 1000), { weak: false, changed: false }, 'not again at once');
  for (let now = 3000; now < 40_000; now += 2100) uplink.update(second, now);
  assert.equal(uplink.kbps, 200);
  for (let now = 40_000; now < 200_000; now += 500) uplink.update(0, now);
  assert.equal(uplink.kbps, 1000);
});

test('pictures are left out while a backlog of seconds is sent', () => {
  const uplink = new Uplink();
  uplink.kbps = 1000;
  uplink.bounds({ min: 1000, max: 1000 });
  uplink.update(4 * 125_000, 0);
  assert.equal(uplink.dropping, true);
  uplink.update(125_000, 1000);
  assert.equal(uplink.dropping, true);
  uplink.update(0, 2000);
  assert.equal(uplink.dropping, false);
});

test('log lines tell how far a connection has come, and at which step it failed', () => {
  const cases = /** @type {const} */ ([
    ["[rtmp @ 0x5] Releasing stream...", { step: 'connected' }],
    ["Output #0, data, to 'rtmp://h/app/r/u?token=s':", { step: 'open' }],
    ["Input #0, data, from 'rtmp://h/app/r/u':", { step: 'open' }],
    ["Input #0, data, from 'pipe:0':", null],
    ['[tcp @ 0x5] Failed to resolve hostname nowhere.invalid: Name or service not known', { failure: 3001 }],
    ['[tcp @ 0x5] Connection attempt to 127.0.0.1 port 9 failed: Connection refused', { failure: 3002 }],
    ['[rtmp @ 0x5] Cannot read RTMP handshake response', { failure: 3003 }],
    ['[rtmp @ 0x5] Type answer 3', null],
    ['[rtmp @ 0x5] Server error: token_expired: the token expired 12 s ago', { failure: 3004 }],
    ['[rtmp @ 0x5] Handshaking...', null],
  ]);
  for (const [line, event] of cases) assert.deepEqual(readLine(line, 'rtmp'), event, line);
});

test('no query of an address is ever shown', () => {
  assert.equal(shown('rtmp://h/app/r/u?token=secret'), 'rtmp://h/app/r/u');
  assert.equal(refusal('x Server error: no such stream u?token=secret'), 'no such stream …');
  assert.equal(refusal('Output #0'), null);
});

test('a snapshot is a PNG of its size', () => {
  const png = greyPng(new Uint8Array(6).fill(7), 3, 2);
  assert.equal(png.toString('latin1', 1, 4), 'PNG');
  assert.equal(png.readUInt32BE(16), 3);
  assert.equal(png.readUInt32BE(20), 2);
  // The checksum of an empty IEND chunk is known to everybody.
  assert.equal(png.subarray(-4).toString('hex'), 'ae426082');
});

test('the default camera moves and sounds', () => {
  const camera = testPattern();
  const size = { width: 32, height: 64 };
  assert.notDeepEqual(camera.frame(0, 0, size), camera.frame(10, 0, size));
  assert.equal(camera.frame(0, 0, size).length, 32 * 64);
  const samples = camera.samples(0, 4800);
  assert.ok(Math.max(...samples) > 5000 && Math.min(...samples) < -5000);
});
