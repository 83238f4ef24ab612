import assert from 'node:assert/strict';
import test from 'node:test';
import { fromBase64, toBase64 } from '../../web-client/core/base64.js';
import { camera, participant, settle, without } from '../../web-client/test/core-world.mjs';
import { envelope, readMessage } from '../src/zego/messages.js';
import { byteLength, fromUtf8, toUtf8 } from '../src/zego/text.js';
import { ZegoExpressEngine } from '../src/zego/index.js';
import { asked, loggedIn, makeEngine, pushing, ROOM } from './zego-world.mjs';

test('text becomes UTF-8 as everywhere, and back', () => {
  for (const text of ['', 'abc', 'é', '鹊桥', '🙂', 'mixed 鹊 é 🙂']) {
    assert.deepEqual(Buffer.from(toUtf8(text)), Buffer.from(text, 'utf8'));
    assert.equal(byteLength(text), Buffer.byteLength(text));
    assert.equal(fromUtf8(toUtf8(text)), text);
  }
  assert.deepEqual(Buffer.from(toUtf8('a\ud800b')), Buffer.from('a\ufffdb'));
  assert.equal(fromUtf8(Uint8Array.from([0xff, 0xfe])), null);
});

test('data that is not of this SDK is no message of the vendor\'s', () => {
  const base = { id: 1, from: 'bob', private: false, at: 1 };
  for (const data of [[], [0xff], [...toUtf8('null')], [...toUtf8('7')], [...toUtf8('{"zego":"other","text":"x"}')], [...toUtf8('{"zego":"barrage","text":7}')]]) {
    assert.equal(readMessage({ ...base, data: Uint8Array.from(data) }), null);
  }
  assert.equal(readMessage({ ...base, data: new Uint8Array(10_000) }), null);
  assert.equal(readMessage(base), null);
  const longest = '\u0001'.repeat(1024);
  assert.deepEqual(readMessage({ ...base, data: envelope('barrage', longest) }), { kind: 'barrage', text: longest });
});

test('a broadcast is a text to all, as browsers send and read it', async () => {
  const { zg, world, news } = await loggedIn({ reply: { participants: [participant('bob', [camera])] } });
  news();
  const sent = zg.sendBroadcastMessage(ROOM, '你好');
  assert.deepEqual(without(world.socket.last('send_message'), 'id', 'type'), { text: '你好' });
  await world.socket.grant('send_message', { message_id: 5 });
  assert.deepEqual(await sent, { errorCode: 0 });
  await world.socket.say({ seq: 1, event: 'message', message_id: 9, from: 'bob', private: false, at: 1700000000, text: 'hi' });
  assert.deepEqual(news(), [['IMRecvBroadcastMessage', ROOM, [
    { fromUser: { userID: 'bob', userName: 'bob' }, message: 'hi', sendTime: 1700000000000, messageID: 9 },
  ]]]);
});

test('a barrage and a command to all go as data and come as what they were', async () => {
  const { zg, world, news } = await loggedIn({ reply: { participants: [participant('bob')] } });
  news();
  for (const [send, heard] of /** @type {const} */ ([
    [() => zg.sendBarrageMessage(ROOM, '666'), [['IMRecvBarrageMessage', ROOM, [
      { fromUser: { userID: 'bob', userName: 'bob' }, message: '666', sendTime: 1000, messageID: '9' }]]]],
    [() => zg.sendCustomCommand(ROOM, 'go', []), [['IMRecvCustomCommand', ROOM, { userID: 'bob', userName: 'bob' }, 'go']]],
  ])) {
    send();
    const { data, to } = /** @type {{ data: string, to?: string }} */ (/** @type {unknown} */ (world.socket.last('send_message')));
    assert.equal(to, undefined);
    assert.ok(fromBase64(data));
    await world.socket.grant('send_message', { message_id: 9 });
    await world.socket.say({ seq: asked(world, 'send_message').length, event: 'message', message_id: 9, from: 'bob', private: false, at: 1, data });
    assert.deepEqual(news(), heard);
  }
});

test('a command to some is a private text to each, and a failure if one of them is not there', async () => {
  const { zg, world, news } = await loggedIn({ reply: { participants: [participant('bob'), participant('carol')] } });
  news();
  const sent = zg.sendCustomCommand(ROOM, 'go', ['bob', 'nobody']);
  assert.deepEqual(asked(world, 'send_message').map(({ to, text }) => [to, text]), [['bob', 'go'], ['nobody', 'go']]);
  const [first, second] = asked(world, 'send_message');
  await world.socket.say({ id: first?.id, ok: { message_id: 1 } }, { id: second?.id, error: { code: 'no_such_participant', message: 'x' } });
  assert.equal((await sent).errorCode, 1104039);
  await world.socket.say({ seq: 1, event: 'message', message_id: 3, from: 'carol', private: true, at: 1, text: 'back' });
  assert.deepEqual(news(), [['IMRecvCustomCommand', ROOM, { userID: 'carol', userName: 'carol' }, 'back']]);
  await world.socket.say({ seq: 2, event: 'message', message_id: 4, from: 'carol', private: false, at: 1, data: toBase64(Uint8Array.from([1, 2])) });
  assert.deepEqual(news(), []);
});

test('what cannot be sent is answered with a code, and never rejects', async () => {
  const { zg } = await loggedIn();
  const { zg: outside } = makeEngine();
  const codes = async (...answers) => (await Promise.all(answers)).map(({ errorCode }) => errorCode);
  assert.deepEqual(await codes(
    zg.sendBroadcastMessage(ROOM, ''), zg.sendBroadcastMessage(ROOM, '桥'.repeat(342)), zg.sendBarrageMessage(ROOM, /** @type {any} */ (7)),
    zg.sendCustomCommand(ROOM, 'x'.repeat(1025), ['bob']), zg.setRoomExtraInfo(ROOM, /** @type {any} */ (undefined), 'v'),
    zg.setRoomExtraInfo(ROOM, 'zego_name:bob', 'Mallory'), zg.setStreamExtraInfo('mine', /** @type {any} */ (7)),
  ), Array(7).fill(1100001));
  assert.deepEqual(await codes(
    outside.sendBroadcastMessage(ROOM, 'x'), outside.sendBarrageMessage(ROOM, 'x'), outside.sendCustomCommand(ROOM, 'x', []),
    outside.setRoomExtraInfo(ROOM, 'k', 'v'), zg.sendBroadcastMessage('elsewhere', 'x'),
  ), Array(5).fill(1000002));
  assert.deepEqual(await codes(outside.setStreamExtraInfo('mine', 'x')), [1103055]);
});

test('extra info of the room is an attribute of the room: set, heard of from others, and there for who comes later', async () => {
  const { zg, world, news } = await loggedIn({ reply: { attributes: { topic: 'birds', 'zego_name:bob': 'Bob' }, participants: [participant('bob')] } });
  const [[, , list]] = news('roomExtraInfoUpdate');
  assert.deepEqual(list.map((item) => without(item, 'updateTime')), [{ key: 'topic', value: 'birds', updateUser: { userID: '', userName: '' } }]);
  const set = zg.setRoomExtraInfo(ROOM, 'topic', 'bridges');
  await world.socket.grant('set_room_attribute');
  assert.deepEqual(await set, { errorCode: 0 });
  await world.socket.say({ seq: 1, event: 'room_attribute', key: 'topic', value: 'bridges', by: 'alice', at: 1 });
  assert.deepEqual(news('roomExtraInfoUpdate'), []);
  await world.socket.say({ seq: 2, event: 'room_attribute', key: 'topic', value: null, by: 'bob', at: 1 });
  const [[, , [item]]] = news('roomExtraInfoUpdate');
  assert.deepEqual(without(item, 'updateTime'), { key: 'topic', value: '', updateUser: { userID: 'bob', userName: 'Bob' } });
  assert.equal(typeof item.updateTime, 'number');
  const full = zg.setRoomExtraInfo(ROOM, 'one more', 'x');
  await world.socket.refuse('set_room_attribute', 'too_many_attributes');
  assert.equal((await full).errorCode, 1002017);
});

test('extra info of a stream is an attribute of the stream', async () => {
  const scene = await loggedIn({ reply: { participants: [participant('bob', [camera])] } });
  await pushing(scene);
  scene.news();
  const set = scene.zg.setStreamExtraInfo('mine', '{"a":1}');
  assert.deepEqual(without(scene.world.socket.last('set_stream_attribute'), 'id', 'type'), { stream: 'camera', key: 'zego_extra_info', value: '{"a":1}' });
  await scene.world.socket.grant('set_stream_attribute');
  assert.deepEqual(await set, { errorCode: 0 });
  await scene.world.socket.say({ seq: 1, event: 'stream_attribute', uid: 'bob', stream: 'camera', key: 'zego_extra_info', value: 'x' });
  await scene.world.socket.say({ seq: 2, event: 'stream_attribute', uid: 'bob', stream: 'camera', key: 'rotation', value: '90' });
  assert.deepEqual(scene.news('streamExtraInfoUpdate'), [
    ['streamExtraInfoUpdate', ROOM, [{ streamID: 'bob', user: { userID: 'bob', userName: 'bob' }, extraInfo: 'x' }]],
  ]);
});

test('mixing and relaying to a CDN are refused, and modules for them change nothing', async (t) => {
  t.mock.method(console, 'warn', () => {});
  ZegoExpressEngine.use({});
  const { zg } = makeEngine();
  for (const refused of [
    zg.setMixerTaskConfig({}), zg.startMixerTask({}), zg.stopMixerTask('t'), zg.startAutoMixerTask({}), zg.stopAutoMixerTask({}),
    zg.addPublishCdnUrl('s', 'rtmp://x/y'), zg.removePublishCdnUrl('s', 'rtmp://x/y'),
  ]) {
    const { errorCode, extendedData } = await refused;
    assert.equal(errorCode, 1100001);
    assert.match(extendedData ?? '', /not supported/);
  }
});

test('what a phone lacks is told: an old WeChat, and permissions, which are asked for once', async () => {
  /** @param {object} wx */
  const check = (wx) => new ZegoExpressEngine(1, 'https://x.example', { platform: makeEngine().world.platform, wx }).checkSystemRequirements();
  const contexts = { createLivePusherContext() {}, createLivePlayerContext() {} };
  const settings = (authSetting) => ({ getSetting: ({ success }) => success({ authSetting }) });
  const authorize = (granted) => ({ authorize: ({ success, fail }) => (granted ? success({}) : fail({})) });
  const both = { 'scope.camera': true, 'scope.record': true };
  const version = { getAppBaseInfo: () => ({ SDKVersion: '3.5.0' }) };
  assert.equal((await check({})).code, 10001);
  assert.equal((await check({ ...contexts, getSystemInfoSync: () => ({ SDKVersion: '1.6.9' }) })).code, 10001);
  assert.deepEqual(await check({ ...contexts, ...version, ...settings(both) }), { code: 0, msg: '' });
  assert.equal((await check({ ...contexts, ...version, ...settings({ ...both, 'scope.record': false }), ...authorize(true) })).code, 10002);
  assert.equal((await check({ ...contexts, ...version, ...settings({}), ...authorize(true) })).code, 0);
  assert.equal((await check({ ...contexts, ...version, ...settings({}), ...authorize(false) })).code, 10002);
});

test('logs have levels', async (t) => {
  const lines = [];
  for (const name of /** @type {const} */ (['log', 'info', 'warn', 'error'])) t.mock.method(console, name, () => lines.push(name));
  const { zg } = makeEngine();
  zg.createPusher();
  assert.deepEqual(lines.splice(0), ['error']);
  assert.equal(zg.setLogConfig({ logLevel: 'disable', remoteLogLevel: 'info', logURL: 'https://x.example' }), true);
  zg.createPusher();
  assert.deepEqual(lines, []);
  assert.equal(zg.setLogConfig({ logLevel: 'loud' }), false);
  assert.equal(zg.setLogConfig(/** @type {any} */ (undefined)), false);
  zg.setDebugVerbose(true);
  zg.createPusher();
  zg.setDebugVerbose(false);
  assert.deepEqual(lines, ['error']);
  assert.equal(zg.getVersion(), '3.6.0');
  await settle();
});
