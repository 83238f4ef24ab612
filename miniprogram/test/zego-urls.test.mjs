import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, participant, settle } from '../../web-client/test/core-world.mjs';
import { asked, loggedIn, netStatus, playUrls, pushUrl, stateChange } from './zego-world.mjs';

const BOB = { reply: { participants: [participant('bob', [camera])] } };
const states = (news) => news('publisherStateUpdate', 'playerStateUpdate').map(([, { streamID, state, errorCode }]) => [streamID, state, errorCode]);

test('a page with a pusher of its own gets the address, reports by the id, and nothing is written into the page', async () => {
  const { zg, world, wx, page, news } = await loggedIn();
  const started = zg.startPublishingStream('mine', { sourceType: 'BGP', streamParams: 'a=b', extraInfo: 'x' });
  await settle();
  assert.deepEqual(world.socket.last('publish')['attributes'], { zego_stream_id: 'mine', zego_extra_info: 'x' });
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  assert.deepEqual(await started, { streamID: 'mine', url: pushUrl() });
  zg.updatePlayerState('mine', stateChange('', 1002));
  assert.deepEqual(states(news), [['mine', 'PUBLISH_REQUESTING', 0], ['mine', 'PUBLISHING', 0]]);
  assert.deepEqual([wx.calls, page.data.pusher], [[], {}]);
  assert.equal(zg.stopPublishingStream('mine'), true);
  assert.equal(zg.stopPublishingStream('mine'), false);
  assert.deepEqual(states(news), [['mine', 'NO_PUBLISH', 0]]);
});

test('a user publishes two streams, and a third fails', async () => {
  const { zg, world } = await loggedIn();
  const first = zg.startPublishingStream('one');
  await settle();
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl(1) });
  const second = zg.startPublishingStream('two');
  await settle();
  assert.equal(world.socket.last('publish')['stream'], 'screen');
  await world.socket.grant('publish', { stream: 'screen', rtmp: pushUrl(2) });
  assert.deepEqual([await first, await second].map(({ url }) => url), [pushUrl(1), pushUrl(2)]);
  await assert.rejects(zg.startPublishingStream('three'), { errorCode: 1100001 });
  await assert.rejects(zg.startPublishingStream('one'), { errorCode: 1103056 });
  assert.equal(zg.getNextUrl('one'), pushUrl(1));
  zg.mutePublishStreamVideo(true);
  assert.deepEqual(asked(world, 'mute').map(({ stream, kind, muted }) => [stream, kind, muted]), [['camera', 'video', true], ['screen', 'video', true]]);
});

test('a page with players of its own gets two addresses of one ticket in turn, and a new ticket when the old one may be void', async () => {
  const { zg, world, news } = await loggedIn(BOB);
  const started = zg.startPlayingStream('bob', { sourceType: 'CDN', isMix: true });
  await settle();
  await world.socket.grant('subscribe', playUrls('bob'));
  assert.deepEqual(await started, { streamID: 'bob', url: playUrls('bob').rtmp });
  zg.updatePlayerState('bob', stateChange('bob', 2004));
  zg.updatePlayerState('bob', stateChange('bob', -2301));
  assert.deepEqual(states(news).map(([, state]) => state), ['PLAY_REQUESTING', 'PLAYING', 'PLAY_REQUESTING']);
  assert.deepEqual([1, 2, 3].map(() => zg.getNextUrl('bob')), [playUrls('bob').flv, playUrls('bob').rtmp, playUrls('bob').flv]);
  await world.pass(10_000);
  assert.equal(asked(world, 'subscribe').length, 1, 'a ticket that holds is not replaced under a page that uses it');
  await world.pass(145_000);
  zg.getNextUrl('bob');
  assert.equal(asked(world, 'subscribe').length, 2);
  await world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
  assert.equal(zg.getNextUrl('bob'), playUrls('bob', 'camera', 2).flv);
  zg.stopPlayingStream('bob');
  assert.equal(zg.getNextUrl('bob'), '');
  zg.stopPlayingStream('bob');
});

test('media that flow keep a ticket fresh', async () => {
  const { zg, world } = await loggedIn(BOB);
  zg.startPlayingStream('bob');
  const publishing = zg.startPublishingStream('mine');
  await settle();
  await world.socket.grant('subscribe', playUrls('bob'));
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  await publishing;
  zg.updatePlayerState('bob', stateChange('bob', 2004));
  zg.updatePlayerState('mine', stateChange('', 1002));
  for (let minute = 0; minute < 10; minute += 1) {
    await world.pass(60_000);
    zg.updatePlayerNetStatus('bob', netStatus('bob', { videoBitrate: 1 }));
    zg.updatePlayerNetStatus('mine', netStatus('', { videoBitrate: 1 }));
  }
  zg.getNextUrl('bob');
  zg.getNextUrl('mine');
  assert.equal(asked(world, 'subscribe').length, 1);
  assert.equal(asked(world, 'publish').length, 1);
  await world.pass(151_000);
  zg.getNextUrl('mine');
  assert.equal(asked(world, 'publish').length, 2);
});

test('a stream whose owner leaves while it is asked for is waited for', async () => {
  const { zg, world } = await loggedIn(BOB);
  const started = zg.startPlayingStream('bob');
  await settle();
  await world.socket.say({ seq: 1, event: 'participant_left', uid: 'bob', reason: 'left' });
  await world.socket.refuse('subscribe', 'no_such_participant');
  const failed = assert.rejects(started, { errorCode: 1104039 });
  await world.pass(300_000);
  await failed;
});

test('what the server has no room for is asked for again', async () => {
  const { zg, world, news } = await loggedIn(BOB);
  const started = zg.startPlayingStream('bob');
  await settle();
  await world.socket.refuse('subscribe', 'too_many_players');
  await world.pass(300);
  await world.socket.grant('subscribe', playUrls('bob'));
  assert.equal((await started).url, playUrls('bob').rtmp);
  assert.deepEqual(states(news), [['bob', 'PLAY_REQUESTING', 0]]);
});

test('ids that cannot be are refused, but those that browsers have are played', async () => {
  const { zg } = await loggedIn();
  for (const id of /** @type {any[]} */ ([undefined, '', 7, 'rtmp://x/y'])) {
    await assert.rejects(zg.startPlayingStream(id));
    await assert.rejects(zg.startPublishingStream(id));
    assert.equal(zg.getNextUrl(id), '');
  }
  const { zg: other, world } = await loggedIn({ reply: { participants: [participant('浏览器', [camera])] } });
  other.startPlayingStream('浏览器');
  await settle();
  assert.equal(world.socket.last('subscribe')['uid'], '浏览器');
});

test('in several rooms, a stream is published in the one that is named', async () => {
  const { zg } = await loggedIn();
  await assert.rejects(zg.startPublishingStream('mine', { roomID: 'elsewhere' }), { errorCode: 1000002 });
});
