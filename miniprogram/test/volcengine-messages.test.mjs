import assert from 'node:assert/strict';
import test from 'node:test';
import { joinReply, participant, settle } from '../../web-client/test/core-world.mjs';
import { ERROR_CODES } from '../src/volcengine/index.js';
import { page, pageInRoom, refused, TOKEN } from './volcengine-world.mjs';

const BYTES = new Uint8Array([1, 2, 255]);

/** A client that has logged in as alice, outside of every room. */
async function loggedIn(participants = [participant('bob', [], { role: 'audience' })]) {
  const made = page();
  made.client.init('demo');
  const loggingIn = made.client.login(TOKEN, 'alice');
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply({ role: 'audience', participants }));
  await loggingIn;
  await made.world.pass(0);
  return made;
}

test('messages go to one user or to the room, as text or as bytes', async () => {
  const { client, world } = await pageInRoom();
  for (const [send, fields] of [
    [() => client.sendUserMessage('bob', 'hello'), { text: 'hello', to: 'bob' }],
    [() => client.sendUserBinaryMessage('bob', BYTES.buffer), { data: 'AQL/', to: 'bob' }],
    [() => client.sendRoomMessage('hello'), { text: 'hello' }],
    [() => client.sendRoomBinaryMessage(BYTES.subarray(1)), { data: 'Av8=' }],
  ]) {
    const numbers = [];
    const sending = send();
    sending.then((id) => numbers.push(id));
    await settle();
    const { id, type, ...sent } = world.socket.last('send_message');
    assert.deepEqual([typeof id, type, sent], ['number', 'send_message', fields]);
    await world.socket.grant('send_message', { message_id: 7 });
    assert.deepEqual(numbers, [7]);
  }
});

test('messages of others come by the event of their kind', async () => {
  const { world, news } = await pageInRoom();
  const message = (seq, more) => ({ seq, event: 'message', message_id: seq, from: 42, private: false, at: 1, ...more });
  await world.socket.say(message(1, { text: 'all' }), message(2, { data: 'AQL/' }));
  await world.socket.say(message(3, { private: true, text: 'you' }), message(4, { private: true, data: 'AQL/' }));
  assert.deepEqual(news(), [
    ['ROOM_MESSAGE_RECEIVED', { uid: '42', message: 'all' }],
    ['ROOM_BINARY_MESSAGE_RECEIVED', { uid: '42', message: BYTES.buffer }],
    ['USER_MESSAGE_RECEIVED', { uid: '42', message: 'you' }],
    ['USER_BINARY_MESSAGE_RECEIVED', { uid: '42', message: BYTES.buffer }],
  ]);
});

test('a message that cannot be delivered is refused with the reason', async () => {
  const { client, world } = await pageInRoom();
  for (const [code, name] of [['no_such_participant', 'UID_NOT_FOUND'], ['rate_limited', 'MESSAGE_FAILED']]) {
    const sending = client.sendUserMessage('bob', 'hello');
    await world.socket.refuse('send_message', code);
    await refused(sending, name);
  }
  const sending = client.sendRoomMessage('hello');
  await settle();
  await world.socket.drop();
  await refused(sending, 'WEBSOCKET_NOT_CONNECTED');
});

test('who logs in meets the others in a room of its own, as audience', async () => {
  const { client, world, news } = await loggedIn();
  const { room, role, uid, token } = world.socket.last('join');
  assert.deepEqual([room, role, uid, token], ['volcengine-login', 'audience', 'alice', TOKEN]);
  assert.deepEqual([client.state, news()], ['disconnected', []]);
  assert.deepEqual([await client.getPeerOnlineStatus('bob'), await client.getPeerOnlineStatus('alice'), await client.getPeerOnlineStatus('carol')], [1, 1, 0]);
});

test('messages outside of rooms go to those who have logged in', async () => {
  const { client, world, news } = await loggedIn();
  const sending = client.sendUserMessageOutsideRoom('bob', 'hello');
  await world.socket.grant('send_message', { message_id: 9 });
  assert.equal(await sending, 9);
  const binary = client.sendUserBinaryMessageOutsideRoom('carol', BYTES.buffer);
  await world.socket.refuse('send_message', 'no_such_participant');
  await refused(binary, 'UID_NOT_FOUND');
  await world.socket.say({ seq: 1, event: 'message', message_id: 1, from: 'bob', private: true, at: 1, text: 'hi' });
  await world.socket.say({ seq: 2, event: 'message', message_id: 2, from: 'bob', private: true, at: 1, data: 'AQL/' });
  assert.deepEqual(news(), [
    ['USER_MESSAGE_RECEIVED_OUTSIDE_ROOM', { uid: 'bob', message: 'hi' }],
    ['USER_BINARY_MESSAGE_RECEIVED_OUTSIDE_ROOM', { uid: 'bob', message: BYTES.buffer }],
  ]);
});

test('a login that lost its session is made anew by itself', async () => {
  const { client, world, news } = await loggedIn();
  await world.socket.drop();
  await world.pass(1_000);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.grant('join', joinReply({ role: 'audience', session: 's2' }));
  assert.deepEqual([news(), await client.getPeerOnlineStatus('bob')], [[], 0]);
});

test('logging in twice, and what needs a login without one, is refused', async () => {
  const made = page();
  const { client, world } = made;
  client.init('demo');
  for (const call of [
    client.logout(), client.updateLoginToken(TOKEN), client.getPeerOnlineStatus('bob'), client.sendUserMessageOutsideRoom('bob', 'x'),
    client.sendUserBinaryMessageOutsideRoom('bob', BYTES.buffer), client.setServerParams('s', 'u'), client.sendServerMessage('x'),
    client.sendServerBinaryMessage(BYTES.buffer),
  ]) await refused(call, 'NOT_LOGIN');
  const loggingIn = client.login(TOKEN, 'alice');
  await refused(client.login(TOKEN, 'alice'), 'CONNECTING');
  await refused(client.sendUserMessageOutsideRoom('bob', 'x'), 'NOT_LOGIN');
  await world.socket.open();
  await world.socket.grant('join', joinReply({ role: 'audience' }));
  await loggingIn;
  await refused(client.login(TOKEN, 'alice'), 'LOGIN_FAILED');
});

test('there are no messages to an application\'s server', async () => {
  const { client } = await loggedIn();
  await refused(client.setServerParams('signature', 'https://example.com'), 'NOT_SUPPORTED');
  await refused(client.sendServerMessage('x'), 'NO_SERVER_PARAM');
  await refused(client.sendServerBinaryMessage(BYTES.buffer), 'NO_SERVER_PARAM');
});

test('what refuses a login is told with its reason, and it can be tried again', async () => {
  const { client, world, news } = page();
  client.init('demo');
  const loggingIn = client.login(TOKEN, 'alice');
  await world.socket.open();
  await world.socket.refuse('join', 'token_expired');
  await refused(loggingIn, 'LOGIN_FAILED', /^token_expired: /);
  const unreachable = client.login(TOKEN, 'alice');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await world.socket.drop();
    await world.pass(5_000);
  }
  await refused(unreachable, 'WEBSOCKET_FAILED');
  assert.deepEqual([news(), world.timers], [[], 0]);
});

test('a new token is passed on, and a login that ends is told', async () => {
  const { client, world, news } = await loggedIn();
  const updating = client.updateLoginToken('another');
  await settle();
  assert.equal(world.socket.last('renew_token').token, 'another');
  await world.socket.grant('renew_token', { role: 'audience' });
  await updating;
  await world.socket.say({ seq: 1, event: 'session_ended', reason: 'replaced' });
  assert.deepEqual(news(), [['LOGOUT', { reason: 'replaced' }]]);
  await refused(client.getPeerOnlineStatus('bob'), 'NOT_LOGIN');
});

test('logging out and destroying close the connection, and neither is told', async () => {
  for (const end of [(client) => client.logout(), (client) => client.destroy()]) {
    const { client, world, news } = await loggedIn();
    const ending = end(client);
    await world.socket.grant('leave');
    await ending;
    assert.deepEqual([news(), world.timers, world.socket.closed], [[], 0, true]);
  }
});

test('destroying in the middle of logging in ends it', async () => {
  const { client, world } = page();
  client.init('demo');
  const loggingIn = client.login(TOKEN, 'alice');
  client.destroy();
  const error = await loggingIn.catch((cause) => cause);
  assert.deepEqual([error.code, world.timers], [ERROR_CODES.LOGIN_FAILED, 0]);
});
