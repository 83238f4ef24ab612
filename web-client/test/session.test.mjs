import assert from 'node:assert/strict';
import test, { afterEach, beforeEach, mock } from 'node:test';
import { MediaSession } from '../src/session.js';

const URL_POSTED = 'http://127.0.0.1:8080/whip/demo/lobby/web-1';
const RESOURCE = `${URL_POSTED}/7`;
const ANSWER = 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:s\r\na=ice-pwd:server\r\n';
const OFFER = 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:c\r\na=ice-pwd:client\r\n';

/** A connection that is up as soon as it has an answer, and down when the test says so. */
class FakePeer extends EventTarget {
  /** @type {FakePeer[]} */
  static made = [];
  connectionState = 'new';
  /** @type {{ type: string, sdp: string } | null} */
  localDescription = null;
  /** @type {{ type: string, sdp: string } | null} */
  remoteDescription = null;

  constructor() {
    super();
    FakePeer.made.push(this);
  }

  async createOffer() {
    return { type: 'offer', sdp: OFFER };
  }

  /** @param {{ type: string, sdp: string }} description */
  async setLocalDescription(description) {
    this.localDescription = description;
  }

  /** @param {{ type: string, sdp: string }} description */
  async setRemoteDescription(description) {
    this.remoteDescription = description;
    this.become('connected');
  }

  /** @param {string} state */
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  close() {
    this.connectionState = 'closed';
  }
}

/** @typedef {{ method: string, url: string, headers: Record<string, string>, body?: string, keepalive: boolean }} Sent */
/** @type {Sent[]} */
let sent = [];
/** Answers still to give, by method; then the usual one. @type {Record<string, (() => Response)[]>} */
let answers = {};
/** @type {string[]} */
let states = [];
/** @type {EventTarget} */
let page;

const accepted = () => reply(201, ANSWER, { Location: RESOURCE });

/** @param {number} status @param {string} body @param {Record<string, string>} [headers] */
function reply(status, body, headers = {}) {
  const response = new Response(body, { status, headers });
  Object.defineProperty(response, 'url', { value: URL_POSTED });
  return response;
}

/** @param {number} status @param {string} code @param {Record<string, string>} [headers] */
const refused = (status, code, headers) => reply(status, JSON.stringify({ error: { code, message: code } }), headers);

/** @param {Partial<import('../src/session.js').SessionOptions>} [options] */
function session(options = {}) {
  return new MediaSession({
    url: URL_POSTED,
    token: 'secret',
    prepare: () => {},
    onState: ({ name }) => states.push(name),
    ...options,
  });
}

/** Lets everything that waits for no timer happen. */
const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** @param {number} ms */
async function pass(ms) {
  await settle();
  mock.timers.tick(ms);
  await settle();
}

const methods = () => sent.map(({ method }) => method);

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  FakePeer.made = [];
  sent = [];
  states = [];
  answers = {};
  page = new EventTarget();
  Object.assign(globalThis, {
    RTCPeerConnection: FakePeer,
    addEventListener: page.addEventListener.bind(page),
    /** @param {string} url @param {Sent} init */
    fetch: async (url, init) => {
      sent.push({ ...init, url });
      const next = answers[init.method]?.shift();
      if (next) return next();
      if (init.method === 'POST') return accepted();
      return reply(200, 'a=ice-ufrag:s2\r\na=ice-pwd:server2\r\n');
    },
  });
});

afterEach(() => mock.timers.reset());

test('a session is one POST with the token, and one DELETE that outlives the page', async () => {
  const live = session();
  await live.start();
  page.dispatchEvent(new Event('pagehide'));
  await settle();
  assert.deepEqual(methods(), ['POST', 'DELETE']);
  assert.equal(sent[0]?.url, URL_POSTED);
  assert.equal(sent[0]?.body, OFFER);
  assert.deepEqual(sent[0]?.headers, { 'Content-Type': 'application/sdp', Authorization: 'Bearer secret' });
  assert.equal(sent[1]?.url, RESOURCE);
  assert.equal(sent[1]?.keepalive, true);
  assert.deepEqual(states, ['connecting', 'live', 'idle']);
  assert.equal(FakePeer.made[0]?.connectionState, 'closed');
});

test('stopping while the offer is under way still frees the session on the server', async () => {
  const early = session();
  const started = early.start();
  early.stop();
  await assert.rejects(started, { code: 'stopped' });
  await settle();
  assert.deepEqual(methods(), ['POST', 'DELETE']);
  assert.deepEqual(states, ['connecting', 'idle']);
});

test('a refusal ends the first attempt with the code of the server', async () => {
  answers.POST = [() => refused(401, 'token_expired')];
  await assert.rejects(session().start(), { code: 'token_expired', status: 401 });
  assert.deepEqual(states, ['connecting', 'failed']);
  assert.deepEqual(methods(), ['POST']);
});

test('a stream that is not there yet is asked for again when the server says, until it is', async () => {
  answers.POST = [1, 2].map(() => () => refused(404, 'stream_not_found', { 'Retry-After': '3' }));
  const started = session({ waitsOut: ({ code }) => code === 'stream_not_found' }).start();
  await pass(2999);
  assert.deepEqual(methods(), ['POST']);
  await pass(1);
  assert.deepEqual(methods(), ['POST', 'POST']);
  await pass(3000);
  await started;
  assert.deepEqual(states, ['connecting', 'waiting', 'waiting', 'live']);
});

test('a connection that stays disconnected is restarted by PATCH, with If-Match for any session', async () => {
  await session().start();
  const [peer] = FakePeer.made;
  peer?.become('disconnected');
  await pass(1000);
  peer?.become('connected');
  await pass(5000);
  assert.deepEqual(methods(), ['POST'], 'a short loss repairs itself');
  peer?.become('disconnected');
  await pass(2000);
  assert.deepEqual(methods(), ['POST', 'PATCH']);
  assert.equal(sent[1]?.url, RESOURCE);
  assert.equal(sent[1]?.headers['If-Match'], '*');
  assert.equal(sent[1]?.headers['Content-Type'], 'application/trickle-ice-sdpfrag');
  assert.match(sent[1]?.body ?? '', /a=ice-ufrag:c\r\na=ice-pwd:client\r\n/);
  assert.match(peer?.remoteDescription?.sdp ?? '', /a=ice-ufrag:s2\r\na=ice-pwd:server2\r\n/);
  assert.deepEqual(states, ['connecting', 'live', 'reconnecting', 'live']);
  assert.equal(FakePeer.made.length, 1);
});

test('a session that the server has forgotten is set up again', async () => {
  const kept = session();
  await kept.start();
  answers.PATCH = [() => refused(404, 'session_not_found')];
  FakePeer.made[0]?.become('failed');
  await settle();
  assert.deepEqual(methods(), ['POST', 'PATCH', 'POST']);
  assert.deepEqual(states, ['connecting', 'live', 'reconnecting', 'live']);
  assert.equal(FakePeer.made[0]?.connectionState, 'closed');
  assert.equal(kept.peer, FakePeer.made[1]);
});

test('a publisher who was replaced does not take the uid back', async () => {
  await session().start();
  answers.PATCH = [() => refused(410, 'replaced')];
  FakePeer.made[0]?.become('failed');
  await pass(60_000);
  assert.deepEqual(methods(), ['POST', 'PATCH', 'DELETE']);
  assert.equal(states.at(-1), 'failed');
});

test('a server that is away is tried again until it is back', async () => {
  await session().start();
  const away = () => {
    throw new TypeError('Failed to fetch');
  };
  answers.PATCH = [away, away, away];
  answers.POST = [away, away];
  FakePeer.made[0]?.become('failed');
  for (let second = 0; second < 30; second += 1) await pass(1000);
  assert.deepEqual(methods(), ['POST', 'PATCH', 'PATCH', 'PATCH', 'DELETE', 'POST', 'POST', 'POST']);
  assert.equal(states.at(-1), 'live');
});
