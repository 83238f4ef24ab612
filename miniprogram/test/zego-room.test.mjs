import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle, without } from '../../web-client/test/core-world.mjs';
import { withServer, ZegoExpressEngine } from '../src/zego/index.js';
import { APP_ID, asked, loggedIn, makeEngine, ROOM, zegoStream } from './zego-world.mjs';

const STATES = ['roomStateUpdate', 'roomStateChanged'];

test('logging in joins the room of the app with this number, as this user and with this token', async () => {
  const { world, news } = await loggedIn({ token: '04abc' });
  assert.deepEqual(without(world.socket.last('join'), 'id'), {
    type: 'join', version: 1, app: String(APP_ID), room: ROOM, uid: 'alice', platform: 'miniprogram', token: '04abc',
  });
  assert.deepEqual(news(...STATES), [
    ['roomStateUpdate', ROOM, 'CONNECTING', 0, ''], ['roomStateChanged', ROOM, 'LOGINING', 0, ''],
    ['roomStateUpdate', ROOM, 'CONNECTED', 0, ''], ['roomStateChanged', ROOM, 'LOGINED', 0, ''],
  ]);
});

test('an empty token is none', async () => {
  const { world } = await loggedIn({ token: '' });
  assert.equal(world.socket.last('join')['token'], undefined);
});

test('withServer names the server, whatever address the page gives, and subclasses pass instanceof', async () => {
  const { ZegoExpressEngine: Engine } = withServer('https://rtc.example.com');
  const { world, zg } = makeEngine({ Engine, server: 'wss://vendor.example.net/ws' });
  assert.ok(zg instanceof ZegoExpressEngine);
  zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  await settle();
  assert.equal(world.socket.url, 'wss://rtc.example.com/signal');
});

test('without a server, or with one that is no address, logging in fails as when the vendor finds none', async () => {
  for (const server of [undefined, '', [], 'nonsense', 7]) {
    const { world } = makeEngine();
    const lost = new ZegoExpressEngine(APP_ID, /** @type {any} */ (server), { platform: world.platform, wx: {} });
    const states = [];
    lost.on('roomStateUpdate', (...args) => states.push(args.slice(0, 3)));
    await assert.rejects(lost.loginRoom(ROOM, 'T', { userID: 'alice' }), { errorCode: 1102017, code: 1102017 });
    assert.deepEqual(states.at(-1), [ROOM, 'DISCONNECTED', 1102017]);
  }
});

test('of several servers the first that can be reached is taken', async () => {
  const { world, zg } = makeEngine({ server: ['https://one.example.com', 'https://two.example.com'] });
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  await settle();
  while (world.socket.url.includes('one')) {
    await world.socket.drop();
    await world.pass(10_000);
  }
  assert.equal(world.socket.url, 'wss://two.example.com/signal');
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  assert.equal(await login, true);
});

test('who is in the room already is told in one list, after logging in has been answered', async () => {
  const { zg, world, news } = makeEngine();
  const order = [];
  zg.on('roomStreamUpdate', () => order.push('streams'));
  zg.on('roomUserUpdate', () => order.push('users'));
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' }, { userUpdate: true }).then(() => order.push('logged in'));
  await settle();
  await world.socket.open();
  await world.socket.grant('join', joinReply({ participants: [participant('bob', [camera]), participant(7)] }));
  await login;
  await world.pass(0);
  assert.deepEqual(order, ['logged in', 'users', 'streams']);
  const told = news('roomUserUpdate', 'roomOnlineUserCountUpdate');
  assert.deepEqual(told.filter(([name]) => name === 'roomUserUpdate'), [
    ['roomUserUpdate', ROOM, 'ADD', [{ userID: 'bob', userName: 'bob' }, { userID: '7', userName: '7' }]],
  ]);
  assert.deepEqual(told.at(-1), ['roomOnlineUserCountUpdate', ROOM, 3]);
});

test('users are told of only with userUpdate, and counted without it', async () => {
  const { world, news } = await loggedIn();
  news();
  await world.socket.say({ seq: 1, event: 'participant_joined', participant: participant('bob') });
  assert.deepEqual(news(), [['roomOnlineUserCountUpdate', ROOM, 2]]);
  await world.socket.say({ seq: 2, event: 'participant_left', uid: 'bob', reason: 'left' });
  assert.deepEqual(news(), [['roomOnlineUserCountUpdate', ROOM, 1]]);
});

test('a user of a mini-program is told of when their name is known, or has not come within a second', async () => {
  const { world, news } = await loggedIn({ config: { userUpdate: true } });
  news();
  const joins = (seq, uid) => ({ seq, event: 'participant_joined', participant: participant(uid, [], { platform: 'miniprogram' }) });
  await world.socket.say(joins(1, 'bob'), joins(2, 'carol'));
  assert.deepEqual(news('roomUserUpdate'), []);
  await world.socket.say({ seq: 3, event: 'room_attribute', key: 'zego_name:bob', value: 'Bob', by: 'bob', at: 1 });
  assert.deepEqual(news('roomUserUpdate', 'roomExtraInfoUpdate'), [['roomUserUpdate', ROOM, 'ADD', [{ userID: 'bob', userName: 'Bob' }]]]);
  await world.pass(1000);
  assert.deepEqual(news('roomUserUpdate'), [['roomUserUpdate', ROOM, 'ADD', [{ userID: 'carol', userName: 'carol' }]]]);
  await world.socket.say({ seq: 4, event: 'participant_left', uid: 'bob', reason: 'left' });
  assert.deepEqual(news('roomUserUpdate'), [['roomUserUpdate', ROOM, 'DELETE', [{ userID: 'bob', userName: 'Bob' }]]]);
});

test('who leaves before their name came is told of as having come and gone', async () => {
  const { world, news } = await loggedIn({ config: { userUpdate: true } });
  news();
  await world.socket.say(
    { seq: 1, event: 'participant_joined', participant: participant('bob', [], { platform: 'miniprogram' }) },
    { seq: 2, event: 'participant_left', uid: 'bob', reason: 'left' },
  );
  assert.deepEqual(news('roomUserUpdate').map(([, , type]) => type), ['ADD', 'DELETE']);
});

test('a userName is said in the room and taken back on logging out', async () => {
  const { world, zg } = await loggedIn({ user: { userID: 'alice', userName: 'Alice A.' } });
  assert.deepEqual(without(world.socket.last('set_room_attribute'), 'id', 'type'), { key: 'zego_name:alice', value: 'Alice A.' });
  await world.socket.grant('set_room_attribute');
  zg.logoutRoom(ROOM);
  assert.deepEqual(world.socket.asked.slice(-2), ['set_room_attribute', 'leave']);
  assert.equal(world.socket.last('set_room_attribute')['value'], null);
});

test('names take at most half of the attributes of a room, and the places of those who were lost', async () => {
  const names = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`zego_name:u${n}`, `U${n}`]));
  const present = Array.from({ length: 16 }, (_, n) => participant(`u${n}`));
  const full = await loggedIn({ user: { userID: 'alice', userName: 'A' }, reply: { attributes: names, participants: present } });
  assert.deepEqual(asked(full.world, 'set_room_attribute'), []);
  const lost = await loggedIn({ user: { userID: 'alice', userName: 'A' }, reply: { attributes: names, participants: present.slice(1) } });
  assert.deepEqual(without(lost.world.socket.last('set_room_attribute'), 'id', 'type'), { key: 'zego_name:u0', value: null });
  await lost.world.socket.grant('set_room_attribute');
  assert.equal(lost.world.socket.last('set_room_attribute')['key'], 'zego_name:alice');
});

test('the audience has its name with no one, since it may not set attributes', async () => {
  const { world } = await loggedIn({ user: { userID: 'alice', userName: 'A' }, reply: { role: 'audience' } });
  assert.deepEqual(asked(world, 'set_room_attribute'), []);
});

test('who may publish only later has their name from then on, and whose name was lost says it again', async () => {
  const { world } = await loggedIn({ user: { userID: 'alice', userName: 'A' }, reply: { role: 'audience' } });
  await world.socket.say({ seq: 1, event: 'role_changed', uid: 'alice', role: 'host' });
  assert.equal(asked(world, 'set_room_attribute').length, 1);
  await world.socket.grant('set_room_attribute');
  await world.socket.say({ seq: 2, event: 'room_attribute', key: 'zego_name:alice', value: 'A', by: 'alice', at: 1 });
  await world.socket.drop();
  await world.pass(1000);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.grant('join', joinReply({ session: 's2' }));
  assert.equal(world.socket.last('set_room_attribute')['value'], 'A');
});

test('logging out tells of it at once and leaves nothing running', async () => {
  const { world, zg, news } = await loggedIn();
  news();
  zg.logoutRoom();
  assert.deepEqual(news(), [['roomStateUpdate', ROOM, 'DISCONNECTED', 0, ''], ['roomStateChanged', ROOM, 'LOGOUT', 0, '']]);
  await world.socket.grant('leave');
  assert.ok(world.socket.closed);
  assert.equal(world.timers, 0);
  zg.logoutRoom();
  zg.logoutRoom('elsewhere');
  assert.deepEqual(news(), []);
});

test('logging out while logging in ends it, and one can log in again', async () => {
  const { world, zg, news } = makeEngine();
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  await settle();
  zg.logoutRoom(ROOM);
  await assert.rejects(login, { errorCode: 1000002 });
  assert.deepEqual(news('roomStateChanged').map(([, , reason]) => reason), ['LOGINING', 'LOGOUT']);
  assert.equal(world.timers, 0);
  const again = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  await settle();
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  assert.equal(await again, true);
});

test('destroying in the middle of logging in tells nobody any more', async () => {
  const { world, zg, news } = makeEngine();
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  await settle();
  await world.socket.open();
  zg.destroyEngine();
  news();
  await world.socket.grant('join', joinReply({ participants: [participant('bob', [camera])] }));
  await world.socket.grant('leave');
  await assert.rejects(login, { errorCode: 1000002 });
  await world.pass(60_000);
  assert.deepEqual(news(), []);
  assert.equal(world.timers, 0);
  await assert.rejects(zg.loginRoom(ROOM, 'T', { userID: 'alice' }), { errorCode: 1000002 });
  assert.equal(zg.on('roomStateUpdate', () => {}), false);
});

test('a lost connection is told as connecting, and its return as connected', async () => {
  const { world, news } = await loggedIn();
  news();
  await world.socket.drop();
  assert.deepEqual(news(), [['roomStateUpdate', ROOM, 'CONNECTING', 1002051, ''], ['roomStateChanged', ROOM, 'RECONNECTING', 1002051, '']]);
  await world.pass(1000);
  await world.socket.open();
  await world.socket.grant('resume', { missed: 0 });
  assert.deepEqual(news(), [['roomStateUpdate', ROOM, 'CONNECTED', 0, ''], ['roomStateChanged', ROOM, 'RECONNECTED', 0, '']]);
});

test('after twenty minutes without a server the room is given up', async () => {
  const { world, zg, news } = await loggedIn();
  news();
  await world.socket.drop();
  await world.pass(19 * 60_000);
  assert.deepEqual(news('roomStateChanged').map(([, , reason]) => reason), ['RECONNECTING']);
  await world.pass(60_000);
  const [state, changed] = news();
  assert.deepEqual(state?.slice(1, 4), [ROOM, 'DISCONNECTED', 1002053]);
  assert.deepEqual(changed?.slice(1, 4), [ROOM, 'RECONNECT_FAILED', 1002053]);
  assert.equal(world.timers, 0);
  assert.deepEqual(await zg.sendBroadcastMessage(ROOM, 'x').then(({ errorCode }) => errorCode), 1000002);
});

test('what the server ends is told with the vendor\'s code, once', async () => {
  const codes = { replaced: 1002050, kicked: 1002055, banned: 1002066, room_closed: 1002055, token_expired: 1102018 };
  for (const [reason, code] of Object.entries(codes)) {
    const { world, news } = await loggedIn();
    news();
    await world.socket.say({ seq: 1, event: 'session_ended', reason });
    assert.deepEqual(news().map(([name, , what, errorCode]) => [name, what, errorCode]), [
      ['roomStateUpdate', 'DISCONNECTED', code], ['roomStateChanged', 'KICKOUT', code],
    ]);
    assert.equal(world.timers, 0);
  }
});

test('what the server refuses is told with the vendor\'s code', async () => {
  const codes = {
    unknown_app: 1001004, bad_signature: 1102016, missing_token: 1102016, wrong_uid: 1102016, token_expired: 1102018,
    room_full: 1002034, banned: 1002066, too_many_rooms: 1002099,
  };
  for (const [reason, code] of Object.entries(codes)) {
    const { world, zg, news } = makeEngine();
    const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
    await settle();
    await world.socket.open();
    await world.socket.refuse('join', reason);
    await assert.rejects(login, { name: 'ZegoError', errorCode: code });
    assert.deepEqual(news(...STATES).slice(-2).map(([, , what, errorCode]) => [what, errorCode]), [['DISCONNECTED', code], ['LOGIN_FAILED', code]]);
    assert.equal(world.timers, 0);
  }
});

test('a server that cannot be reached is a network that broke', async () => {
  const { world, zg } = makeEngine();
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  let failure;
  login.catch((cause) => { failure = cause; });
  for (let tries = 0; tries < 20 && failure === undefined; tries += 1) {
    await settle();
    if (!world.socket.closed) await world.socket.drop();
    await world.pass(10_000);
  }
  assert.equal(failure?.errorCode, 1002053);
});

test('a room with as many users as the page wants is full', async () => {
  const { world, zg, news } = makeEngine();
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' }, { maxMemberCount: 2 });
  await settle();
  await world.socket.open();
  await world.socket.say({
    id: world.socket.last('join').id,
    ok: joinReply({ participants: [participant('bob', [camera]), participant('carol')] }),
  });
  await world.socket.grant('leave');
  await assert.rejects(login, { errorCode: 1002034 });
  await world.pass(0);
  assert.deepEqual(news('roomStreamUpdate'), []);
  assert.equal(world.timers, 0);
});

test('identifiers are checked before anything is sent', async () => {
  const cases = /** @type {[any, any, number][]} */ ([
    ['', { userID: 'a' }, 1002011], [undefined, { userID: 'a' }, 1002011], ['x'.repeat(129), { userID: 'a' }, 1002013],
    ['a b', { userID: 'a' }, 1002012], ['a/b', { userID: 'a' }, 1002012], ['房'.repeat(43), { userID: 'a' }, 1002013],
    [ROOM, undefined, 1002005], [ROOM, { userID: '' }, 1002005], [ROOM, { userID: 7 }, 1002005], [ROOM, { userID: 'a~b' }, 1002006],
    [ROOM, { userID: 'x'.repeat(65) }, 1002007], [ROOM, { userID: 'a', userName: '' }, 1002008],
    [ROOM, { userID: 'a', userName: 'x'.repeat(257) }, 1002010],
  ]);
  for (const [roomID, user, code] of cases) {
    const { world, zg } = makeEngine();
    await assert.rejects(zg.loginRoom(roomID, 'T', user), { errorCode: code });
    assert.deepEqual(world.sockets, []);
  }
  for (const appID of ['1', null, 1.5, -1]) {
    const { zg } = makeEngine({ appID });
    await assert.rejects(zg.loginRoom(ROOM, 'T', { userID: 'a' }), { errorCode: 1001004 });
  }
});

test('a room is logged in to once, and a second one only if several are wanted', async () => {
  const { world, zg, news } = makeEngine();
  const login = zg.loginRoom(ROOM, 'T', { userID: 'alice' });
  await assert.rejects(zg.loginRoom(ROOM, 'T', { userID: 'alice' }), { errorCode: 1102012 });
  await settle();
  await world.socket.open();
  await world.socket.grant('join', joinReply());
  await login;
  news();
  await assert.rejects(zg.loginRoom(ROOM, 'T', { userID: 'alice' }), { errorCode: 1002058 });
  assert.deepEqual(news(), [], 'the room that is there is not spoken of');
  await assert.rejects(zg.loginRoom('r2', 'T', { userID: 'alice' }), { errorCode: 1002036 });
  assert.equal(zg.enableMultiRoom(true), false, 'not while a room is logged in to');
});

test('five rooms at once are as many as WeChat has sockets for, all as the same user', async () => {
  const { world, zg } = makeEngine();
  assert.equal(zg.enableMultiRoom(true), true);
  for (let n = 1; n <= 5; n += 1) {
    const login = zg.loginRoom(`r${n}`, 'T', { userID: 'alice' });
    await settle();
    await world.socket.open();
    await world.socket.grant('join', joinReply());
    await login;
  }
  assert.equal(world.sockets.length, 5);
  await assert.rejects(zg.loginRoom('r6', 'T', { userID: 'alice' }), { errorCode: 1002001 });
  zg.logoutRoom('r2');
  await assert.rejects(zg.loginRoom('r6', 'T', { userID: 'bob' }), { errorCode: 1002018 });
  zg.logoutRoom();
  assert.ok(world.sockets.every((socket) => socket.asked.includes('leave')));
});

test('a token about to expire is told of, and a new one is passed on', async () => {
  const { world, zg, news } = await loggedIn();
  news();
  await world.socket.say({ seq: 1, event: 'token_expiring', seconds: 30 });
  assert.deepEqual(news(), [['tokenWillExpire', ROOM]]);
  assert.equal(zg.renewToken('T2'), true);
  assert.equal(world.socket.last('renew_token')['token'], 'T2');
  await world.socket.refuse('renew_token', 'bad_signature');
  assert.equal(zg.renewToken('T2', 'elsewhere'), false);
  assert.equal(zg.renewToken(''), false);
});

test('several listeners of one event are called in order, and what one throws does not reach the others', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { zg } = makeEngine({ appID: 'none' });
  const order = [];
  const first = () => order.push(1);
  zg.on('roomStateUpdate', first);
  zg.on('roomStateUpdate', () => { throw new Error('of the page'); });
  zg.on('roomStateUpdate', () => order.push(2));
  assert.equal(zg.on('roomStateUpdate', /** @type {any} */ (undefined)), false);
  await assert.rejects(zg.loginRoom(ROOM, '', { userID: 'a' }));
  assert.deepEqual(order, [1, 2]);
  assert.throws(() => t.mock.timers.tick(1), /of the page/);
  zg.off('roomStateUpdate', first);
  zg.off('roomStateUpdate');
  await assert.rejects(zg.loginRoom(ROOM, '', { userID: 'a' }));
  assert.deepEqual(order, [1, 2]);
});

test('streams of the others are listed with their owners, extra info and without addresses', async () => {
  const { news } = await loggedIn({
    reply: {
      participants: [
        participant('bob', [zegoStream({ zego_stream_id: 'S-1', zego_user_name: 'Bob', zego_extra_info: '{"a":1}' })]),
        participant('web', [camera, { ...camera, stream: 'screen' }]),
      ],
    },
  });
  const urls = { urlsFLV: '', urlsRTMP: '', urlsHLS: '', urlsHttpsFLV: '', urlsHttpsHLS: '' };
  assert.deepEqual(news('roomStreamUpdate'), [['roomStreamUpdate', ROOM, 'ADD', [
    { streamID: 'S-1', user: { userID: 'bob', userName: 'Bob' }, extraInfo: '{"a":1}', ...urls },
    { streamID: 'web', user: { userID: 'web', userName: 'web' }, extraInfo: '', ...urls },
    { streamID: 'web_screen', user: { userID: 'web', userName: 'web' }, extraInfo: '', ...urls },
  ], '']]);
});

test('a stream that ends is told with the reason', async () => {
  const leaves = (reason) => [{ event: 'participant_left', uid: 'bob', reason }];
  const cases = /** @type {[object[], number][]} */ ([
    [[{ event: 'stream_unpublished', uid: 'bob', stream: 'camera' }], 1],
    [leaves('left'), 1], [leaves('timed_out'), 2], [leaves('kicked'), 4], [leaves('banned'), 4], [leaves('token_expired'), 6],
  ]);
  for (const [events, code] of cases) {
    const { world, news } = await loggedIn({ reply: { participants: [participant('bob', [camera])] } });
    news();
    await world.socket.say(...events.map((event, n) => ({ seq: n + 1, ...event })));
    const [[, , type, [item], extendedData]] = news('roomStreamUpdate');
    assert.deepEqual([type, item.streamID], ['DELETE', 'bob']);
    assert.deepEqual(JSON.parse(extendedData), { stream_delete_reason: [{ streamID: 'bob', code }] });
  }
});

test('a stream that gets another id is the end of one and the beginning of another', async () => {
  const { world, news } = await loggedIn({ reply: { participants: [participant('bob', [zegoStream({ zego_stream_id: 'one' })])] } });
  news();
  await world.socket.say({ seq: 1, event: 'stream_attribute', uid: 'bob', stream: 'camera', key: 'zego_stream_id', value: 'two' });
  assert.deepEqual(news('roomStreamUpdate').map(([, , type, [{ streamID }]]) => [type, streamID]), [['DELETE', 'one'], ['ADD', 'two']]);
});

test('of two streams of one id the first is told of, and the other when it is free', async () => {
  const { world, news } = await loggedIn({
    reply: { participants: [participant('bob', [zegoStream({ zego_stream_id: 'S' })]), participant('carol', [zegoStream({ zego_stream_id: 'S' })])] },
  });
  assert.deepEqual(news('roomStreamUpdate').flatMap(([, , , list]) => list.map(({ user }) => user.userID)), ['bob']);
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 'bob', reason: 'left' });
  assert.deepEqual(news('roomStreamUpdate').map(([, , type, [{ user }]]) => [type, user.userID]), [['DELETE', 'bob'], ['ADD', 'carol']]);
});

test('a browser whose uid is somebody\'s stream id is told under another', async () => {
  const { news } = await loggedIn({
    reply: { participants: [participant('bob', [zegoStream({ zego_stream_id: 'web' })]), participant('web', [camera])] },
  });
  assert.deepEqual(news('roomStreamUpdate')[0]?.[3].map(({ streamID }) => streamID), ['web', 'web_camera']);
});
