/** Signalling over a real WebSocket: the recorded conversations, and what is wrong with some clients. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Scope, scopeOf, sleep, until } from './lib/scope.mjs';
import { appConfig, startServer } from './lib/server.mjs';
import { Signaller } from './lib/signalling.mjs';
import { WebSocketClient } from './lib/websocket.mjs';

/** @typedef {import('./lib/signalling.mjs').Message} Message */
/** @typedef {{ client?: string, direction: string, message?: Message, seconds?: number }} Step */

const FIXTURES = fileURLToPath(new URL('../fixtures/signalling', import.meta.url));
const SECRET = 'b1946ac92492d2347c6235b4d2611184';

const shared = new Scope();
after(() => shared.close(), { timeout: 20_000 });
/** @type {Promise<import('./lib/server.mjs').Server> | undefined} */
let running;
/** The server of the tests that need nothing of their own. */
const server = () => (running ??= startServer(shared));

/**
 * What a transcript says without what a real server makes up: names of sessions, tickets, ports and times of day.
 * @param {unknown} value
 * @returns {unknown}
 */
function withoutSecrets(value) {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value === 'string') {
    const text = value.replace(/(rtmp|http):\/\/127\.0\.0\.1:\d+\//, '$1://HOST/').replace(/qt1\.[0-9a-f]{32}/, 'TICKET');
    return text.replace(/banned for another \d+ s/, 'banned for a while');
  }
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).map(([key, inner]) => {
    if (['session', 'at', 'time', 'retry_after_ms', 'seq'].includes(key)) return [key, typeof inner];
    return [key, withoutSecrets(inner)];
  });
  return Object.fromEntries(fields);
}

/** What the sections of an offer carry, whatever their names. @param {Message | undefined} offer */
function carried(offer) {
  /** @param {any} section */
  const text = (section) => `${section.uid} ${section.stream} ${section.kind}`;
  return Object.values(offer?.['mids'] ?? {}).map(text).sort();
}

/**
 * Plays the clients' part of a transcript and expects the server's.
 *
 * Offers come from the threads that carry media, between other messages; the answers in a transcript are not to them.
 */
class Replay {
  /** @type {Map<string, Signaller>} */
  clients = new Map();
  /** Session names of the transcript, and the real ones. @type {Map<string, string>} */
  sessions = new Map();
  /** The last event of each session when it was lost. @type {Map<string, number>} */
  seen = new Map();
  /** @type {Set<string>} */
  unanswered = new Set();

  /** @param {Scope} scope @param {import('./lib/server.mjs').Server} target */
  constructor(scope, target) {
    this.scope = scope;
    this.server = target;
  }

  /** @param {Step} step @param {string} what */
  async play(step, what) {
    const { client: name = '', message = {} } = step;
    const client = this.clients.get(name);
    if (step.direction === 'wait') return sleep((step.seconds ?? 0) * 1000);
    if (step.direction === 'lost') {
      for (const [session, owner] of this.owners) if (owner === name) this.seen.set(session, client?.lastSeq ?? 0);
      return client?.socket.cut();
    }
    if (step.direction === 'client') return this.#say(name, message);
    assert.ok(client, what);
    if (message['event'] === 'offer') return this.#expectOffer(client, message, what);
    if (this.unanswered.delete(`${name} ${message['id']}`)) return undefined;
    const got = await client.next(what);
    assert.deepEqual(withoutSecrets(got), withoutSecrets(message), what);
    const session = message['ok']?.session;
    if (session) {
      this.sessions.set(session, got['ok'].session);
      this.owners.set(session, name);
    }
    return undefined;
  }

  /** Who has which session. @type {Map<string, string>} */
  owners = new Map();

  /** @param {string} name @param {Message} message */
  async #say(name, message) {
    let client = this.clients.get(name);
    if (!client) {
      client = await Signaller.open(this.scope, this.server);
      this.clients.set(name, client);
    }
    const said = { ...message };
    if (said['type'] === 'answer') {
      this.unanswered.add(`${name} ${said['id']}`);
      return;
    }
    if (said['type'] === 'resume') {
      client.lastSeq = this.seen.get(said['session']) ?? said['last_seq'];
      said['last_seq'] = client.lastSeq;
      said['session'] = this.sessions.get(said['session']) ?? said['session'];
    }
    client.socket.send(JSON.stringify(said));
  }

  /** @param {Signaller} client @param {Message} expected @param {string} what */
  async #expectOffer(client, expected, what) {
    if (expected['revision'] !== 1) return;
    const offer = await until(what, 3000, () => client.offers[0]);
    assert.equal(offer['revision'], 1, what);
    assert.match(offer['sdp'], /^v=0\r\n/, what);
    assert.deepEqual(carried(offer), carried(expected), what);
  }
}

const transcripts = readdirSync(FIXTURES).filter((name) => name.startsWith('transcript.'));

test('every transcript is what a real server says', { timeout: 120_000, concurrency: true }, async (t) => {
  const replays = transcripts.map((name) =>
    t.test(name, async (inner) => {
      const scope = scopeOf(inner);
      const { transcript } = /** @type {{ transcript: Step[] }} */ (
        JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'))
      );
      const replay = new Replay(scope, await startServer(scope));
      for (const [index, step] of transcript.entries()) await replay.play(step, `${name}, step ${index}`);
      await sleep(200);
      for (const [who, client] of replay.clients) assert.deepEqual(client.inbox, [], `${name}: more for ${who}`);
    }),
  );
  await Promise.all(replays);
});

test('a session that is resumed misses nothing, and others hear no leave', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice, joined } = await Signaller.join(scope, await server(), 'resumed', 'alice');
  const { client: bob } = await Signaller.join(scope, await server(), 'resumed', 'bob');
  await alice.event('participant_joined');
  const { lastSeq } = alice;
  alice.socket.cut();
  assert.equal((await bob.event('participant_reconnecting'))['uid'], 'alice');
  for (const text of ['one', 'two', 'three']) await bob.request('send_message', { text });
  const again = await Signaller.open(scope, await server());
  again.lastSeq = lastSeq;
  again.socket.send(JSON.stringify({ id: 1, type: 'resume', session: joined['session'], last_seq: lastSeq }));
  assert.deepEqual(await again.next(), { id: 1, ok: { missed: 3 } });
  for (const text of ['one', 'two', 'three']) assert.equal((await again.next())['text'], text);
  assert.equal((await bob.next())['event'], 'participant_reconnected');
  assert.deepEqual(bob.inbox, []);
});

test('a session that is taken up elsewhere ends its older connection', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client, joined } = await Signaller.join(scope, await server(), 'elsewhere', 'alice');
  const again = await Signaller.open(scope, await server());
  await again.request('resume', { session: joined['session'], last_seq: client.lastSeq });
  assert.deepEqual(await client.socket.closed, { code: 4004, reason: 'resumed' });
});

test('connections end with a code and a reason', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const silent = await Signaller.open(scope, await server(), { silent: true });
  const idle = await Signaller.open(scope, await server(), { silent: true });
  const idleJoin = { id: 1, type: 'join', version: 1, app: 'demo', room: 'ends', uid: 'idle', platform: 'web' };
  idle.socket.send(JSON.stringify(idleJoin));
  const { client: leaver } = await Signaller.join(scope, await server(), 'ends', 'leaver');
  await leaver.request('leave');
  assert.deepEqual(await leaver.socket.closed, { code: 1000, reason: 'left' });
  const { client: first } = await Signaller.join(scope, await server(), 'ends', 'twice');
  const { client: second } = await Signaller.join(scope, await server(), 'ends', 'twice');
  assert.equal((await first.event('session_ended'))['reason'], 'replaced');
  assert.deepEqual(await first.socket.closed, { code: 4003, reason: 'replaced' });
  await second.request('kick', { uid: 'twice' });
  assert.deepEqual(await second.socket.closed, { code: 4003, reason: 'kicked' });
  assert.deepEqual(await silent.socket.closed, { code: 4000, reason: 'join_timeout' });
  assert.deepEqual(await idle.socket.closed, { code: 4001, reason: 'heartbeat_timeout' });
});

test('messages that are no requests are refused by name', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client } = await Signaller.join(scope, await server(), 'rubbish', 'alice');
  const cases = /** @type {[string, string][]} */ ([
    ['', 'malformed_message'],
    ['[]', 'malformed_message'],
    ['{"id":1', 'malformed_message'],
    [`{"id":1,"type":"ping","x":${'['.repeat(50)}${']'.repeat(50)}}`, 'message_too_deep'],
    ['{"id":-1,"type":"ping"}', 'invalid_id'],
    ['{"id":1.5,"type":"ping"}', 'invalid_id'],
    ['{"id":1}', 'unknown_type'],
    ['{"id":1,"type":"mute","stream":"camera","kind":"audio","muted":7}', 'invalid_field'],
    [JSON.stringify({ id: 1, type: 'answer', revision: 1, sdp: 'v'.repeat(193 * 1024) }), 'sdp_too_large'],
    [JSON.stringify({ id: 1, type: 'candidate', candidate: 'c'.repeat(1025) }), 'candidate_too_large'],
    [JSON.stringify({ id: 1, type: 'answer', revision: 9, sdp: 'v=0' }), 'stale_revision'],
    [JSON.stringify({ id: 1, type: 'ice_restart' }), 'media_lost'],
  ]);
  for (const [text, code] of cases) {
    client.socket.send(text);
    assert.equal((await client.next(code))['error']?.code, code, text.slice(0, 60));
  }
  client.socket.sendBinary(Buffer.from('{"id":1,"type":"ping"}'));
  assert.equal((await client.next())['error'].code, 'malformed_message');
  await client.request('ping');
  client.socket.send('x'.repeat(256 * 1024 + 1));
  assert.equal((await client.next())['error'].code, 'message_too_large');
  assert.deepEqual(await client.socket.closed, { code: 1009, reason: 'message_too_large' });
  const stranger = await Signaller.open(scope, await server());
  stranger.socket.send(`{"id":1,"type":"ping","x":"${'x'.repeat(8 * 1024)}"}`);
  assert.equal((await stranger.next())['error'].code, 'message_too_large');
  await stranger.request('ping');
});

test('pages of other origins signal only if they may', { timeout: 20_000 }, async (t) => {
  const scope = scopeOf(t);
  const env = { QUEQIAO_HTTP__CORS_ALLOW_ORIGIN: 'https://call.example.com' };
  const { http } = await startServer(scope, { env });
  for (const origin of ['https://call.example.com', `http://${http}`, undefined]) {
    (await WebSocketClient.open(http, '/signal', origin)).cut();
  }
  await assert.rejects(WebSocketClient.open(http, '/signal', 'https://evil.example.com'), /HTTP\/1.1 403/);
});

test('what is no WebSocket is told so', { timeout: 10_000 }, async () => {
  const response = await fetch(`http://${(await server()).http}/signal`);
  assert.equal(response.status, 426);
  assert.equal(/** @type {any} */ (await response.json()).error.code, 'websocket_required');
});

test('more joins of one address than it may have are refused, and others go on', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const target = await startServer(scope, { env: { QUEQIAO_LIMITS__JOINS_PER_SECOND: '1' } });
  const { client: witness } = await Signaller.join(scope, target, 'pace', 'witness');
  const clients = await Promise.all(Array.from({ length: 100 }, () => Signaller.open(scope, target)));
  const replies = await Promise.all(
    clients.map((client, index) =>
      client.ask('join', { version: 1, app: 'demo', room: 'pace', uid: index, platform: 'web' }),
    ),
  );
  const refused = replies.filter((reply) => reply['error']);
  assert.ok(refused.length >= 40 && refused.length < 70, `${refused.length} of 100 joins were refused`);
  for (const { error } of refused) {
    assert.equal(error.code, 'rate_limited');
    assert.ok(error.retry_after_ms > 0 && error.retry_after_ms <= 1000, `${error.retry_after_ms} ms`);
  }
  await witness.request('ping');
  await sleep(500);
  const late = clients[replies.findIndex((reply) => reply['error'])];
  await late?.request('join', { version: 1, app: 'demo', room: 'pace', uid: 'late', platform: 'web' });
});

/**
 * A token as a back end makes it, or as nobody should.
 * @param {Message} claims @param {{ secret?: string, alg?: string }} [options]
 */
function token(claims, { secret = SECRET, alg = 'HS256' } = {}) {
  /** @param {Message} part */
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const all = { app: 'class', room: 'r1', uid: 'ann', role: 'host', exp: now + 3600, ...claims };
  const text = `${encode({ alg, typ: 'JWT' })}.${encode(all)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

test('tokens that are not right are refused by name, whatever the clocks say', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const target = await startServer(scope, { config: appConfig('class', SECRET) });
  const now = Math.floor(Date.now() / 1000);
  const stranger = await Signaller.open(scope, target);
  const who = { version: 1, app: 'class', room: 'r1', uid: 'ann', platform: 'web' };
  const cases = /** @type {[Message, string][]} */ ([
    [{}, 'missing_token'],
    [{ app: 'nowhere' }, 'unknown_app'],
    [{ token: 'x'.repeat(4097) }, 'token_too_large'],
    [{ token: 'no.token.this' }, 'malformed_token'],
    [{ token: token({}, { alg: 'HS384' }) }, 'wrong_algorithm'],
    [{ token: token({}, { secret: 'another secret, of thirty-two b.' }) }, 'bad_signature'],
    [{ token: token({ exp: now - 60 }) }, 'token_expired'],
    [{ token: token({ nbf: now + 60 }) }, 'token_not_yet_valid'],
    [{ token: token({ app: 'other' }) }, 'wrong_app'],
    [{ token: token({ room: 'r2' }) }, 'wrong_room'],
    [{ token: token({ uid: 'bob' }) }, 'wrong_uid'],
    [{ token: token({ role: 'audience' }), role: 'host' }, 'role_not_allowed'],
  ]);
  for (const [fields, code] of cases) assert.equal((await stranger.refusal('join', { ...who, ...fields }))['code'], code);
  await stranger.request('join', { ...who, token: token({ role: 'audience' }) });
  assert.equal((await stranger.refusal('publish', { stream: 'camera', audio: true, video: true }))['code'], 'not_host');
  assert.equal((await stranger.refusal('kick', { uid: 'ann' }))['code'], 'not_admin');
  assert.equal((await stranger.refusal('renew_token', { token: token({ exp: now - 60 }) }))['code'], 'token_expired');
  assert.equal((await stranger.request('renew_token', { token: token({}) }))['role'], 'audience');
  await stranger.request('set_role', { role: 'host' });
  assert.doesNotMatch(target.log, /eyJ/, 'a token is in the log');
});

test('a token that is about to expire is announced, and who does not renew it is removed', {
  timeout: 40_000,
}, async (t) => {
  const scope = scopeOf(t);
  const target = await startServer(scope, { config: appConfig('class', SECRET) });
  const exp = Math.floor(Date.now() / 1000) + 2;
  const { client } = await Signaller.join(scope, target, 'r1', 'ann', { app: 'class', token: token({ exp }) });
  assert.ok((await client.event('token_expiring'))['seconds'] <= 2);
  assert.equal((await client.event('session_ended', 9000))['reason'], 'token_expired');
  assert.deepEqual(await client.socket.closed, { code: 4003, reason: 'token_expired' });
});

test('a page that is closed without leaving is gone after the grace time', { timeout: 30_000 }, async (t) => {
  const scope = scopeOf(t);
  const target = await startServer(scope, { env: { QUEQIAO_ROOMS__GRACE: '1s' } });
  const { client: alice, joined } = await Signaller.join(scope, target, 'closed', 'alice');
  const { client: bob } = await Signaller.join(scope, target, 'closed', 'bob');
  assert.equal(joined['grace_seconds'], 1);
  alice.socket.close();
  await bob.event('participant_reconnecting');
  assert.deepEqual((await bob.event('participant_left'))['reason'], 'timed_out');
});

test('a client that does not read is cut, and nobody else notices', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: talker } = await Signaller.join(scope, await server(), 'slow', 'talker');
  const { client: slow } = await Signaller.join(scope, await server(), 'slow', 'slow');
  const { client: witness } = await Signaller.join(scope, await server(), 'slow', 'witness');
  const talkers = [talker];
  for (let number = 0; number < 20; number += 1) {
    talkers.push((await Signaller.join(scope, await server(), 'slow', `talker-${number}`)).client);
  }
  slow.socket.pause();
  const cut = () =>
    witness.inbox.some((message) => message['event'] === 'participant_reconnecting' && message['uid'] === 'slow');
  const talk = async (/** @type {Signaller} */ client) => {
    while (!cut()) {
      const reply = await client.ask('send_message', { text: 'x'.repeat(8192) });
      if (reply['error']) await sleep(reply['error'].retry_after_ms);
      slow.socket.ping();
    }
  };
  await Promise.all(talkers.map(talk));
  await Promise.all([talker.request('ping'), witness.request('ping')]);
});

test('networks are told of as their participants report them', { timeout: 20_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: alice } = await Signaller.join(scope, await server(), 'networks', 'alice');
  const { client: bob } = await Signaller.join(scope, await server(), 'networks', 7);
  await bob.request('stats', { uplink: 1, downlink: 3, rtt_ms: 20 });
  const event = await alice.event('network_quality');
  assert.deepEqual(event['participants'], [{ uid: 7, uplink: 1, downlink: 3 }]);
});

test('a QR code is drawn of a text, and not of a book', { timeout: 10_000 }, async () => {
  const url = `http://${(await server()).http}/qr`;
  const drawn = await fetch(url, { method: 'POST', body: 'rtmp://127.0.0.1:1935/demo/r1/phone' });
  assert.equal(drawn.status, 200);
  assert.equal(drawn.headers.get('content-type'), 'image/svg+xml');
  assert.match(await drawn.text(), /<svg/);
  assert.equal((await fetch(url, { method: 'POST', body: 'x'.repeat(2049) })).status, 400);
  assert.equal((await fetch(url, { method: 'POST', body: '' })).status, 400);
});

test('the server says goodbye when it ends', { timeout: 20_000 }, async (t) => {
  const scope = scopeOf(t);
  /** @type {WebSocketClient[]} */
  const clients = [];
  // After the server, which is asked to leave when the test is over.
  scope.defer(async () => {
    for (const { closed } of clients) assert.deepEqual(await closed, { code: 1001, reason: 'shutting_down' });
  });
  const target = await startServer(scope);
  for (let count = 0; count < 3; count += 1) clients.push(await WebSocketClient.open(target.http, '/signal'));
});
