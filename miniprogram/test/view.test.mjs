import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, World } from '../../web-client/test/core-world.mjs';
import { Client } from '../src/core/client.js';

const PUSH = 'rtmp://h/demo/r1/1?ticket=a';

/** @param {string | number} uid @param {number} [n] @param {string} [stream] */
const play = (uid, n = 1, stream = 'camera') => ({ uid, stream, rtmp: `rtmp://h/demo/r1/${uid}-${stream}?ticket=${n}`, flv: `http://h/${uid}` });

/** @param {object[]} participants @param {object} [options] */
async function bound(participants = [], options = {}) {
  const world = new World();
  const client = new Client({ server: 'https://example.com', platform: world.platform });
  /** What the page shows now, and how often it was written. */
  const page = { data: {}, writes: 0 };
  const view = client.bind({
    setData(data) {
      Object.assign(page.data, data);
      page.writes += 1;
    },
  }, options);
  const joining = client.join({ app: 'demo', room: 'r1', uid: 1 });
  await world.socket.open();
  await world.socket.grant('join', joinReply({ uid: 1, participants }));
  await joining;
  await world.pass(0);
  return { world, client, page, view };
}

/** Grants every subscription that waits. @param {World} world @param {number} [n] */
async function grantAll(world, n = 1) {
  for (const { id, uid, stream } of world.socket.sent.filter(({ type, done }) => type === 'subscribe' && done !== true)) {
    await world.socket.say({ id, ok: play(uid, n, stream) });
  }
  await world.pass(0);
}

const element = (uid, stream = 'camera') => ({ dataset: { uid, stream } });

test('what others publish is subscribed to and becomes players of the page, in one write', async () => {
  const { world, page } = await bound([participant(2, [camera]), participant('web', [camera, { ...camera, stream: 'screen' }])]);
  const before = page.writes;
  await grantAll(world);
  assert.deepEqual(page.data.players.map(({ id, url }) => [id, url]), [
    ['player-2-camera', play(2).rtmp], ['player-web-camera', play('web').rtmp], ['player-web-screen', play('web', 1, 'screen').rtmp],
  ]);
  assert.equal(new Set(page.data.players.map(({ key }) => key)).size, 3, 'a key for every address');
  assert.ok(page.writes - before <= 3);
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 'web', reason: 'left' });
  await world.pass(0);
  assert.deepEqual(page.data.players.map(({ uid }) => uid), [2]);
});

test('no more players than a phone can show: the next comes when one has gone', async () => {
  const { world, page } = await bound([participant(2, [camera]), participant(3, [camera]), participant(4, [camera])], { maxPlayers: 2 });
  await grantAll(world);
  assert.deepEqual(page.data.players.map(({ uid }) => uid), [2, 3]);
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 2, reason: 'left' });
  await world.pass(0);
  await world.socket.grant('subscribe', play(4));
  await world.pass(0);
  assert.deepEqual(page.data.players.map(({ uid }) => uid), [3, 4]);
});

test('a stream that the server does not give is asked for again after a while, not at once', async () => {
  const { world, page } = await bound([participant(2, [camera])]);
  await world.socket.refuse('subscribe', 'too_many_players');
  await world.pass(499);
  assert.equal(world.socket.asked.filter((type) => type === 'subscribe').length, 1);
  await world.pass(1);
  await world.socket.grant('subscribe', play(2));
  await world.pass(0);
  assert.equal(page.data.players.length, 1);
});

test('streams that are not wanted are not received', async () => {
  const { world } = await bound([participant(2, [camera]), participant(3, [camera])], { wanted: (uid) => uid === 3 });
  assert.deepEqual(world.socket.sent.filter(({ type }) => type === 'subscribe').map(({ uid }) => uid), [3]);
});

test('a pusher that has given up is built anew with a new address, and later every time', async () => {
  const { world, client, page, view } = await bound();
  const publishing = client.publish({ video: false });
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  await world.pass(0);
  const keys = [page.data.pushers[0].key];
  for (const waitMs of [500, 2_000]) {
    view.pusherState({ currentTarget: { dataset: { stream: 'camera' } }, detail: { code: -1307 } });
    await world.pass(waitMs - 1);
    const asked = world.socket.asked.length;
    await world.pass(1);
    assert.equal(world.socket.asked.length, asked + 1);
    assert.equal(world.socket.last('publish').video, false);
    await world.socket.grant('publish', { stream: 'camera', rtmp: `${PUSH}${waitMs}` });
    await world.pass(0);
    keys.push(page.data.pushers[0].key);
  }
  assert.equal(new Set(keys).size, 3);
});

test('a pusher that the page has built anew is not built anew once more', async () => {
  const { world, client, view } = await bound();
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  view.pusherState({ detail: { code: -1307 } });
  const again = client.publishAgain();
  await world.socket.grant('publish', { stream: 'camera', rtmp: `${PUSH}2` });
  await again;
  await world.pass(2_000);
  assert.equal(world.socket.asked.filter((type) => type === 'publish').length, 2);
});

test('a pusher that WeChat has stopped in the background is built anew', async () => {
  const { world, client, view } = await bound();
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  view.pusherState({ detail: { code: 5000 } });
  await world.pass(500);
  assert.equal(world.socket.asked.filter((type) => type === 'publish').length, 2);
});

test('a pusher that may not use the camera is not built anew', async () => {
  const { world, client, view } = await bound();
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  view.pusherState({ type: 'error', detail: { errCode: 10001, errMsg: 'refused' } });
  await world.pass(4_000);
  assert.equal(world.socket.asked.filter((type) => type === 'publish').length, 1);
  assert.equal(client.pusher().phase, 'failed');
});

test('a player that has given up is built anew, and its stream keeps its id', async () => {
  const { world, page, view } = await bound([participant(2, [camera])]);
  await grantAll(world);
  const [before] = page.data.players;
  view.playerState({ currentTarget: element(2), detail: { code: -2301 } });
  await world.pass(500);
  await world.socket.grant('subscribe', play(2, 2));
  await world.pass(0);
  const [after] = page.data.players;
  assert.equal(after.id, before.id);
  assert.notEqual(after.key, before.key);
  assert.equal(after.url, play(2, 2).rtmp);
});

test('a page that is gone is not written to, and nothing of its view is left', async () => {
  const { world, client, page, view } = await bound([participant(2, [camera])]);
  await grantAll(world);
  view.playerState({ currentTarget: element(2), detail: { code: -2301 } });
  view.release();
  const { writes } = page;
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 2, reason: 'left' });
  await world.pass(3_000);
  assert.equal(page.writes, writes);
  assert.equal(client.listenerCount, 0);
});

test('the pusher of a page is given what the viewers can take, and what the page wants when they can take all', async () => {
  const { world, client, page } = await bound([], { bitrate: { min: 300, max: 800 } });
  const told = [];
  client.on('publish-limits', (stream, limits) => told.push([stream, limits]));
  const publishing = client.publish();
  await world.socket.grant('publish', { stream: 'camera', rtmp: PUSH });
  await publishing;
  await world.pass(0);
  const bitrates = () => page.data.pushers.map(({ key, minBitrate, maxBitrate }) => ({ key, minBitrate, maxBitrate }));
  const [{ key }] = bitrates();
  assert.deepEqual(bitrates(), [{ key, minBitrate: 300, maxBitrate: 800 }]);
  await world.socket.say({ seq: 1, event: 'publish_limits', stream: 'camera', max_kbps: 420, short_side: 360 });
  await world.pass(0);
  assert.deepEqual(bitrates(), [{ key, minBitrate: 300, maxBitrate: 420 }], 'the same component');
  await world.socket.say({ seq: 2, event: 'publish_limits', stream: 'camera', max_kbps: 200, short_side: 240 });
  await world.pass(0);
  assert.deepEqual(bitrates(), [{ key, minBitrate: 200, maxBitrate: 200 }]);
  await world.socket.say({ seq: 3, event: 'publish_limits', stream: 'camera', max_kbps: null });
  await world.pass(0);
  assert.deepEqual(bitrates(), [{ key, minBitrate: 300, maxBitrate: 800 }]);
  assert.deepEqual(told, [
    ['camera', { maxKbps: 420, shortSide: 360 }], ['camera', { maxKbps: 200, shortSide: 240 }], ['camera', null],
  ]);
});
