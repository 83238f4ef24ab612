import assert from 'node:assert/strict';
import test from 'node:test';
import Queqiao from '../sdk/index.js';
import { LocalAudioTrack } from '../sdk/local-audio-track.js';
import { RemoteAudioTrack, RemoteVideoTrack } from '../sdk/remote-track.js';
import { Gain, LevelMeter } from '../sdk/volume.js';
import { settle } from './core-world.mjs';
import { FakeTrack } from './sdk-world.mjs';

class FakeStream {
  /** @param {FakeTrack[]} tracks */
  constructor(tracks = []) {
    this.tracks = tracks;
  }

  getAudioTracks() {
    return this.tracks;
  }
}

/** Whether the browser lets a page make sound. */
let allowed = true;
/** @type {FakeElement[]} */
let elements = [];

class FakeElement extends EventTarget {
  style = {};
  srcObject = null;
  muted = false;
  volume = 1;
  playing = false;
  /** @type {FakeElement[]} */
  children = [];
  /** @type {string[]} */
  sinks = [];

  constructor() {
    super();
    elements.push(this);
  }

  async play() {
    if (!allowed && !this.muted) throw new DOMException('the user has done nothing yet', 'NotAllowedError');
    this.playing = true;
  }

  pause() {
    this.playing = false;
  }

  /** @param {FakeElement} child */
  append(child) {
    this.children.push(child);
    child.remove = () => this.children.splice(this.children.indexOf(child), 1);
  }

  /** @param {string} id */
  async setSinkId(id) {
    this.sinks.push(id);
  }
}

class FakeVideo extends FakeElement {}

/** @type {FakeContext[]} */
let contexts = [];

class FakeNode {
  /** @type {FakeNode[]} */
  outputs = [];
  gain = { value: 1 };
  fftSize = 0;
  stream = new FakeStream([new FakeTrack('audio', 'louder')]);

  /** @param {FakeNode} node */
  connect(node) {
    this.outputs.push(node);
    return node;
  }

  disconnect() {
    this.outputs = [];
  }

  /** @param {Float32Array} samples */
  getFloatTimeDomainData(samples) {
    samples.fill(0.0316);
  }
}

class FakeContext {
  state = 'running';

  constructor() {
    contexts.push(this);
  }

  createMediaStreamSource = () => new FakeNode();
  createAnalyser = () => new FakeNode();
  createGain = () => new FakeNode();
  createMediaStreamDestination = () => new FakeNode();

  async close() {
    this.state = 'closed';
  }

  async resume() {
    this.state = 'running';
  }
}

/** @param {import('node:test').TestContext} t */
function browser(t) {
  const gestures = new Map();
  const byId = new Map();
  const document = {
    addEventListener: (name, listener) => gestures.set(name, listener),
    removeEventListener: (name) => gestures.delete(name),
    getElementById: (id) => byId.get(id) ?? null,
    createElement: () => new FakeVideo(),
  };
  const fakes = { document, MediaStream: FakeStream, HTMLVideoElement: FakeVideo, Audio: FakeElement, AudioContext: FakeContext };
  Object.assign(globalThis, fakes);
  allowed = true;
  elements = [];
  contexts = [];
  t.after(() => {
    for (const name of Object.keys(fakes)) Reflect.deleteProperty(globalThis, name);
  });
  const gesture = () => [...gestures.values()].at(0)?.();
  return { gestures, byId, gesture };
}

const remote = { uid: 'bob', figures: () => ({}), amplitude: () => 0.0316 };
const sound = () => new RemoteAudioTrack({ ...remote, mediaType: 'audio', mediaStreamTrack: new FakeTrack('audio') });
const picture = () => new RemoteVideoTrack({ ...remote, mediaType: 'video', mediaStreamTrack: new FakeTrack('video') });

test('a container gets a video that fills it, which goes when playing stops', (t) => {
  const { byId } = browser(t);
  const container = new FakeElement();
  byId.set('tile', container);
  const track = picture();
  track.play('tile', { fit: 'contain', mirror: true });
  const [video] = container.children;
  assert.ok(video instanceof FakeVideo && video.playing && video.muted && track.isPlaying);
  assert.deepEqual(video.style, { objectFit: 'contain', transform: 'scaleX(-1)', width: '100%', height: '100%', display: 'block' });
  track.stop();
  assert.deepEqual([container.children, video.srcObject, track.isPlaying], [[], null, false]);
  assert.throws(() => track.play('nowhere'), { code: 'INVALID_PARAMS' });
});

test('a video element of the page is used as it is, and stays', (t) => {
  browser(t);
  const video = new FakeVideo();
  const track = picture();
  let frames = 0;
  track.on('first-frame-decoded', () => (frames += 1));
  track.play(video);
  video.dispatchEvent(new Event('loadeddata'));
  const fresh = new FakeTrack('video', 'after a reconnection');
  track.replace(fresh);
  assert.deepEqual([video.srcObject.tracks, video.style.width, frames], [[fresh], undefined, 1]);
  track.end();
  assert.equal(video.srcObject, null);
});

test('sound that the browser holds back is told of and begins at the next gesture, and nobody listens any longer', async (t) => {
  const { gestures, gesture } = browser(t);
  allowed = false;
  let told = 0;
  Queqiao.onAutoplayFailed = () => (told += 1);
  t.after(() => {
    Queqiao.onAutoplayFailed = null;
  });
  const [first, second] = [sound(), sound()];
  first.play();
  second.play();
  await settle();
  assert.deepEqual([told, elements.map(({ playing }) => playing)], [2, [false, false]]);
  second.stop();
  allowed = true;
  gesture();
  await settle();
  assert.deepEqual([elements.map(({ playing }) => playing), gestures.size], [[true, false], 0]);
});

test('volume and loudspeaker hold for sound that is played later', async (t) => {
  browser(t);
  const track = sound();
  track.setVolume(40);
  await track.setPlaybackDevice('headset');
  track.play();
  track.play();
  assert.deepEqual([elements.length, elements[0].volume, elements[0].sinks], [1, 0.4, ['headset']]);
  track.setVolume(900);
  assert.equal(elements[0].volume, 1);
  assert.throws(() => track.setVolume(-1), { code: 'INVALID_PARAMS' });
  assert.ok(Math.abs(track.getVolumeLevel() - 0.6) < 0.01);
});

test('all meters and volumes share one AudioContext, which is closed when nobody needs it', (t) => {
  browser(t);
  const meter = new LevelMeter(new FakeTrack('audio'));
  assert.ok(Math.abs(meter.read() - 0.6) < 0.01);
  const gain = new Gain(new FakeTrack('audio'), 2);
  meter.release();
  meter.release();
  assert.deepEqual(contexts.map(({ state }) => state), ['running']);
  gain.close();
  assert.deepEqual(contexts.map(({ state }) => state), ['closed']);
});

test('a microphone made louder is sent through Web Audio until it is closed', async (t) => {
  browser(t);
  const track = new LocalAudioTrack({ mediaStreamTrack: new FakeTrack('audio', 'microphone'), stream: 'camera', reopen: null, encoding: {} });
  let changes = 0;
  track.attach({ changed: async () => void (changes += 1), silenced: async () => {}, figures: () => ({}) });
  track.setVolume(100);
  assert.deepEqual([track.output?.label, changes, contexts.length], ['microphone', 0, 0]);
  track.setVolume(200);
  assert.deepEqual([track.output?.label, changes], ['louder', 1]);
  await track.setMuted(true);
  assert.equal(track.getVolumeLevel(), 0);
  track.close();
  assert.deepEqual([track.output, contexts.map(({ state }) => state)], [null, ['closed']]);
});
