import assert from 'node:assert/strict';
import test from 'node:test';
import { streamReports } from '../sdk/meter.js';
import { readStats } from '../sdk/stats.js';

const NTP_TO_UNIX_MS = 2_208_988_800_000;
const NOW = 1_800_000_000_000;

const own = [
  { mid: '0', key: 'alice/camera/audio', uid: 'alice', stream: 'camera', kind: 'audio' },
  { mid: '1', key: 'alice/camera/video', uid: 'alice', stream: 'camera', kind: 'video' },
];
const theirs = [
  { mid: '2', key: 'bob/camera/audio', uid: 'bob', stream: 'camera', kind: 'audio' },
  { mid: '3', key: 'bob/camera/video', uid: 'bob', stream: 'camera', kind: 'video' },
];

/** What Chromium reports of both directions, `seconds` after the beginning. */
function report(seconds) {
  const timestamp = NOW + seconds * 1000;
  return [
    { id: 'T', type: 'transport', timestamp, bytesSent: 70_000 * seconds, bytesReceived: 80_000 * seconds, selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', timestamp, nominated: true, state: 'succeeded', currentRoundTripTime: 0.02, availableOutgoingBitrate: 900_000 },
    { id: 'X', type: 'candidate-pair', timestamp, nominated: true, state: 'succeeded', currentRoundTripTime: 9 },
    { id: 'C1', type: 'codec', timestamp, mimeType: 'video/H264' },
    { id: 'C2', type: 'codec', timestamp, mimeType: 'audio/opus' },
    { id: 'S', type: 'media-source', timestamp, kind: 'video', framesPerSecond: 30, width: 1280, height: 720 },
    { id: 'M', type: 'media-source', timestamp, kind: 'audio', audioLevel: 0.25 },
    { id: 'OA', type: 'outbound-rtp', kind: 'audio', mid: '0', timestamp, bytesSent: 5_000 * seconds, packetsSent: 50 * seconds, mediaSourceId: 'M', codecId: 'C2' },
    { id: 'OV', type: 'outbound-rtp', kind: 'video', mid: '1', timestamp, bytesSent: 60_000 * seconds, packetsSent: 60 * seconds, framesPerSecond: 15,
      frameWidth: 640, frameHeight: 360, totalEncodeTime: 0.06 * seconds, framesEncoded: 15 * seconds, targetBitrate: 500_000, mediaSourceId: 'S', codecId: 'C1' },
    { id: 'RV', type: 'remote-inbound-rtp', kind: 'video', timestamp, localId: 'OV', packetsLost: 7, fractionLost: 0.1, roundTripTime: 0.03, jitter: 0.004 },
    { id: 'IA', type: 'inbound-rtp', kind: 'audio', mid: '2', timestamp, bytesReceived: 4_000 * seconds, packetsReceived: 50 * seconds, packetsLost: 0, jitter: 0.002,
      jitterBufferDelay: 960 * seconds, jitterBufferEmittedCount: 48_000 * seconds, concealedSamples: 480 * seconds, totalSamplesReceived: 48_000 * seconds,
      audioLevel: 0.5, codecId: 'C2', remoteId: 'SA', estimatedPlayoutTimestamp: timestamp - 2_000 - 5_000 - 120 + NTP_TO_UNIX_MS },
    // A server that places what was captured two seconds too early, on a clock that is five seconds behind; its report
    // was ten milliseconds under way.
    { id: 'SA', type: 'remote-outbound-rtp', kind: 'audio', timestamp: timestamp - 400, remoteTimestamp: timestamp - 400 - 10 - 5_000 },
    { id: 'IV', type: 'inbound-rtp', kind: 'video', mid: '3', timestamp, bytesReceived: 50_000 * seconds, packetsReceived: 95 * seconds, packetsLost: 5 * seconds,
      jitter: 0.005, framesReceived: 20 * seconds, framesDecoded: 19 * seconds, framesDropped: 1 * seconds, frameWidth: 368, frameHeight: 640,
      totalFreezesDuration: 0.25 * seconds, codecId: 'C1' },
  ];
}

const measured = () => {
  const { sample } = readStats(report(1), [...own, ...theirs], null);
  return readStats(report(2), [...own, ...theirs], sample).figures;
};

test('what is sent: rates from two reports, losses as the server tells them', () => {
  const { local } = measured();
  assert.deepEqual(local.get('alice/camera/video'), {
    codecType: 'H264', sendBitrate: 480_000, sendBytes: 120_000, sendPackets: 120, sendPacketsLost: 7, sendLossRate: 10, sendRttMs: 30, sendJitterMs: 4,
    sendFrameRate: 15, sendResolutionWidth: 640, sendResolutionHeight: 360, captureFrameRate: 30, captureResolutionWidth: 1280,
    captureResolutionHeight: 720, encodeDelay: 4, targetSendBitrate: 500_000,
  });
  assert.deepEqual(local.get('alice/camera/audio'), { codecType: 'OPUS', sendBitrate: 40_000, sendBytes: 10_000, sendPackets: 100, sendVolumeLevel: 0.25 });
});

test('what is sent in several sizes: all of it together, the largest that flows, and each', () => {
  const layer = (rid, seconds, bytes, width, framesPerSecond, active) => ({
    id: `O${rid}`, type: 'outbound-rtp', kind: 'video', mid: '1', rid, timestamp: NOW + seconds * 1000, bytesSent: bytes * seconds,
    packetsSent: 10 * seconds, frameWidth: width, frameHeight: width / 2, framesPerSecond, active,
  });
  const layers = (seconds) => [
    layer('h', seconds, 0, 1280, 0, false), layer('l', seconds, 10_000, 320, 15, true), layer('m', seconds, 40_000, 640, 15, true),
  ];
  const { sample } = readStats(layers(1), own, null);
  const sent = readStats(layers(2), own, sample).figures.local.get('alice/camera/video');
  assert.deepEqual([sent.sendBitrate, sent.sendPackets, sent.sendResolutionWidth], [400_000, 60, 640]);
  assert.deepEqual(sent.layers, [
    { layer: 'l', active: true, sendBitrate: 80_000, sendFrameRate: 15, sendResolutionWidth: 320, sendResolutionHeight: 160 },
    { layer: 'm', active: true, sendBitrate: 320_000, sendFrameRate: 15, sendResolutionWidth: 640, sendResolutionHeight: 320 },
    { layer: 'h', active: false, sendBitrate: 0, sendFrameRate: 0, sendResolutionWidth: 1280, sendResolutionHeight: 640 },
  ]);
});

test('what is received: loss, frames, freezes and delays of the last second', () => {
  const { remote, transport } = measured();
  assert.deepEqual(remote.get('bob/camera/video'), {
    codecType: 'H264', receiveBitrate: 400_000, receiveBytes: 100_000, receivePackets: 190, receivePacketsLost: 10, packetLossRate: 5, jitterMs: 5,
    receiveFrameRate: 20, decodeFrameRate: 19, renderFrameRate: 18, receiveResolutionWidth: 368, receiveResolutionHeight: 640, freezeRate: 0.25, totalFreezeTime: 0.5,
  });
  const sound = remote.get('bob/camera/audio');
  assert.deepEqual([sound.receiveBitrate, sound.receiveDelay, sound.receiveLevel, sound.concealedRate], [32_000, 20, 0.5, 1]);
  assert.deepEqual(transport, {
    sendBitrate: 560_000, sendBytes: 140_000, receiveBitrate: 640_000, receiveBytes: 160_000, rttMs: 20, availableSendBitrate: 900_000,
  });
});

test('the delay from capture to playing does not depend on whether the sender\'s clock is right', () => {
  assert.equal(measured().remote.get('bob/camera/audio').end2EndDelay, 120);
  const wrong = report(2).map((stat) => (stat.id === 'SA' ? { ...stat, remoteTimestamp: stat.remoteTimestamp - 3_600_000 } : stat));
  assert.equal(readStats(wrong, theirs, null).figures.remote.get('bob/camera/audio').end2EndDelay, undefined, 'an hour is no delay');
  const without = report(2).filter(({ id }) => id !== 'SA');
  assert.equal(readStats(without, theirs, null).figures.remote.get('bob/camera/audio').end2EndDelay, undefined);
});

test('what only a second report can tell is absent from the first, not zero', () => {
  const { remote, transport } = readStats(report(1), theirs, null).figures;
  const picture = remote.get('bob/camera/video');
  assert.deepEqual([picture.receiveBitrate, picture.packetLossRate, picture.freezeRate, picture.receiveBytes], [undefined, undefined, undefined, 50_000]);
  assert.ok(!('receiveBitrate' in picture) && !('sendBitrate' in transport));
});

test('a section that carries somebody else now is measured anew', () => {
  const { sample } = readStats(report(1), theirs, null);
  const carol = theirs.map((section) => ({ ...section, uid: 'carol', key: section.key.replace('bob', 'carol') }));
  const { remote } = readStats(report(2), carol, sample).figures;
  assert.deepEqual([...remote.keys()], ['carol/camera/audio', 'carol/camera/video']);
  assert.equal(remote.get('carol/camera/video').receiveBitrate, undefined);
});

test('browsers without a transport report are measured by the pair of candidates in use', () => {
  const pair = (seconds) => [{ id: 'P', type: 'candidate-pair', timestamp: NOW + seconds * 1000, nominated: true, state: 'succeeded', bytesSent: seconds * 1000, currentRoundTripTime: 0.05 }];
  const { sample } = readStats(pair(1), [], null);
  assert.deepEqual(readStats(pair(2), [], sample).figures.transport, { sendBitrate: 8000, sendBytes: 2000, rttMs: 50 });
  assert.deepEqual(readStats([], [], null).figures.transport, {});
});

test('the server is told one line for each stream', () => {
  assert.deepEqual(streamReports([...own, ...theirs], measured()), [
    { uid: 'alice', stream: 'camera', kbps: 520, fps: 15, loss_permille: 100, jitter_ms: 4 },
    { uid: 'bob', stream: 'camera', kbps: 432, fps: 19, loss_permille: 50, jitter_ms: 5 },
  ]);
});
