import assert from 'node:assert/strict';
import test from 'node:test';
import { summarize } from '../src/stats.js';

/** @param {number} atMs @param {number} frames @param {number} bytes */
const sending = (atMs, frames, bytes) => [
  { type: 'codec', timestamp: atMs },
  { type: 'outbound-rtp', kind: 'video', timestamp: atMs, frameWidth: 640, frameHeight: 360, framesSent: frames, bytesSent: bytes },
  { type: 'outbound-rtp', kind: 'audio', timestamp: atMs, bytesSent: 1000 },
  { type: 'remote-inbound-rtp', kind: 'video', timestamp: atMs, packetsLost: 3, roundTripTime: 0.5 },
  { type: 'remote-inbound-rtp', kind: 'audio', timestamp: atMs, packetsLost: 1 },
  { type: 'candidate-pair', timestamp: atMs, nominated: true, state: 'succeeded', currentRoundTripTime: 0.012 },
];

test('rates come from two reports, the rest from the last', () => {
  const first = summarize(sending(1000, 30, 50_000), null);
  assert.equal(first.figures.fps, null);
  assert.equal(first.figures.bitrateBps, null);
  const { figures } = summarize(sending(3000, 80, 200_000), first.sample);
  assert.deepEqual(figures, { width: 640, height: 360, fps: 25, bitrateBps: 600_000, packetsLost: 4, roundTripMs: 12 });
});

test('a receiver counts its own losses and what it decoded', () => {
  const report = (/** @type {number} */ atMs, /** @type {number} */ frames) => [
    { type: 'inbound-rtp', kind: 'video', timestamp: atMs, frameWidth: 368, frameHeight: 640, framesDecoded: frames, bytesReceived: 0, packetsLost: 2 },
    { type: 'remote-outbound-rtp', kind: 'video', timestamp: atMs },
  ];
  const { sample } = summarize(report(0, 0), null);
  const { figures } = summarize(report(1000, 15), sample);
  assert.deepEqual(figures, { width: 368, height: 640, fps: 15, bitrateBps: 0, packetsLost: 2, roundTripMs: null });
});

test('an empty report knows nothing, and counters that start again give no negative rate', () => {
  const { figures } = summarize([], null);
  assert.deepEqual(Object.values(figures), [null, null, null, null, null, null]);
  const before = summarize(sending(1000, 500, 900_000), null).sample;
  assert.equal(summarize(sending(2000, 5, 1000), before).figures.fps, null);
  assert.equal(summarize(sending(2000, 5, 1000), before).figures.bitrateBps, null);
});
