// What the SDK finds in a browser, as far as it needs it: PeerConnections and tracks that a test holds the other end of.
import assert from 'node:assert/strict';
import { Client } from '../sdk/client.js';
import { joinReply, settle, World } from './core-world.mjs';

export class FakeTrack extends EventTarget {
  enabled = true;
  readyState = 'live';
  label = '';
  contentHint = '';
  /** @type {object[]} */
  constraints = [];

  /** @param {'audio' | 'video'} kind @param {string} [label] */
  constructor(kind, label = kind) {
    super();
    this.kind = kind;
    this.label = label;
  }

  stop() {
    this.readyState = 'ended';
  }

  /** The device is gone. */
  vanish() {
    this.readyState = 'ended';
    this.dispatchEvent(new Event('ended'));
  }

  /** The size of its pictures. */
  settings = { width: 640, height: 360 };

  getSettings() {
    return this.settings;
  }

  /** @param {object} constraints */
  async applyConstraints(constraints) {
    this.constraints.push(constraints);
  }
}

class FakeTransceiver {
  direction = 'recvonly';
  currentDirection = null;
  receiver;
  sender;

  /** @param {string} mid @param {'audio' | 'video'} kind @param {string[]} rids of the layers that are asked for */
  constructor(mid, kind, rids) {
    this.mid = mid;
    this.receiver = { track: new FakeTrack(kind, `received ${mid}`), getSynchronizationSources: () => [] };
    this.sender = {
      track: null,
      parameters: { encodings: rids.length === 0 ? [{}] : rids.map((rid) => ({ rid, active: true })) },
      replaceTrack: async (/** @type {FakeTrack | null} */ track) => {
        this.sender.track = track;
      },
      getParameters: () => structuredClone(this.sender.parameters),
      setParameters: async (/** @type {any} */ parameters) => {
        this.sender.parameters = parameters;
      },
    };
  }
}

export class FakeConnection extends EventTarget {
  iceConnectionState = 'new';
  connectionState = 'new';
  closed = false;
  /** @type {FakeTransceiver[]} */
  transceivers = [];
  /** @type {{ sdp: string } | null} */
  localDescription = null;
  /** @type {object[]} */
  report = [];
  /** Throws this at the next offer. @type {Error | null} */
  refusal = null;

  getTransceivers() {
    return this.transceivers;
  }

  getSenders() {
    return this.transceivers.map(({ sender }) => sender);
  }

  getReceivers() {
    return this.transceivers.map(({ receiver }) => receiver);
  }

  /** @param {{ sdp: string }} description */
  async setRemoteDescription({ sdp }) {
    if (this.refusal !== null) throw this.refusal;
    for (const [, kind, mid, rids] of sdp.matchAll(/m=(audio|video)[^]*?a=mid:(\S+)(?:\r\na=simulcast:recv (\S+))?/g)) {
      if (!this.transceivers.some((one) => one.mid === mid)) this.transceivers.push(new FakeTransceiver(mid, kind, rids?.split(';') ?? []));
    }
  }

  async createAnswer() {
    return { sdp: this.transceivers.map(({ mid, receiver, direction }) => `m=${receiver.track.kind}\r\na=mid:${mid}\r\na=${direction}\r\n`).join('') };
  }

  /** @param {{ sdp: string }} description */
  async setLocalDescription(description) {
    assert.ok(!this.closed);
    this.localDescription = description;
  }

  async getStats() {
    return new Map(this.report.map((stat, at) => [at, stat]));
  }

  /** @param {string} state */
  ice(state) {
    this.iceConnectionState = state;
    this.dispatchEvent(new Event('iceconnectionstatechange'));
  }

  close() {
    this.closed = true;
  }

  /** Directions by mid. */
  get directions() {
    return Object.fromEntries(this.transceivers.map(({ mid, direction }) => [mid, direction]));
  }
}

/** @param {Record<string, [uid: string | number, stream: string, kind: string, layers?: string]>} sections by mid */
export function offer(revision, seq, sections) {
  const mids = Object.fromEntries(Object.entries(sections).filter(([, one]) => one[0] !== '').map(([mid, [uid, stream, kind]]) => [mid, { uid, stream, kind }]));
  const sdp = Object.entries(sections).map(([mid, [, , kind, layers]]) =>
    `m=${kind} 9\r\na=mid:${mid}\r\n${layers === undefined ? '' : `a=simulcast:recv ${layers}\r\n`}`).join('');
  return { seq, event: 'offer', revision, sdp, mids };
}

/** Makes Node look like a browser with these codecs, until the test is over. @param {import('node:test').TestContext} t */
export function browser(t) {
  const codecs = [{ mimeType: 'video/VP8' }, { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=42e01f' }];
  const capabilities = { getCapabilities: () => ({ codecs }) };
  Object.assign(globalThis, { RTCPeerConnection: FakeConnection, RTCRtpSender: capabilities, RTCRtpReceiver: capabilities });
  t?.after(() => {
    for (const name of ['RTCPeerConnection', 'RTCRtpSender', 'RTCRtpReceiver']) Reflect.deleteProperty(globalThis, name);
  });
}

/** A client and everything around it. @param {object} [config] */
export function clientOf(config = {}) {
  const world = new World();
  /** @type {FakeConnection[]} */
  const connections = [];
  const watch = { started: 0, stopped: 0, events: null };
  const client = new Client({ mode: 'rtc', codec: 'h264', server: 'https://example.com', ...config }, {
    platform: world.platform,
    connect: () => {
      connections.push(new FakeConnection());
      return connections.at(-1);
    },
    surroundings: (events) => {
      watch.events = events;
      return { start: () => (watch.started += 1), stop: () => (watch.stopped += 1) };
    },
  });
  /** @type {string[]} */
  const heard = [];
  for (const name of [
    'user-joined', 'user-left', 'user-published', 'user-unpublished', 'user-info-updated', 'user-role-changed', 'user-connection',
    'local-track-state', 'local-unpublished', 'media-reconnect-start', 'media-reconnect-end', 'exception', 'stream-message', 'session-ended',
  ]) {
    client.on(name, (...args) => heard.push([name, ...args.map(word)].join(' ')));
  }
  return { world, client, connections, watch, heard, news: () => heard.splice(0) };
}

/** @param {any} value */
function word(value) {
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) return value.map((track) => track.getTrackLabel());
  return value?.uid ?? value?.code ?? value;
}

/** @param {object} [reply] @param {object} [config] */
export async function inRoom(reply = {}, config = {}) {
  const made = clientOf(config);
  const joining = made.client.join('demo', 'r1', null, 'alice');
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply(reply));
  await joining;
  await made.world.pass(0);
  made.news();
  return made;
}

/** @param {World} world @param {string} type @param {Promise<unknown>} asked @param {object} [ok] */
export async function granted(world, type, asked, ok) {
  await settle();
  await world.socket.grant(type, ok);
  return asked;
}
