import assert from 'node:assert/strict';
import test from 'node:test';
import {
  createCameraVideoTrack, createCustomAudioTrack, createCustomVideoTrack, createMicrophoneAndCameraTracks, createMicrophoneAudioTrack,
  createScreenVideoTrack,
} from '../sdk/create-tracks.js';
import { DeviceWatch, getCameras, getDevices } from '../sdk/devices.js';
import { settle } from './core-world.mjs';
import { FakeTrack } from './sdk-world.mjs';

const stream = (...tracks) => ({
  getTracks: () => tracks,
  getAudioTracks: () => tracks.filter(({ kind }) => kind === 'audio'),
  getVideoTracks: () => tracks.filter(({ kind }) => kind === 'video'),
});

/** A browser's devices. */
class FakeDevices extends EventTarget {
  /** @type {object[]} */
  asked = [];
  /** @type {FakeTrack[]} */
  opened = [];
  /** The next calls fail with these. @type {(string | null)[]} */
  failures = [];
  /** @type {{ kind: string, deviceId: string, label: string }[]} */
  list = [];
  sharesSound = false;

  /** @param {{ audio?: any, video?: any }} constraints */
  async getUserMedia(constraints) {
    this.asked.push(constraints);
    const failure = this.failures.shift();
    if (failure) throw Object.assign(new Error('the device said no'), { name: failure });
    const tracks = ['audio', 'video'].filter((kind) => constraints[kind]).map((kind) =>
      new FakeTrack(/** @type {'audio'} */ (kind), `${kind} ${constraints[kind].deviceId?.exact ?? 'default'}`));
    this.opened.push(...tracks);
    return stream(...tracks);
  }

  /** @param {{ audio: boolean, video: object }} constraints */
  async getDisplayMedia(constraints) {
    this.asked.push(constraints);
    const tracks = [new FakeTrack('video', 'screen'), ...(constraints.audio && this.sharesSound ? [new FakeTrack('audio', 'screen')] : [])];
    this.opened.push(...tracks);
    return stream(...tracks);
  }

  async enumerateDevices() {
    return this.list;
  }
}

/** @param {import('node:test').TestContext} t */
function devices(t) {
  const mediaDevices = new FakeDevices();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { mediaDevices } });
  t.after(() => (before === undefined ? Reflect.deleteProperty(globalThis, 'navigator') : Object.defineProperty(globalThis, 'navigator', before)));
  return mediaDevices;
}

test('microphone and camera are asked for together, with what was wished for', async (t) => {
  const media = devices(t);
  const [microphone, camera] = await createMicrophoneAndCameraTracks({ AEC: false }, { encoderConfig: '720p_2', facingMode: 'user' });
  assert.deepEqual(media.asked, [{
    audio: { echoCancellation: false, noiseSuppression: true, autoGainControl: true, sampleRate: { ideal: 48_000 }, channelCount: { ideal: 1 } },
    video: { facingMode: { ideal: 'user' }, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
  }]);
  assert.deepEqual([microphone.trackMediaType, camera.trackMediaType, microphone.stream, camera.stream], ['audio', 'video', 'camera', 'camera']);
  assert.equal(camera.encoding.maxBitrate, 2_000_000);
  assert.notEqual(microphone.getTrackId(), camera.getTrackId());
});

test('what a browser says of a device that it cannot open has a code and a reason', async (t) => {
  const media = devices(t);
  for (const [name, code, reason] of [
    ['NotAllowedError', 'PERMISSION_DENIED', 'device_denied'], ['NotFoundError', 'DEVICE_NOT_FOUND', 'device_missing'],
    ['OverconstrainedError', 'CONSTRAINT_NOT_SATISFIED', 'device_missing'], ['NotReadableError', 'NOT_READABLE', 'device_busy'],
    ['OddError', 'UNEXPECTED_ERROR', 'device_failed'],
  ]) {
    media.failures = [name];
    await assert.rejects(createCameraVideoTrack(), { code, reason });
  }
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: {} });
  await assert.rejects(createMicrophoneAudioTrack(), { code: 'WEB_SECURITY_RESTRICT', reason: 'insecure_context' });
});

test('another device takes the place of the one before, which is let go of first', async (t) => {
  const media = devices(t);
  const camera = await createCameraVideoTrack({ cameraId: 'front' });
  /** @type {string[]} */
  const updated = [];
  camera.on('track-updated', (track) => updated.push(track.label));
  const first = camera.getMediaStreamTrack();
  await camera.setEncoderConfiguration('360p_1');
  await camera.setDevice('back');
  assert.deepEqual([first.readyState, camera.getTrackLabel(), updated], ['ended', 'video back', ['video back']]);
  assert.deepEqual(media.opened[1].constraints, [{ width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 15, max: 15 } }]);
  media.failures = ['NotReadableError'];
  await assert.rejects(camera.setDevice('broken'), { reason: 'device_busy' });
  assert.deepEqual([camera.getTrackLabel(), camera.getMediaStreamTrack().readyState], ['video back', 'live'], 'the one before is back');
});

test('a device that is chosen while the track is disabled is the one that is opened later', async (t) => {
  const media = devices(t);
  const microphone = await createMicrophoneAudioTrack();
  await microphone.setEnabled(false);
  await microphone.setDevice('headset');
  assert.equal(media.opened.length, 1);
  await microphone.setEnabled(true);
  assert.deepEqual([microphone.getTrackLabel(), microphone.getMediaStreamTrack().enabled], ['audio headset', true]);
});

test('muted and disabled are two things: only both undone make a track sound', async (t) => {
  devices(t);
  const microphone = await createMicrophoneAudioTrack();
  await microphone.setMuted(true);
  await microphone.setEnabled(false);
  await microphone.setEnabled(true);
  assert.deepEqual([microphone.muted, microphone.enabled, microphone.silent, microphone.getMediaStreamTrack().enabled], [true, true, true, false]);
  await microphone.setMuted(false);
  assert.deepEqual([microphone.silent, microphone.getMediaStreamTrack().enabled], [false, true]);
});

test('a track says when its device is gone, and not when it lets go of it itself', async (t) => {
  const media = devices(t);
  const camera = await createCameraVideoTrack();
  let ended = 0;
  camera.on('track-ended', () => (ended += 1));
  await camera.setEnabled(false);
  await camera.setEnabled(true);
  media.opened[0].vanish();
  assert.equal(ended, 0);
  media.opened[1].vanish();
  assert.equal(ended, 1);
  camera.close();
  assert.deepEqual([camera.output, camera.closed], [null, true]);
  await assert.rejects(camera.setEnabled(false), { code: 'INVALID_OPERATION', reason: 'track_closed' });
});

test('a device that opens only after its track was closed is let go of', async (t) => {
  const media = devices(t);
  const camera = await createCameraVideoTrack();
  await camera.setEnabled(false);
  const enabling = camera.setEnabled(true);
  await settle();
  camera.close();
  await enabling;
  assert.deepEqual(media.opened.map(({ readyState }) => readyState), ['ended', 'ended']);
});

test('a screen comes with its sound, without, or not at all', async (t) => {
  const media = devices(t);
  const alone = await createScreenVideoTrack();
  assert.ok(!Array.isArray(alone));
  assert.deepEqual([alone.stream, alone.getMediaStreamTrack().contentHint, media.asked[0].audio], ['screen', 'detail', false]);
  assert.ok(!Array.isArray(await createScreenVideoTrack({}, 'auto')));
  await assert.rejects(createScreenVideoTrack({}, 'enable'), { code: 'SHARE_AUDIO_NOT_ALLOWED' });
  assert.equal(media.opened.at(-1)?.readyState, 'ended');
  media.sharesSound = true;
  const both = await createScreenVideoTrack({}, 'enable');
  assert.deepEqual(both.map((track) => `${track.stream} ${track.trackMediaType}`), ['screen video', 'screen audio']);
  await alone.setEnabled(false);
  assert.deepEqual([alone.output, alone.getMediaStreamTrack().readyState], [null, 'live'], 'nobody is asked to share again');
});

test('tracks of the page\'s own can be published and replaced, if they are what they should be', async (t) => {
  devices(t);
  const track = createCustomVideoTrack({ mediaStreamTrack: new FakeTrack('video'), bitrateMax: 800 });
  assert.equal(track.encoding.maxBitrate, 800_000);
  const first = track.getMediaStreamTrack();
  const second = new FakeTrack('video');
  await track.replaceTrack(second, true);
  assert.deepEqual([first.readyState, track.getMediaStreamTrack()], ['ended', second]);
  assert.throws(() => createCustomAudioTrack({ mediaStreamTrack: new FakeTrack('video') }), { code: 'INVALID_PARAMS' });
  await assert.rejects(track.setDevice('other'), { code: 'INVALID_OPERATION' });
});

test('names of devices are asked for once, and what was opened for that is let go of', async (t) => {
  const media = devices(t);
  media.list = [{ kind: 'videoinput', deviceId: 'a', label: '' }, { kind: 'audioinput', deviceId: 'b', label: 'Microphone' }, { kind: 'audiooutput', deviceId: 'c', label: 'Speaker' }];
  assert.deepEqual((await getCameras(true)).map(({ deviceId }) => deviceId), ['a']);
  assert.equal(media.asked.length, 0);
  assert.equal((await getDevices()).length, 3);
  assert.deepEqual(media.asked, [{ audio: false, video: true }]);
  assert.deepEqual(media.opened.map(({ readyState }) => readyState), ['ended']);
});

test('devices that come and go are told while somebody listens', async (t) => {
  const media = devices(t);
  media.list = [{ kind: 'videoinput', deviceId: 'a', label: 'A' }];
  const watch = new DeviceWatch();
  /** @type {string[]} */
  const told = [];
  const listener = ({ state, device }) => told.push(`${device.label} ${state}`);
  watch.on('camera-changed', listener);
  await settle();
  media.list = [{ kind: 'videoinput', deviceId: 'b', label: 'B' }, { kind: 'audioinput', deviceId: 'c', label: 'C' }];
  media.dispatchEvent(new Event('devicechange'));
  await settle();
  assert.deepEqual(told, ['B ACTIVE', 'A INACTIVE']);
  watch.off('camera-changed', listener);
  media.list = [];
  media.dispatchEvent(new Event('devicechange'));
  await settle();
  assert.equal(told.length, 2);
});
