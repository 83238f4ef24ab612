import assert from 'node:assert/strict';
import test from 'node:test';
import { runs } from '../page/stats/chart.js';
import { pictureDetail, receivedFigures, sentFigures } from '../page/stats/figures.js';
import { ceiling, SECONDS, Series } from '../page/stats/series.js';
import { bitrateText, figureText } from '../page/stats/overlay.js';

test('what is received is added up, and what the browser does not say stays unknown', () => {
  const figures = receivedFigures({
    video: { receiveBitrate: 600_000, renderFrameRate: 24, packetLossRate: 1.5, jitterMs: 8, end2EndDelay: 180 },
    audio: { receiveBitrate: 32_000, packetLossRate: 0, jitterMs: 4 },
    rttMs: 20,
  });
  assert.deepEqual(figures, { bitrate: 632_000, fps: 24, loss: 1.5, jitter: 8, rtt: 20, latency: 180 });
  const nothing = receivedFigures({ video: null, audio: {}, rttMs: null });
  assert.deepEqual(Object.values(nothing), [null, null, null, null, null, null]);
});

test('sound alone has figures of its own', () => {
  const audio = { receiveBitrate: 32_000, packetLossRate: 2, jitterMs: 4, end2EndDelay: 90 };
  assert.deepEqual(receivedFigures({ video: null, audio, rttMs: 5 }), { bitrate: 32_000, fps: null, loss: 2, jitter: 4, rtt: 5, latency: 90 });
});

test('one’s own picture has no latency that one could see', () => {
  const video = { sendBitrate: 500_000, sendFrameRate: 30, sendLossRate: 0, sendJitterMs: 2, sendRttMs: 12 };
  assert.deepEqual(sentFigures({ video, audio: null }), { bitrate: 500_000, fps: 30, loss: 0, jitter: 2, rtt: 12, latency: null });
});

test('a picture is described by its size and codec', () => {
  assert.equal(pictureDetail({ receiveResolutionWidth: 368, receiveResolutionHeight: 640, codecType: 'H264' }, 'receive'), '368×640 H264');
  assert.equal(pictureDetail({ codecType: 'H264' }, 'send'), 'H264');
  assert.equal(pictureDetail(null, 'send'), '');
});

test('a series keeps the last minute', () => {
  const series = new Series();
  assert.equal(series.empty, true);
  assert.equal(series.last, null);
  for (let value = 0; value < SECONDS + 5; value += 1) series.push(value);
  assert.equal(series.values.length, SECONDS);
  assert.equal(series.values[0], 5);
  assert.equal(series.last, SECONDS + 4);
  assert.equal(series.empty, false);
});

test('a chart ends at a round number above its values, and not below its least', () => {
  assert.equal(ceiling([1, 2, null], 100), 100);
  assert.equal(ceiling([640_000], 100_000), 750_000);
  assert.equal(ceiling([1_000_000], 100_000), 1_000_000);
  assert.equal(ceiling([1_000_001], 100_000), 1_500_000);
});

test('gaps in a chart stay gaps', () => {
  const found = runs([null, 1, 2, null, null, 3]);
  assert.deepEqual(found.map((run) => run.map(({ value }) => value)), [[1, 2], [3]]);
  assert.deepEqual(found.map((run) => run.map(({ index }) => index)), [[1, 2], [5]]);
});

test('figures are written with their units', () => {
  assert.equal(bitrateText(632_400), '632 kbit/s');
  assert.equal(bitrateText(999_600), '1.0 Mbit/s');
  assert.equal(figureText('loss', 0.449), '0.4 %');
  assert.equal(figureText('loss', 0), '0 %');
  assert.equal(figureText('latency', 180.4), '180 ms');
  assert.equal(figureText('fps', null), '–');
});
