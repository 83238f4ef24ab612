import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle, World } from '../../web-client/test/core-world.mjs';
import { failure, play, PUSH } from './agora-world.mjs';

const OPTIONS = { mode: 'live', codec: 'h264' };

/** A page's data. */
class Owner {
  data = { pushers: [], players: [] };

  setData(data) {
    Object.assign(this.data, data);
  }
}

let modules = 0;

/** The plugin anew, as every mini-program loads it once. */
async function load() {
  modules += 1;
  const world = new World();
  const { withServer } = await import(`../src/plugin/index.js?${modules}`);
  const plugin = withServer('https://example.com');
  const client = plugin.createClient({ ...OPTIONS, platform: world.platform });
  await client.init('demo');
  const heard = [];
  client.on('*', (name, payload) => heard.push([name, payload]));
  return { world, plugin, client, heard, news: () => heard.splice(0) };
}

/** @param {object} [reply] */
async function inChannel(reply = {}) {
  const made = await load();
  const owner = new Owner();
  const call = made.plugin.bindCall(owner);
  const joining = made.client.joinChannel({ channelId: 'r1', uid: 'me' });
  await settle();
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply({ uid: 'me', ...reply }));
  await joining;
  await made.world.pass(0);
  return { ...made, owner, call };
}

/** @param {World} world @param {string} [ticket] */
async function grantPublish(world, ticket = 'a') {
  await settle();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH.replace('=a', `=${ticket}`) });
}

test('there is one client and one set of devices, whoever asks for them', async () => {
  const { plugin, client } = await load();
  const rtc = plugin.createRTC({ ...OPTIONS, audio: true, video: true });
  assert.equal(plugin.createClient(), client);
  assert.equal(plugin.createClient(OPTIONS), client);
  assert.equal(plugin.createRTC(), rtc);
});

test('a page that begins with options is rid of an earlier page\'s listeners', async () => {
  const { plugin, client, heard } = await load();
  client.emit('userOffline', 1);
  plugin.createClient().emit('userOffline', 2);
  plugin.createClient(OPTIONS).emit('userOffline', 3);
  assert.deepEqual(heard, [['userOffline', 1], ['userOffline', 2]]);
});

test('a uid may be a number, a string or left out', async () => {
  for (const [uid, asked] of [[7, 7], ['alice', 'alice'], [undefined, 1], [null, 1], ['', 1]]) {
    const { world, client } = await load();
    const told = [];
    client.joinChannel({ channelId: 'r1', uid }, (own) => told.push(own));
    await settle();
    await world.socket.open();
    assert.equal(world.socket.last('join').uid, asked);
    await world.socket.grant('join', joinReply({ uid: asked }));
    assert.deepEqual(told, [asked]);
  }
});

test('whoever is there, comes or goes is told, also to those who listen only in the callback of joining', async () => {
  const { world, client } = await load();
  const heard = [];
  client.joinChannel({ channelId: 'r1', uid: 1 }, () => {
    client.on('joinedChannel', (uid) => heard.push(['joined', uid]));
    client.on('userOffline', (uid) => heard.push(['offline', uid]));
  });
  await settle();
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, participants: [participant('alice')] }));
  await world.pass(0);
  await world.socket.say(
    { seq: 1, event: 'participant_joined', participant: participant(2) },
    { seq: 2, event: 'participant_left', uid: 'alice', reason: 'left' },
  );
  assert.deepEqual(heard, [['joined', 'alice'], ['joined', 2], ['offline', 'alice']]);
});

test('the component shows everybody who publishes, and oneself once a device is started', async () => {
  const { world, plugin, owner } = await inChannel({ participants: [participant(2, [camera])] });
  await world.socket.grant('subscribe', play(2));
  await world.pass(0);
  assert.deepEqual(owner.data.players.map(({ uid, url }) => [uid, url]), [[2, play(2).rtmp]]);
  assert.deepEqual(owner.data.pushers, []);
  const rtc = plugin.createRTC({ ...OPTIONS, audio: true, video: true, cameraId: 'back' });
  const started = [rtc.startLocalPreview(), rtc.startLocalAudio()];
  await grantPublish(world);
  await Promise.all(started);
  await world.pass(0);
  assert.equal(world.socket.asked.filter((type) => type === 'publish').length, 1);
  assert.deepEqual(owner.data.pushers.map(({ url }) => url), [PUSH]);
  const { camera: picture, microphone, facing, preview } = owner.data;
  assert.deepEqual({ picture, microphone, facing, preview }, { picture: true, microphone: true, facing: 'back', preview: false });
});

test('what was started before joining is shown, and published when the channel is joined', async () => {
  const { world, plugin, client } = await load();
  const owner = new Owner();
  plugin.bindCall(owner);
  await plugin.createRTC(OPTIONS).startLocalPreview();
  assert.equal(owner.data.preview, true);
  client.joinChannel({ channelId: 'r1', uid: 1 });
  await settle();
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1 }));
  await grantPublish(world);
  assert.deepEqual([world.socket.last('publish').audio, world.socket.last('publish').video], [true, true]);
  assert.deepEqual([world.socket.last('mute').kind, world.socket.last('mute').muted], ['audio', true]);
  assert.equal(owner.data.preview, false);
});

test('a device that options exclude is never used', async () => {
  const { world, plugin, owner } = await inChannel();
  const rtc = plugin.createRTC({ ...OPTIONS, video: false });
  await rtc.startLocalPreview();
  assert.ok(!world.socket.asked.includes('publish'));
  rtc.startLocalAudio();
  await grantPublish(world);
  assert.deepEqual([world.socket.last('publish').audio, world.socket.last('publish').video], [true, false]);
  assert.deepEqual([owner.data.camera, owner.data.microphone], [false, true]);
});

test('stopping the camera publishes sound alone anew, stopping the microphone mutes, stopping both ends it', async () => {
  const { world, plugin, owner } = await inChannel();
  const rtc = plugin.createRTC(OPTIONS);
  rtc.startLocalPreview();
  rtc.startLocalAudio();
  await grantPublish(world);
  rtc.stopLocalPreview();
  await grantPublish(world, 'c');
  assert.equal(world.socket.last('publish').video, false);
  rtc.stopLocalPreview();
  rtc.startLocalPreview();
  await grantPublish(world, 'd');
  rtc.stopLocalAudio();
  await settle();
  assert.deepEqual([world.socket.last('mute').kind, world.socket.last('mute').muted], ['audio', true]);
  await world.socket.grant('mute', { state: 'muted' });
  rtc.stopLocalPreview();
  await settle();
  await world.socket.grant('unpublish');
  await world.pass(0);
  assert.deepEqual([owner.data.pushers, owner.data.camera], [[], false]);
  // What is published next is a new stream, of which the server holds nothing back unless it is told to.
  const told = world.socket.asked.filter((type) => type === 'mute').length;
  rtc.startLocalPreview();
  await grantPublish(world, 'e');
  assert.equal(world.socket.asked.filter((type) => type === 'mute').length, told + 1);
});

test('leaving lets go of everything, and the next channel begins with nothing', async () => {
  const { world, plugin, client, owner } = await inChannel({ participants: [participant(2, [camera])] });
  plugin.createRTC(OPTIONS).startLocalPreview();
  await world.socket.grant('subscribe', play(2));
  await grantPublish(world);
  await world.pass(0);
  assert.equal(owner.data.pushers.length + owner.data.players.length, 2);
  const leaving = client.leaveChannel();
  await settle();
  await world.socket.grant('leave');
  await leaving;
  await world.pass(0);
  const { pushers, players, preview, camera: picture } = owner.data;
  assert.deepEqual({ pushers, players, preview, picture }, { pushers: [], players: [], preview: false, picture: false });
  assert.deepEqual([world.timers, world.socket.closed], [0, true]);
  await client.leaveChannel();
});

test('a lost session comes back by itself, with new addresses on the page', async () => {
  const { world, plugin, owner, news } = await inChannel({ participants: [participant(2, [camera])] });
  plugin.createRTC(OPTIONS).startLocalPreview();
  await world.socket.grant('subscribe', play(2));
  await grantPublish(world);
  await world.socket.grant('mute', { state: 'muted' });
  await world.pass(0);
  const before = owner.data.pushers[0]?.key;
  news();
  await world.socket.drop();
  await world.pass(1_000);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.grant('join', joinReply({ uid: 'me', session: 's2', participants: [participant(2, [camera])] }));
  await world.socket.grant('publish', { stream: 'camera', rtmp: `${PUSH}2` });
  await world.socket.grant('subscribe', play(2, 'z'));
  await world.pass(0);
  assert.deepEqual([owner.data.pushers[0]?.url, owner.data.players[0]?.url], [`${PUSH}2`, play(2, 'z').rtmp]);
  assert.notEqual(owner.data.pushers[0]?.key, before);
  assert.deepEqual(news(), []);
});

test('a pusher that has given up is told as code 501 and is built anew', async () => {
  const { world, plugin, owner, call, news } = await inChannel();
  plugin.createRTC(OPTIONS).startLocalAudio();
  await grantPublish(world);
  await world.pass(0);
  call.pusherState({ detail: { code: -1307 }, currentTarget: { dataset: { stream: 'camera' } } });
  assert.deepEqual(news().map(([name, { code }]) => [name, code]), [['error', 501]]);
  await world.pass(1_000);
  await grantPublish(world, 'c');
  await world.pass(0);
  assert.equal(owner.data.pushers[0]?.url, PUSH.replace('=a', '=c'));
});

test('of two pages on the stack the upper one shows the call, and the lower one when it is gone', async () => {
  const { world, plugin, owner } = await inChannel({ participants: [participant(2, [camera])] });
  await world.socket.grant('subscribe', play(2));
  await world.pass(0);
  const upper = new Owner();
  const call = plugin.bindCall(upper);
  await world.pass(0);
  assert.deepEqual([owner.data.players.length, upper.data.players.length], [0, 1]);
  call.release();
  call.release();
  await world.pass(0);
  assert.equal(owner.data.players.length, 1);
  assert.equal(world.socket.asked.filter((type) => type === 'subscribe').length, 1);
});

test('one\'s own network quality is told in the words of the vendor\'s browser SDK', async () => {
  const { world, plugin, call, news } = await inChannel();
  plugin.createRTC(OPTIONS).startLocalAudio();
  await grantPublish(world);
  news();
  call.pusherState({ detail: { code: 1002 } });
  call.pusherNetStatus({ detail: { info: { audioBitrate: 48, netSpeed: 50 } } });
  assert.deepEqual(news(), [['network-quality', { uplinkNetworkQuality: 1, downlinkNetworkQuality: 0 }]]);
  await world.socket.say({ seq: 1, event: 'network_quality', participants: [{ uid: 2, uplink: 1, downlink: 1 }] });
  assert.deepEqual(news(), []);
});

test('what is refused is told by callback, promise and, for devices, by the event', async () => {
  const { world, plugin, client, news } = await inChannel();
  const failures = [];
  const bad = failure(client.joinChannel({ channelId: '' }, undefined, ({ code }) => failures.push(code)));
  assert.equal((await bad).code, 401);
  const starting = failure(plugin.createRTC(OPTIONS).startLocalPreview());
  await settle();
  await world.socket.refuse('publish', 'not_host');
  assert.equal((await starting).code, 434);
  assert.deepEqual([failures, news()], [[401], [['error', { code: 434, reason: 'not_host' }]]]);
});

test('whoever is removed is told so, and the camera is let go of', async () => {
  const { world, plugin, client, owner, news } = await inChannel();
  plugin.createRTC(OPTIONS).startLocalPreview();
  await grantPublish(world);
  news();
  await world.socket.say({ seq: 1, event: 'session_ended', reason: 'kicked' });
  assert.deepEqual(news(), [['error', { code: 401, reason: 'kicked' }]]);
  assert.deepEqual([owner.data.pushers, owner.data.camera, owner.data.preview], [[], false, false]);
  assert.equal((await failure(client.renewToken('t'))).code, 904);
});

test('joining another channel leaves the first, and of two at once the later wins', async () => {
  const { world, client } = await inChannel();
  const first = failure(client.joinChannel({ channelId: 'r2' }));
  const second = client.joinChannel({ channelId: 'r3' });
  await settle();
  await world.sockets[0]?.grant('leave');
  await world.pass(3_000);
  const rooms = [];
  for (const socket of world.sockets.slice(1)) {
    if (!socket.closed) await socket.open();
    rooms.push(...socket.sent.filter(({ type }) => type === 'join').map(({ room }) => room));
  }
  await world.socket.grant('join', joinReply({ uid: 1 }));
  assert.deepEqual([rooms.at(-1), await second, (await first).code], ['r3', 1, 904]);
});

test('without a server there is nothing to join', async () => {
  modules += 1;
  const { createClient } = await import(`../src/plugin/index.js?${modules}`);
  const client = createClient({ ...OPTIONS, platform: new World().platform });
  assert.match((await failure(client.joinChannel({ channelId: 'r1' }))).message, /init/);
  await client.init('demo');
  assert.equal((await failure(client.joinChannel({ channelId: 'r1' }))).code, 901);
});

test('whatever a page calls, in whatever order, does no harm', async () => {
  for (const reach of [load, inChannel]) {
    const { world, plugin, client, news } = await reach();
    const rtc = plugin.createRTC();
    for (const value of [undefined, null, 0, '', 'x', {}, [], () => {}]) {
      client.init(value, value, value);
      client.joinChannel(value, value, value);
      client.joinChannel({ channelId: value, uid: value, token: value });
      client.renewToken(value);
      client.on('error', value);
      plugin.bindCall(new Owner()).playerState(value);
      for (const name of ['startLocalPreview', 'stopLocalPreview', 'startLocalAudio', 'stopLocalAudio']) rtc[name](value);
      if (value === null || typeof value === 'object') plugin.createRTC(value);
    }
    await world.pass(10);
    rtc.startLocalAudio();
    client.leaveChannel();
    await world.pass(60_000);
    news();
    await world.pass(60_000);
    assert.deepEqual([news(), world.timers], [[], 0]);
    assert.ok(world.sockets.every(({ closed }) => closed));
  }
});
