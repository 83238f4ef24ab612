/**
 * The page's SDK without a server: the same interface, people made of nothing. For tests of the page's logic, and to
 * look at the page with any number of people in it. In a browser `globalThis.fake` is the stage's director.
 */
import { Emitter } from '../core/emitter.js';

const { document } = globalThis;
const inBrowser = document !== undefined;

/** A picture of nobody: soft hills under a sun that wanders, in a hue of their own. */
class Painter {
  constructor({ hue = 190, width = 640, height = 360, screen = false }) {
    this.canvas = Object.assign(document.createElement('canvas'), { width, height });
    this.context = this.canvas.getContext('2d');
    this.hue = hue;
    this.screen = screen;
    this.frame = 0;
    this.stream = this.canvas.captureStream(15);
    this.timer = setInterval(() => this.paint(), 66);
    this.paint();
  }

  paint() {
    const { context: c, canvas: { width: w, height: h }, hue, frame } = this;
    this.frame += 1;
    if (this.screen) return this.paintScreen();
    const sky = c.createLinearGradient(0, 0, 0, h);
    sky.addColorStop(0, `hsl(${hue} 35% 28%)`);
    sky.addColorStop(1, `hsl(${hue + 25} 45% 62%)`);
    c.fillStyle = sky;
    c.fillRect(0, 0, w, h);
    c.fillStyle = `hsl(${hue + 40} 80% 82%)`;
    c.beginPath();
    c.arc(w * (0.5 + 0.25 * Math.sin(frame / 60)), h * 0.4, h * 0.12, 0, 7);
    c.fill();
    for (const [depth, light] of [[0.62, 34], [0.74, 24], [0.86, 15]]) {
      c.fillStyle = `hsl(${hue} 32% ${light}%)`;
      c.beginPath();
      c.moveTo(0, h);
      for (let x = 0; x <= w; x += 8) c.lineTo(x, h * depth + Math.sin(x / (60 + depth * 90) + depth * 9) * h * 0.06);
      c.lineTo(w, h);
      c.fill();
    }
  }

  paintScreen() {
    const { context: c, canvas: { width: w, height: h }, frame } = this;
    c.fillStyle = '#fbfaf6';
    c.fillRect(0, 0, w, h);
    c.fillStyle = '#0b6e75';
    c.fillRect(0, 0, w, 44);
    c.fillStyle = '#e4e0d4';
    c.fillRect(0, 44, 200, h);
    c.fillStyle = '#23302e';
    c.font = '600 34px sans-serif';
    c.fillText('Quarterly figures', 250, 130);
    for (let i = 0; i < 9; i += 1) {
      const height = 90 + 130 * Math.abs(Math.sin(i * 1.3 + frame / 200));
      c.fillStyle = i % 3 === 0 ? '#a8741a' : '#3c8f90';
      c.fillRect(260 + i * 100, 560 - height, 62, height);
    }
    c.fillStyle = '#c9c5b8';
    for (let i = 0; i < 9; i += 1) c.fillRect(24, 84 + i * 40, 120 + (i % 3) * 18, 12);
  }

  stop() {
    clearInterval(this.timer);
  }
}

let made = 0;

/** A track, local or remote. */
export class FakeTrack extends Emitter {
  constructor(kind, options = {}) {
    super();
    made += 1;
    this.id = `${kind}-${made}`;
    this.trackMediaType = kind;
    this.options = options;
    this.muted = false;
    this.enabled = true;
    this.closed = false;
    this.level = 0;
    this.stats = {};
    this.calls = [];
  }

  getTrackId() {
    return this.id;
  }

  getTrackLabel() {
    return this.options.label ?? 'Fake device';
  }

  getStats() {
    return this.stats;
  }

  getVolumeLevel() {
    return this.muted ? 0 : typeof this.level === 'function' ? this.level() : this.level;
  }

  async setMuted(muted) {
    if (!muted && this.refuse) throw this.refuse;
    this.muted = muted;
  }

  async setEnabled(enabled) {
    this.enabled = enabled;
  }

  async setDevice(id) {
    this.calls.push(['setDevice', id]);
  }

  async setEncoderConfiguration(config) {
    this.calls.push(['setEncoderConfiguration', config]);
  }

  setVolume(volume) {
    this.volume = volume;
  }

  async setPlaybackDevice(id) {
    this.speaker = id;
  }

  get isPlaying() {
    return this.playing !== undefined;
  }

  play(element, { mirror = false, fit = 'cover' } = {}) {
    this.stop();
    this.playing = element ?? null;
    if (!inBrowser || !element) return;
    this.painter ??= new Painter(this.options);
    const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, playsInline: true });
    Object.assign(video.style, { width: '100%', height: '100%', display: 'block', objectFit: fit, transform: mirror ? 'scaleX(-1)' : '' });
    video.srcObject = this.painter.stream;
    element.append(video);
    this.video = video;
  }

  stop() {
    this.video?.remove();
    this.playing = undefined;
  }

  close() {
    this.closed = true;
    this.stop();
    this.painter?.stop();
  }
}

/** Somebody else. */
export function fakeUser(uid, traits = {}) {
  return {
    uid, platform: 'web', role: 'host', connected: true, hasAudio: true, hasVideo: true, hasScreen: false, hasScreenAudio: false,
    audioMuted: false, videoMuted: false, attributes: { camera: {}, screen: {} }, ...traits,
  };
}

/** A room of one's own. */
export class FakeClient extends Emitter {
  constructor(config) {
    super();
    this.config = config;
    this.role = config.role ?? 'audience';
    this.connectionState = 'DISCONNECTED';
    this.remoteUsers = [];
    this.localTracks = [];
    this.admin = true;
    this.calls = [];
    this.refuse = {};
  }

  /** Notes a call, and fails if it is to. */
  async did(name, ...args) {
    this.calls.push([name, ...args]);
    if (this.refuse[name]) throw this.refuse[name];
  }

  async join(app, room, token, uid) {
    this.become('CONNECTING');
    try {
      await this.did('join', app, room, token, uid);
    } catch (cause) {
      this.become('DISCONNECTED');
      throw cause;
    }
    this.uid = uid;
    this.channelName = room;
    this.become('CONNECTED');
    return uid;
  }

  async leave() {
    await this.did('leave');
    this.become('DISCONNECTED', 'LEAVE');
  }

  become(state, reason) {
    const before = this.connectionState;
    this.connectionState = state;
    this.emit('connection-state-change', state, before, reason);
  }

  async publish(tracks) {
    await this.did('publish', tracks);
    this.localTracks = [...this.localTracks, ...[tracks].flat()];
  }

  async unpublish(tracks) {
    await this.did('unpublish', tracks);
    const gone = [tracks ?? this.localTracks].flat();
    this.localTracks = this.localTracks.filter((track) => !gone.includes(track));
  }

  async subscribe(user, mediaType) {
    await this.did('subscribe', user.uid, mediaType);
    const names = { audio: 'audioTrack', video: 'videoTrack', screen: 'screenTrack', 'screen-audio': 'screenAudioTrack' };
    const picture = mediaType === 'video' || mediaType === 'screen';
    const options = mediaType === 'screen' ? { screen: true, width: 1280, height: 720 } : { hue: user.hue, ...user.picture };
    user[names[mediaType]] = new FakeTrack(picture ? 'video' : 'audio', options);
    return user[names[mediaType]];
  }

  async setRemoteVideoSize(user, { width, height }) {
    await this.did('setRemoteVideoSize', user.uid, width, height);
  }

  async setClientRole(role) {
    await this.did('setClientRole', role);
    this.role = role;
    if (role === 'audience') this.localTracks = [];
  }

  async renewToken(token) {
    await this.did('renewToken', token);
  }

  async sendMessage(text, to) {
    await this.did('sendMessage', text, to);
    return this.calls.length;
  }

  async kick(uid, text) {
    await this.did('kick', uid, text);
  }

  async ban(uid, seconds, text) {
    await this.did('ban', uid, seconds, text);
  }

  async muteUser(uid, mediaType, muted) {
    await this.did('muteUser', uid, mediaType, muted);
  }

  async closeRoom() {
    await this.did('closeRoom');
  }

  getRTCStats() {
    return { RTT: 23, SendBitrate: 912_000, RecvBitrate: 4_310_000, OutgoingAvailableBandwidth: 3100, ...this.rtc };
  }

  getRemoteNetworkQuality() {
    return this.qualities ?? {};
  }

  enter(user, mediaTypes = []) {
    this.remoteUsers = [...this.remoteUsers, user];
    this.emit('user-joined', user);
    for (const mediaType of mediaTypes) this.emit('user-published', user, mediaType);
  }

  exit(user, reason = 'Quit') {
    this.remoteUsers = this.remoteUsers.filter((each) => each !== user);
    this.emit('user-left', user, reason);
  }
}

/** The module, with what it was asked for. */
export function createFakeSdk() {
  const events = new Emitter();
  const sdk = {
    VERSION: '0.0.0',
    clients: [],
    refuse: {},
    refuseNext: {},
    devices: [
      { kind: 'audioinput', deviceId: 'm1', label: 'Built-in Microphone' },
      { kind: 'audioinput', deviceId: 'm2', label: 'USB Headset' },
      { kind: 'videoinput', deviceId: 'c1', label: 'FaceTime HD Camera' },
      { kind: 'audiooutput', deviceId: 's1', label: 'Built-in Speakers' },
    ],
    onAutoplayFailed: null,
    on: (name, listener) => events.on(name, listener),
    off: (name, listener) => events.off(name, listener),
    emit: (name, ...args) => events.emit(name, ...args),
    createClient(config) {
      const client = new FakeClient(config);
      Object.assign(client.refuse, sdk.refuseNext);
      sdk.clients.push(client);
      return client;
    },
    createMicrophoneAudioTrack: async (config) => sdk.make('audio', 'microphone', { config, label: 'Built-in Microphone' }),
    createCameraVideoTrack: async (config) => sdk.make('video', 'camera', { config, label: 'FaceTime HD Camera', hue: 28 }),
    createScreenVideoTrack: async (config) => sdk.make('video', 'screen', { config, screen: true, width: 1280, height: 720 }),
    make(kind, name, options) {
      if (sdk.refuse[name]) throw sdk.refuse[name];
      const track = new FakeTrack(kind, options);
      if (name === 'microphone') track.level = () => 0.55 + 0.35 * Math.abs(Math.sin(Date.now() / 300));
      return track;
    },
    getDevices: async () => sdk.devices,
    checkSystemRequirements: () => true,
    getSupportedCodec: async () => ({ video: ['H264', 'VP8'], audio: ['OPUS'] }),
  };
  return sdk;
}

const shared = createFakeSdk();
if (inBrowser) Object.assign(globalThis, { fake: { sdk: shared, fakeUser, FakeTrack } });
export default shared;
