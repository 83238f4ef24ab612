import assert from 'node:assert/strict';
import test from 'node:test';
import { constraints, NONE, parseQuality } from '../src/devices.js';

const quality = parseQuality('640x360@15');

test('a quality is a size, a rate and a bitrate that fits them', () => {
  assert.deepEqual(quality, { width: 640, height: 360, fps: 15, maxBitrateBps: 345_600 });
  assert.equal(parseQuality('320x180@15').maxBitrateBps, 250_000);
  assert.throws(() => parseQuality('large'), RangeError);
});

test('the size is a wish and the chosen device a must', () => {
  const { video, audio } = constraints({ camera: 'cam1', microphone: '', quality });
  assert.deepEqual(video, {
    deviceId: { exact: 'cam1' },
    width: { ideal: 640 },
    height: { ideal: 360 },
    frameRate: { ideal: 15, max: 15 },
  });
  assert.equal(typeof audio === 'object' && 'deviceId' in audio, false);
});

test('what is chosen as none is not asked for', () => {
  const { video, audio } = constraints({ camera: NONE, microphone: NONE, quality });
  assert.deepEqual([video, audio], [false, false]);
});
