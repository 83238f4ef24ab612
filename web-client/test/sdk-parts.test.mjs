import assert from 'node:assert/strict';
import test from 'node:test';
import { codecsIn, h264First } from '../sdk/codecs.js';
import { audioConfig, videoConfig, videoConstraints, videoEncoding } from '../sdk/encoder-config.js';
import { IceRepair } from '../sdk/ice-repair.js';
import { Pulse } from '../sdk/pulse.js';
import { grade, networkQuality } from '../sdk/quality.js';
import { askForStereo } from '../sdk/sdp.js';
import { sectionKey, Sections } from '../sdk/sections.js';
import { Subscription } from '../sdk/subscription.js';
import { Surroundings } from '../sdk/surroundings.js';
import { loudness } from '../sdk/volume.js';
import { settle, World } from './core-world.mjs';

test('sections tell what is different, also when a track moves or a section is reused', () => {
  const sections = new Sections();
  const bob = { uid: 'bob', stream: 'camera', kind: 'video' };
  const carol = { uid: 42, stream: 'camera', kind: 'video' };
  const mids = (changes) => [changes.gone.map(({ mid, key }) => `${mid} ${key}`), changes.come.map(({ mid, key }) => `${mid} ${key}`)];
  assert.deepEqual(mids(sections.apply({ 1: bob })), [[], ['1 bob/camera/video']]);
  assert.deepEqual(mids(sections.apply({ 1: bob, 2: carol })), [[], ['2 42/camera/video']]);
  assert.deepEqual(mids(sections.apply({ 1: { ...bob }, 2: { ...carol, uid: '42' } })), [[], []]);
  assert.deepEqual(mids(sections.apply({ 1: carol })), [['1 bob/camera/video', '2 42/camera/video'], ['1 42/camera/video']]);
  assert.equal(sections.find(sectionKey('42', 'camera', 'video'))?.mid, '1');
  assert.deepEqual(sections.clear().map(({ mid }) => mid), ['1']);
  assert.deepEqual(sections.all, []);
});

/** A repair whose restarts are answered when the test says so. */
function repair() {
  const world = new World();
  /** @type {{ grant: () => void, refuse: (error: Error) => void }[]} */
  const asked = [];
  /** @type {unknown[]} */
  const told = [];
  const made = new IceRepair({
    clock: world.platform.clock,
    restart: () => new Promise((grant, refuse) => asked.push({ grant, refuse })),
    giveUp: () => told.push('given up'),
    troubled: (trouble) => told.push(trouble),
  });
  return { world, asked, told, made };
}

test('ICE that comes back by itself within half a second is let be', async () => {
  const { world, asked, told, made } = repair();
  made.changed('checking');
  made.changed('connected');
  made.changed('disconnected');
  await world.pass(499);
  made.changed('connected');
  await world.pass(10_000);
  assert.deepEqual([asked.length, told, world.timers], [0, [true, false], 0]);
});

test('ICE that stays away is restarted, again if that does not help, and given up after three times', async () => {
  const { world, asked, told, made } = repair();
  made.changed('connected');
  made.changed('disconnected');
  await world.pass(500);
  made.changed('failed');
  for (const restart of [1, 2, 3]) {
    assert.equal(asked.length, restart);
    asked.at(-1).grant();
    await world.pass(3999);
    assert.equal(asked.length, restart, 'a restart is given its time');
    await world.pass(1);
  }
  assert.deepEqual([asked.length, told, world.timers], [3, [true, 'given up'], 0]);
  made.reset();
  made.changed('checking');
  made.changed('connected');
  assert.deepEqual(told, [true, 'given up', false], 'what was interrupted is told as repaired by the next connection');
});

test('a connection that is replaced while all is well is told as an interruption, but not one that is closed', () => {
  const { told, made } = repair();
  made.reset();
  made.changed('connected');
  made.reset();
  assert.deepEqual(told, [true]);
  made.changed('connected');
  made.close();
  assert.deepEqual(told, [true, false]);
});

test('a restart that is refused is tried again, and none is asked for twice at once', async () => {
  const { world, asked, made } = repair();
  made.changed('failed');
  made.networkChanged();
  made.check();
  assert.equal(asked.length, 1);
  asked[0].refuse(new Error('timed out'));
  await world.pass(4000);
  assert.equal(asked.length, 2);
  made.close();
  asked[1].grant();
  await world.pass(60_000);
  assert.deepEqual([asked.length, world.timers], [2, 0]);
});

test('another network restarts ICE that seems well; a wake-up only what is ill', async () => {
  const { world, asked, told, made } = repair();
  made.networkChanged();
  assert.equal(asked.length, 0, 'there is nothing to restart yet');
  made.changed('connected');
  made.check();
  assert.equal(asked.length, 0);
  made.networkChanged();
  assert.equal(asked.length, 1);
  asked[0].grant();
  await world.pass(4000);
  assert.deepEqual([asked.length, told, world.timers], [1, [], 0]);
  made.changed('disconnected');
  made.check();
  assert.equal(asked.length, 2);
});

test('media that stop coming restart ICE that has noticed nothing yet', async () => {
  const { world, asked, told, made } = repair();
  made.suspect();
  made.changed('connected');
  made.suspect();
  made.suspect();
  assert.equal(asked.length, 1);
  asked[0].grant();
  await world.pass(3999);
  made.suspect();
  assert.equal(asked.length, 1, 'one restart at a time');
  await world.pass(1);
  assert.deepEqual([asked.length, told, world.timers], [1, [], 0]);
});

test('a second without a packet is a stall, once, and only after media have flowed for a while', async () => {
  const world = new World();
  let newest = undefined;
  let stalls = 0;
  const pulse = new Pulse({ clock: world.platform.clock, stallMs: 1000, newest: () => newest, stalled: () => (stalls += 1) });
  const flow = async (ms) => {
    for (let passed = 0; passed < ms; passed += 250) {
      newest = world.now;
      await world.pass(250);
    }
  };
  pulse.start();
  await world.pass(10_000);
  assert.equal(stalls, 0, 'nothing has come yet');
  await flow(6000);
  await world.pass(750);
  assert.equal(stalls, 0);
  await world.pass(500);
  assert.equal(stalls, 1);
  await world.pass(60_000);
  await flow(2000);
  await world.pass(60_000);
  assert.equal(stalls, 1, 'a stream that stutters is no path that is gone');
  await flow(6000);
  await world.pass(1250);
  assert.equal(stalls, 2);
  await flow(6000);
  newest = undefined;
  await world.pass(60_000);
  assert.equal(stalls, 2, 'where nothing is expected nothing is missed');
  pulse.stop();
  assert.equal(world.timers, 0);
});

test('a subscription asks for what is wanted in the end, one request after the other', async () => {
  const world = new World();
  /** @type {string[]} */
  const asked = [];
  /** @type {(() => void)[]} */
  const grants = [];
  const request = (word) => {
    asked.push(word);
    return new Promise((resolve) => grants.push(resolve));
  };
  const subscription = new Subscription({
    clock: world.platform.clock,
    subscribe: ({ audio, video }) => request(`${audio ? 'audio' : ''} ${video ? 'video' : ''}`.trim()),
    unsubscribe: () => request('nothing'),
    report: assert.fail,
  });
  const both = Promise.all([subscription.want('audio'), subscription.want('video')]);
  await settle();
  assert.deepEqual(asked, ['audio video']);
  const later = [subscription.drop('audio'), subscription.drop('video'), subscription.want('video')];
  grants[0]();
  await settle();
  assert.deepEqual(asked, ['audio video', 'video']);
  grants[1]();
  await Promise.all([both, ...later]);
  const last = subscription.drop('video');
  await settle();
  grants[2]();
  await last;
  assert.deepEqual(asked.at(-1), 'nothing');
});

test('a subscription that is refused is not wanted any longer, and the next attempt asks again', async () => {
  const world = new World();
  let refusals = 1;
  let asked = 0;
  const subscription = new Subscription({
    clock: world.platform.clock,
    subscribe: async () => {
      asked += 1;
      if (refusals > 0) throw new Error(`refused ${refusals--}`);
    },
    unsubscribe: async () => {},
    report: assert.fail,
  });
  await assert.rejects(subscription.want('video'), /refused/);
  assert.equal(subscription.wants('video'), false);
  await subscription.want('video');
  assert.deepEqual([asked, subscription.wants('video')], [2, true]);
});

test('the worst of loss, round trip and jitter is the grade', () => {
  assert.equal(grade({}), 0);
  assert.equal(grade({ rttMs: 20 }), 1);
  assert.equal(grade({ lossRate: 0, rttMs: 20, jitterMs: 5 }), 1);
  assert.equal(grade({ lossRate: 2, rttMs: 20 }), 2);
  assert.equal(grade({ lossRate: 0, rttMs: 300 }), 3);
  assert.equal(grade({ lossRate: 0, rttMs: 20, jitterMs: 120 }), 4);
  assert.equal(grade({ lossRate: 40 }), 5);
});

test('both directions are graded by what goes there; nothing that flows is a 6', () => {
  const figures = {
    local: new Map([['a/camera/audio', { sendLossRate: 5, sendJitterMs: 3 }]]),
    remote: new Map([['b/camera/audio', { packetLossRate: 0, jitterMs: 30 }], ['b/camera/video', { packetLossRate: 0.2, jitterMs: 500 }]]),
    transport: { rttMs: 10 },
  };
  assert.deepEqual(networkQuality(figures, { rttMs: 900, healthy: true }), { uplink: 3, downlink: 2, rttMs: 10 });
  const nothing = { local: new Map(), remote: new Map(), transport: {} };
  assert.deepEqual(networkQuality(nothing, { rttMs: 150, healthy: null }), { uplink: 2, downlink: 2, rttMs: 150 });
  assert.deepEqual(networkQuality(nothing, { rttMs: null, healthy: null }), { uplink: 0, downlink: 0, rttMs: undefined });
  assert.deepEqual(networkQuality(figures, { rttMs: 1, healthy: false }), { uplink: 6, downlink: 6, rttMs: undefined });
});

test('H.264 comes first, what every phone decodes before all, and nothing is left out', () => {
  const h264 = (profile, mode) => ({ mimeType: 'video/H264', sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}` });
  const codecs = [
    { mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }, h264('64001f', 1), h264('42001f', 0), h264('42001f', 1), h264('42e01f', 0), h264('42e01f', 1),
  ];
  const ordered = h264First(codecs);
  assert.deepEqual(ordered.map(({ mimeType, sdpFmtpLine }) => sdpFmtpLine?.match(/\d(?=;profile)|[0-9a-f]{6}/g)?.join(' ') ?? mimeType), [
    '1 42e01f', '0 42e01f', '1 42001f', '0 42001f', '1 64001f', 'video/VP8', 'video/rtx',
  ]);
  assert.equal(h264First([{ mimeType: 'video/VP8' }]).length, 1);
});

test('codecs are read from an offer where a browser lists them nowhere else', () => {
  const sdp = 'v=0\r\nm=audio 9\r\na=rtpmap:111 opus/48000/2\r\nm=video 9\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\n';
  assert.deepEqual([codecsIn(sdp, 'audio'), codecsIn(sdp, 'video')], [['opus'], ['VP8', 'H264']]);
});

test('stereo is asked for where sound is received, and nowhere else', () => {
  const section = (direction, fmtp) => `m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=${direction}\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 ${fmtp}\r\n`;
  const answer = `v=0\r\n${section('recvonly', 'minptime=10;useinbandfec=1')}${section('sendonly', 'useinbandfec=1')}${section('recvonly', 'stereo=0')}`;
  assert.deepEqual(askForStereo(answer).match(/fmtp:.*/g), [
    'fmtp:111 minptime=10;useinbandfec=1;stereo=1', 'fmtp:111 useinbandfec=1', 'fmtp:111 stereo=0',
  ]);
});

test('presets have the names of Agora\'s, and what is asked of a camera is a wish', () => {
  assert.deepEqual(videoConfig('720p_1'), { width: 1280, height: 720, frameRate: 15, bitrateMax: 1130 });
  assert.deepEqual(videoConfig('480p'), videoConfig('480p_1'));
  assert.throws(() => videoConfig('9999p'), { code: 'INVALID_PARAMS' });
  assert.throws(() => audioConfig('loud'), { code: 'INVALID_PARAMS' });
  assert.deepEqual(audioConfig('high_quality_stereo'), { sampleRate: 48_000, stereo: true, bitrate: 192 });
  assert.deepEqual(videoConstraints({ width: 640, frameRate: { min: 5 } }), { width: { ideal: 640 }, frameRate: { min: 5 } });
  assert.deepEqual(videoEncoding({ bitrateMax: 500, frameRate: 15 }, 'detail'), {
    maxBitrate: 500_000, maxFramerate: 15, degradationPreference: 'maintain-resolution',
  });
});

test('loudness is even by ear: silence is 0, speech about 0.6, the loudest 1', () => {
  assert.deepEqual([loudness(0), loudness(-1), loudness(NaN), loudness(1e-9), loudness(1), loudness(2)], [0, 0, 0, 0, 1, 1]);
  assert.ok(Math.abs(loudness(0.0316) - 0.6) < 0.01);
});

/** A page around which things happen. */
function page() {
  const world = new World();
  /** @type {string[]} */
  const told = [];
  const connection = Object.assign(new EventTarget(), { type: 'wifi' });
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const view = Object.assign(new EventTarget(), { document, navigator: { connection }, Date: { now: () => world.now } });
  const surroundings = new Surroundings(world.platform.clock, {
    networkChanged: () => told.push('network'), woke: () => told.push('woke'), leaving: () => told.push('leaving'),
  }, view);
  surroundings.start();
  return { world, told, connection, document, view, surroundings };
}

test('another network, a return to the page and its end are noticed', () => {
  const { told, connection, document, view } = page();
  view.dispatchEvent(new Event('online'));
  connection.dispatchEvent(new Event('change'));
  connection.type = 'cellular';
  connection.dispatchEvent(new Event('change'));
  document.visibilityState = 'hidden';
  document.dispatchEvent(new Event('visibilitychange'));
  document.visibilityState = 'visible';
  document.dispatchEvent(new Event('visibilitychange'));
  view.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }));
  view.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  view.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(told, ['network', 'network', 'woke', 'woke', 'leaving']);
});

test('a sleep is noticed by the time that has passed, and nothing is watched any longer in the end', async () => {
  const { world, told, view, surroundings } = page();
  await world.pass(20_000);
  assert.deepEqual(told, []);
  await world.sleep(30_000);
  assert.deepEqual(told, ['woke']);
  surroundings.stop();
  view.dispatchEvent(new Event('online'));
  assert.deepEqual([told, world.timers], [['woke'], 0]);
});
