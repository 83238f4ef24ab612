import assert from 'node:assert/strict';
import test from 'node:test';
import { Connection } from '../core/connection.js';
import { joinReply, settle, World } from './core-world.mjs';

const JOIN = { app: 'demo', room: 'r1', uid: 'alice', platform: 'web' };
const CAMERA = { stream: 'camera', audio: true, video: true };

/** @param {object} [options] */
function connect({ world = new World(), join = JOIN, onJoined = () => {}, persistence = {} } = {}) {
  /** @type {string[]} */
  const states = [];
  /** @type {unknown[]} */
  const events = [];
  /** @type {boolean[]} */
  const joins = [];
  /** @type {Error[]} */
  const ends = [];
  let resumes = 0;
  const connection = new Connection({
    url: 'ws://127.0.0.1/signal',
    platform: world.platform,
    join,
    persistence,
    events: {
      changed: (current, _previous, reason) => states.push(reason === undefined ? current : `${current} ${reason}`),
      joined: (_reply, again) => {
        joins.push(again);
        onJoined(connection, again);
      },
      resumed: () => {
        resumes += 1;
      },
      event: (event) => events.push(event),
      ended: (error) => ends.push(error),
    },
  });
  return { world, connection, states, events, joins, ends, resumes: () => resumes };
}

/** @param {object} [options] */
async function joined(options = {}) {
  const made = connect(options);
  const started = made.connection.start();
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply(options.reply));
  await started;
  return made;
}

/** Opens the next socket and has the session resumed. @param {World} world */
async function resume(world) {
  await world.pass(500);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
}

/** @param {number} seq @param {string} [uid] */
const left = (seq, uid = 'bob') => ({ seq, event: 'participant_left', uid, reason: 'left' });

test('joins with the version of the protocol, and tells its states', async () => {
  const { world, connection, states, joins } = await joined();
  assert.deepEqual(world.socket.sent, [{ id: 1, type: 'join', version: 1, ...JOIN }]);
  assert.deepEqual(states, ['CONNECTING', 'CONNECTED']);
  assert.deepEqual(joins, [false]);
  assert.equal(connection.state, 'CONNECTED');
});

test('resumes across a cut after the last event that came, and tells what was missed once', async () => {
  const { world, states, events, joins, resumes } = await joined();
  const [first] = world.sockets;
  await first.say(left(1), left(2, 'carol'));
  await first.drop();
  assert.equal(states.at(-1), 'RECONNECTING');
  await world.pass(500);
  await world.socket.open();
  assert.deepEqual(world.socket.sent, [{ id: 2, type: 'resume', session: 's1', last_seq: 2 }]);
  await world.socket.say({ id: 2, ok: { missed: 1 } }, left(3, 'dave'), left(4, 'erin'));
  await first.say(left(5, 'ghost'));
  assert.deepEqual(events.map(({ uid }) => uid), ['bob', 'carol', 'dave', 'erin']);
  assert.deepEqual(states, ['CONNECTING', 'CONNECTED', 'RECONNECTING', 'CONNECTED']);
  assert.deepEqual(joins, [false]);
  assert.equal(resumes(), 1);
  assert.ok(first.closed);
});

test('an event that comes twice is told once', async () => {
  const { world, connection, events } = await joined();
  await world.socket.say(left(1), left(1), left(2), left(1));
  assert.equal(events.length, 2);
  assert.equal(connection.counters.duplicate, 2);
});

test('missing events are asked for by a resume, and a gap that stays ends in a rejoin', async () => {
  const { world, connection, events, joins } = await joined();
  await world.socket.say(left(1), left(3));
  assert.ok(world.sockets[0]?.closed);
  await world.pass(500);
  await world.socket.open();
  assert.equal(world.socket.last('resume').last_seq, 1);
  await world.socket.grant('resume', { missed: 2 });
  await world.socket.say(left(3));
  await world.pass(1000);
  await world.socket.open();
  assert.deepEqual(world.socket.asked, ['join']);
  await world.socket.grant('join', joinReply({ session: 's2' }));
  await world.socket.say(left(1));
  assert.deepEqual(joins, [false, true]);
  assert.equal(connection.counters.gaps, 2);
  assert.equal(events.length, 2);
});

test('waits between attempts, longer every time up to a limit, and less up to a quarter by chance', async () => {
  for (const [random, expected] of [[0, [500, 1000, 2000, 4000, 8000, 8000, 8000]], [1, [375, 750, 1500, 3000, 6000, 6000, 6000]]]) {
    const { world, connection, states } = await joined();
    world.random = () => random;
    for (const delayMs of expected) {
      await world.socket.drop();
      assert.deepEqual(world.delays, [delayMs]);
      await world.pass(delayMs);
    }
    assert.equal(world.sockets.length, 1 + expected.length);
    assert.equal(states.at(-1), 'RECONNECTING');
    await connection.leave();
  }
});

test('a server that takes connections and drops them is not asked faster, until one has lasted', async () => {
  const { world } = await joined();
  await world.socket.drop();
  await resume(world);
  await world.socket.drop();
  assert.deepEqual(world.delays, [1000]);
  await world.pass(1000);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  await world.pass(10_000);
  await world.socket.drop();
  assert.deepEqual(world.delays, [500]);
});

test('a socket that never opens, and one that never answers, are given up', async () => {
  const { world } = await joined();
  await world.socket.drop();
  await world.pass(500);
  await world.pass(8000);
  assert.ok(world.sockets[1]?.closed);
  await world.pass(1000);
  await world.socket.open();
  await world.pass(8000);
  assert.ok(world.sockets[2]?.closed);
});

test('what was asked before and during a cut is answered after it, in its order', async () => {
  const { world, connection } = await joined();
  const before = connection.request('subscribe', { uid: 'bob', stream: 'camera' });
  const id = world.socket.last('subscribe').id;
  await world.socket.drop();
  const during = connection.request('set_role', { role: 'audience' });
  await resume(world);
  assert.deepEqual(world.socket.asked, ['resume', 'subscribe', 'set_role']);
  assert.equal(world.socket.last('subscribe').id, id);
  await world.socket.grant('subscribe', { uid: 'bob', stream: 'camera' });
  await world.socket.grant('set_role', { role: 'audience' });
  assert.deepEqual(await before, { uid: 'bob', stream: 'camera' });
  assert.deepEqual(await during, { role: 'audience' });
});

test('a message is not sent twice: whoever sent it learns that nobody knows', async () => {
  const { world, connection } = await joined();
  const sent = connection.request('send_message', { text: 'hello' });
  await Promise.all([assert.rejects(sent, { code: 'OPERATION_ABORTED', reason: 'outcome_unknown' }), world.socket.drop()]);
  const waiting = connection.request('send_message', { text: 'later' });
  await resume(world);
  assert.equal(world.socket.last('send_message').text, 'later');
  await world.socket.grant('send_message', { message_id: 3 });
  assert.deepEqual(await waiting, { message_id: 3 });
});

test('no more than a bounded number waits for a connection, and none for ever', async () => {
  const { world, connection } = await joined();
  await world.socket.drop();
  const waiting = Array.from({ length: 128 }, () => connection.request('mute', { stream: 'camera', kind: 'audio', muted: true }));
  const given = Promise.allSettled(waiting);
  await assert.rejects(connection.request('set_role', { role: 'host' }), { reason: 'too_many_requests', data: { limit: 128 } });
  await world.pass(30_000);
  assert.ok((await given).every(({ reason }) => reason?.reason === 'timed_out'));
});

test('an answer that does not come is a TIMEOUT, and what comes after it answers nothing', async () => {
  const { world, connection } = await joined();
  const asked = connection.request('set_role', { role: 'host' });
  await Promise.all([assert.rejects(asked, { code: 'TIMEOUT', reason: 'timed_out' }), world.pass(10_000)]);
  await world.socket.grant('set_role', { role: 'host' });
  assert.equal(connection.counters.unmatched, 1);
  assert.equal(connection.state, 'CONNECTED');
});

test('joins again on the same socket where resuming is impossible; what was for the old session is void', async () => {
  const { world, connection, joins, states } = await joined({
    onJoined: (one, again) => again && void one.request('publish', CAMERA, { ofSession: true }).catch(() => {}),
  });
  connection.amend({ token: 'new' });
  const answer = connection.request('answer', { revision: 1, sdp: 'v=0' }, { ofSession: true });
  const muting = connection.request('mute', { stream: 'camera', kind: 'audio', muted: true });
  const gone = assert.rejects(answer, { code: 'OPERATION_ABORTED', reason: 'session_lost' });
  await world.socket.drop();
  await world.pass(500);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  assert.equal(world.socket.last('join').token, 'new');
  await world.socket.grant('join', joinReply({ session: 's2' }));
  await gone;
  // What brings the new session to where the old one was goes before what has waited.
  assert.deepEqual(world.socket.asked, ['resume', 'join', 'publish', 'mute']);
  await world.socket.grant('mute', { state: 'muted' });
  await muting;
  assert.deepEqual(joins, [false, true]);
  assert.deepEqual(states, ['CONNECTING', 'CONNECTED', 'RECONNECTING', 'CONNECTED']);
  await world.socket.say(left(1));
  await world.socket.drop();
  await world.pass(1000);
  await world.socket.open();
  assert.deepEqual([world.socket.last('resume').session, world.socket.last('resume').last_seq], ['s2', 1]);
});

test('a session that is of no more use is not resumed, whether it is there, being resumed or waited for', async () => {
  const { world, connection, joins } = await joined();
  connection.rejoin();
  assert.ok(world.sockets[0]?.closed);
  await world.pass(500);
  await world.socket.open();
  assert.deepEqual(world.socket.asked, ['join']);
  await world.socket.grant('join', joinReply({ session: 's2' }));
  await world.socket.drop();
  await world.pass(1000);
  await world.socket.open();
  assert.deepEqual(world.socket.asked, ['resume']);
  connection.rejoin();
  connection.rejoin();
  await world.pass(2000);
  await world.socket.open();
  assert.deepEqual([world.socket.asked, joins], [['join'], [false, true]]);
  await world.socket.drop();
  await connection.leave();
  connection.rejoin();
  assert.equal(world.timers, 0);
});

test('who wants no new session is told that theirs is lost, however that shows', async () => {
  for (const lose of [
    async ({ world }) => {
      await world.socket.drop();
      await world.pass(500);
      await world.socket.open();
      await world.socket.refuse('resume', 'resume_impossible');
    },
    async ({ connection }) => connection.rejoin(),
    async ({ world }) => {
      await world.socket.say(left(2));
      await world.pass(500);
      await world.socket.open();
      await world.socket.grant('resume', { missed: 1 });
      await world.socket.say(left(2));
    },
  ]) {
    const stay = await joined({ persistence: { rejoins: false } });
    await lose(stay);
    assert.deepEqual(stay.ends.map(({ reason }) => reason), ['session_lost']);
    assert.equal(stay.world.timers, 0);
    assert.ok(stay.world.socket.closed);
  }
});

test('a stay without a connection ends when its patience does, and not if the connection is back before', async () => {
  const { world, ends } = await joined({ persistence: { patienceMs: 6_000 } });
  await world.socket.drop();
  await world.pass(5_000);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  await world.pass(10_000);
  assert.deepEqual(ends, []);
  await world.socket.drop();
  await world.pass(6_000);
  assert.deepEqual(ends.map(({ reason }) => reason), ['unreachable']);
  assert.equal(world.timers, 0);
});

test('messages that make no sense are counted and skipped', async () => {
  const { world, connection, events } = await joined();
  const asked = connection.request('set_role', { role: 'host' });
  const rejected = assert.rejects(asked, { code: 'UNEXPECTED_RESPONSE', reason: 'bad_response' });
  await world.socket.say('{', '[]', '{"id":77,"ok":{}}', { seq: 1, event: 'muted', uid: 'bob' }, { seq: 2, event: 'poll_opened' }, left(3));
  await world.socket.grant('set_role', { role: 'king' });
  await rejected;
  await world.socket.say({ id: null, error: { code: 'malformed_message', message: 'no' } });
  assert.equal(events.length, 1);
  assert.deepEqual({ ...connection.counters }, { malformed: 4, unknown: 1, unmatched: 2, duplicate: 0, gaps: 0 });
  assert.equal(connection.state, 'CONNECTED');
});

test('sends a heartbeat as often as the server wants, measures it, and takes a long silence for a loss', async () => {
  const { world, connection, states } = await joined({ reply: { heartbeat_seconds: 3 } });
  await world.pass(9000);
  assert.equal(world.socket.sent.filter(({ type }) => type === 'ping').length, 3);
  assert.equal(connection.rttMs, 0);
  world.pongs = false;
  await world.pass(14_000);
  assert.equal(states.at(-1), 'CONNECTED');
  await world.pass(4000);
  assert.equal(states.at(-1), 'RECONNECTING');
});

test('after a sleep the connection is looked at before it is trusted', async () => {
  const { world, states } = await joined();
  await world.sleep(3_600_000);
  assert.equal(states.at(-1), 'RECONNECTING');
  await resume(world);
  assert.equal(states.at(-1), 'CONNECTED');
});

test('a change of network is noticed within two seconds, and ends a wait', async () => {
  const { world, connection, states } = await joined();
  connection.probe();
  await world.pass(2000);
  assert.equal(states.at(-1), 'CONNECTED', 'an answer shows that it is good');
  world.pongs = false;
  connection.probe();
  await world.pass(2000);
  assert.equal(states.at(-1), 'RECONNECTING');
  connection.probe();
  assert.equal(world.sockets.length, 2);
  connection.probe();
  assert.equal(world.sockets.length, 2, 'what is under way is not disturbed');
});

test('an end of the session is final, with its reason for everybody who waits', async () => {
  const reasons = {
    kicked: 'UID_BANNED', banned: 'UID_BANNED', replaced: 'UID_CONFLICT', room_closed: 'CHANNEL_BANNED',
    token_expired: 'TOKEN_EXPIRE', eclipse: 'SERVER_ERROR',
  };
  for (const [reason, expected] of Object.entries(reasons)) {
    const { world, connection, states, ends, events } = await joined();
    const asked = assert.rejects(connection.request('ice_restart', {}), { reason });
    await world.socket.say({ seq: 1, event: 'session_ended', reason, message: 'bye', seconds: 60 });
    await asked;
    assert.equal(states.at(-1), `DISCONNECTED ${expected}`);
    assert.deepEqual(ends.map((error) => [error.reason, error.data]), [[reason, { message: 'bye', seconds: 60 }]]);
    assert.equal(events.length, 1);
    assert.ok(world.socket.closed);
    assert.equal(world.timers, 0);
    await assert.rejects(connection.request('set_role', { role: 'host' }), { code: 'INVALID_OPERATION', reason: 'not_connected' });
  }
});

test('a first join that is refused is told with the code of the server and not tried again', async () => {
  for (const [code, expected] of [['bad_signature', 'CAN_NOT_GET_GATEWAY_SERVER'], ['token_expired', 'TOKEN_EXPIRE'], ['banned', 'UID_BANNED']]) {
    const { world, connection, ends } = connect();
    const started = assert.rejects(connection.start(), { code: expected, reason: code, data: { retryAfterMs: 59_000 } });
    await world.socket.open();
    await world.socket.refuse('join', code, { retry_after_ms: 59_000 });
    await started;
    assert.deepEqual([world.timers, world.sockets.length, ends.length, connection.state], [0, 1, 0, 'DISCONNECTED']);
  }
});

test('a server that cannot be reached is told after a few attempts', async () => {
  const { world, connection, states } = connect();
  const started = assert.rejects(connection.start(), { code: 'NETWORK_ERROR', reason: 'unreachable' });
  for (const delayMs of [500, 1000, 0]) {
    await world.socket.drop();
    await world.pass(delayMs);
  }
  await started;
  assert.deepEqual(states, ['CONNECTING', 'DISCONNECTED NETWORK_ERROR']);
  assert.deepEqual([world.sockets.length, world.timers], [3, 0]);
});

test('a server that asks to wait is given the time, within reason', async () => {
  const { world, connection } = connect();
  const started = connection.start();
  await world.socket.open();
  await world.socket.refuse('join', 'rate_limited', { retry_after_ms: 3000 });
  assert.deepEqual(world.delays, [3000]);
  await world.pass(3000);
  await world.socket.open();
  await world.socket.refuse('join', 'rate_limited', { retry_after_ms: 1e12 });
  assert.deepEqual(world.delays, [60_000]);
  await world.pass(60_000);
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  await started;
});

test('a rejoin that is refused is the end', async () => {
  const { world, states, ends } = await joined();
  await world.socket.drop();
  await world.pass(500);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.refuse('join', 'token_expired');
  assert.equal(states.at(-1), 'DISCONNECTED TOKEN_EXPIRE');
  assert.deepEqual(ends.map(({ code }) => code), ['TOKEN_EXPIRE']);
  assert.equal(world.timers, 0);
});

test('a parameter that cannot be sent opens no socket', async () => {
  const { world, connection } = connect({ join: { ...JOIN, room: 'a b' } });
  await assert.rejects(connection.start(), { code: 'INVALID_PARAMS', data: { field: 'room' } });
  assert.deepEqual([world.sockets.length, world.timers, connection.state], [0, 0, 'DISCONNECTED']);
});

test('leaving says so, and leaves neither timer nor socket behind', async () => {
  const { world, connection, states, ends } = await joined();
  const asked = assert.rejects(connection.request('ice_restart', {}), { code: 'OPERATION_ABORTED', reason: 'left' });
  const leaving = connection.leave();
  assert.equal(connection.leave(), leaving);
  assert.equal(connection.state, 'DISCONNECTING');
  await settle();
  await world.socket.grant('leave');
  await leaving;
  await asked;
  assert.deepEqual(states.slice(-2), ['DISCONNECTING', 'DISCONNECTED LEAVE']);
  assert.deepEqual([world.timers, world.socket.closed, ends.length], [0, true, 0]);
});

test('leaving takes no longer than two seconds, whatever the connection does', async () => {
  const { world, connection } = await joined();
  const leaving = connection.leave();
  await world.pass(2000);
  await leaving;
  assert.equal(world.timers, 0);

  const lost = await joined();
  const leavingLost = lost.connection.leave();
  await lost.world.socket.drop();
  await leavingLost;
  assert.deepEqual([lost.world.timers, lost.world.sockets.length], [0, 1]);

  const waiting = await joined();
  await waiting.world.socket.drop();
  await waiting.connection.leave();
  assert.deepEqual([waiting.world.timers, waiting.world.sockets.length], [0, 1]);
});

test('leaving while joining ends the session that is about to be', async () => {
  const early = connect();
  const refused = assert.rejects(early.connection.start(), { code: 'OPERATION_ABORTED', reason: 'left' });
  await early.connection.leave();
  await refused;
  assert.deepEqual([early.world.timers, early.world.socket.closed], [0, true]);

  const late = connect();
  const aborted = assert.rejects(late.connection.start(), { code: 'OPERATION_ABORTED', reason: 'left' });
  await late.world.socket.open();
  const leaving = late.connection.leave();
  assert.deepEqual(late.world.socket.asked, ['join', 'leave']);
  await late.world.socket.grant('join', joinReply());
  assert.equal(late.connection.state, 'DISCONNECTING');
  await late.world.socket.grant('leave');
  await leaving;
  await aborted;
  assert.deepEqual(late.states, ['CONNECTING', 'DISCONNECTING', 'DISCONNECTED LEAVE']);
  assert.deepEqual([late.joins.length, late.world.timers], [0, 0]);
});
