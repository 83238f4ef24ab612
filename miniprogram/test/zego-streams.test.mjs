import assert from 'node:assert/strict';
import test from 'node:test';
import { camera, joinReply, participant, settle, without } from '../../web-client/test/core-world.mjs';
import { asked, FakePage, loggedIn, makeEngine, netStatus, playing, playUrls, pushing, pushUrl, ROOM, stateChange, zegoStream } from './zego-world.mjs';

const BOB = { reply: { participants: [participant('bob', [camera])] } };
const states = (news) => news('publisherStateUpdate', 'playerStateUpdate').map(([, { streamID, state, errorCode }]) => [streamID, state, errorCode]);

test('before initContext there is no pusher and no player, and a wxContext that is no page is none', () => {
  const { zg } = makeEngine();
  for (const wxContext of [undefined, null, {}, 7]) zg.initContext({ wxContext, pushAtr: 'pusher', playAtr: 'playerList' });
  zg.initContext();
  assert.equal(zg.createPusher(), null);
  assert.equal(zg.getPusherInstance(), null);
  assert.equal(zg.getPlayerInstance('s'), null);
  zg.setPusherAttributes({ mode: 'RTC' });
  zg.setPlayerAttributes('s', { mode: 'RTC' });
  assert.deepEqual(zg.getPlayerList(), []);
});

test('the pusher is one, has camera and microphone on, and keeps what the page has set of its own', async () => {
  const { zg } = makeEngine();
  const page = new FakePage({ pusher: { mode: 'HD', waitingImage: '/wait.png' } });
  zg.initContext({ wxContext: page, pushAtr: 'pusher', playAtr: 'playerList' });
  const pusher = zg.createPusher({ maxBitrate: 500 });
  assert.deepEqual(page.data.pusher, { enableCamera: true, enableMic: true, mode: 'HD', waitingImage: '/wait.png', maxBitrate: 500, url: '' });
  assert.equal(zg.createPusher({ minBitrate: 100 }), pusher);
  assert.equal(zg.getPusherInstance(), pusher);
  zg.setPusherAttributes(/** @type {any} */ ({ beautyLevel: 5, url: 'rtmp://elsewhere/x', mode: undefined }));
  assert.deepEqual(page.data.pusher, {
    enableCamera: true, enableMic: true, mode: 'HD', waitingImage: '/wait.png', maxBitrate: 500, minBitrate: 100, beautyLevel: 5, url: '',
  });
});

test('pushing carries the stream id, the name and the extra info, and starts the component with its address in the page', async () => {
  const { zg, world, wx, page, news } = await loggedIn({ user: { userID: 'alice', userName: 'Alice' } });
  const pusher = zg.createPusher();
  const started = pusher.start('mine/'.slice(0, 4), { extraInfo: 'hello' });
  await settle();
  assert.deepEqual(without(world.socket.last('publish'), 'id', 'type'), {
    stream: 'camera', audio: true, video: true,
    attributes: { zego_stream_id: 'mine', zego_user_name: 'Alice', zego_extra_info: 'hello' },
  });
  assert.deepEqual(wx.calls, []);
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  assert.equal(await started, true);
  assert.equal(page.data.pusher.url, pushUrl());
  assert.deepEqual(wx.calls, ['pusher.start']);
  assert.deepEqual(states(news), [['mine', 'PUBLISH_REQUESTING', 0]]);
});

test('the state of a stream that is pushed follows the component, whatever id the page gives', async () => {
  for (const id of ['mine', undefined, null, '']) {
    const scene = await loggedIn();
    await pushing(scene);
    states(scene.news);
    const report = (code) => scene.zg.updatePlayerState(/** @type {any} */ (id), stateChange('', code));
    report(1002);
    report(3002);
    report(1002);
    assert.deepEqual(states(scene.news).map(([, state]) => state), ['PUBLISHING', 'PUBLISH_REQUESTING', 'PUBLISHING']);
  }
});

test('without the code that says so, a stream is pushed once figures show it', async () => {
  const scene = await loggedIn();
  await pushing(scene);
  states(scene.news);
  scene.zg.updatePlayerNetStatus(/** @type {any} */ (undefined), netStatus('', { videoBitrate: 300, netSpeed: 300 }));
  assert.deepEqual(states(scene.news), [['mine', 'PUBLISHING', 0]]);
});

test('a pusher that has given up is given a new address, ever later, for five minutes', async () => {
  const scene = await loggedIn();
  const { zg, world, wx, page, news } = scene;
  await pushing(scene);
  zg.updatePlayerState('mine', stateChange('', 1002));
  states(news);
  const delays = [];
  for (let n = 2; n <= 7; n += 1) {
    const before = world.now;
    zg.updatePlayerState('mine', stateChange('', -1307));
    const known = asked(world, 'publish').length;
    while (asked(world, 'publish').length === known) await world.pass(100);
    delays.push(world.now - before);
    await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl(n) });
    await settle();
    assert.equal(page.data.pusher.url, pushUrl(n));
    assert.deepEqual(wx.calls.splice(0), ['pusher.stop', 'pusher.start']);
  }
  assert.deepEqual(delays, [300, 600, 1200, 2400, 4800, 4800]);
  assert.equal(world.socket.last('publish')['attributes']['zego_stream_id'], 'mine');
  assert.deepEqual(states(news), [['mine', 'PUBLISH_REQUESTING', 0]]);
  await world.pass(300_000);
  zg.updatePlayerState('mine', stateChange('', -1307));
  assert.deepEqual(states(news), [['mine', 'NO_PUBLISH', 1103051]]);
  assert.equal(world.socket.last('unpublish')['stream'], 'camera');
  assert.equal(page.data.pusher.url, '');
});

test('a camera or microphone that cannot be opened ends the stream', async () => {
  const scene = await loggedIn();
  await pushing(scene);
  states(scene.news);
  scene.zg.updatePlayerState('mine', stateChange('', -1301));
  assert.deepEqual(states(scene.news), [['mine', 'NO_PUBLISH', -1301]]);
  assert.equal(scene.page.data.pusher.url, '');
  const again = scene.zg.getPusherInstance().start('mine');
  await settle();
  await scene.world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl(2) });
  assert.equal(await again, true);
});

test('stopping the pusher ends the stream and takes its address out of the page', async () => {
  const scene = await loggedIn();
  const { world, wx, page, news } = scene;
  const pusher = await pushing(scene);
  news();
  pusher.stop();
  assert.deepEqual(wx.calls, ['pusher.stop']);
  assert.equal(page.data.pusher.url, '');
  assert.equal(world.socket.last('unpublish')['stream'], 'camera');
  assert.deepEqual(states(news), [['mine', 'NO_PUBLISH', 0]]);
  pusher.stop();
  assert.deepEqual(states(news), []);
});

test('stopping while the server is asked cancels, and leaves nothing published', async () => {
  const { zg, world, page, news } = await loggedIn();
  const pusher = zg.createPusher();
  const started = pusher.start('mine');
  await settle();
  pusher.stop();
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  await assert.rejects(started, { errorCode: 1103089 });
  assert.ok(asked(world, 'unpublish').length > 0);
  assert.deepEqual(states(news), [['mine', 'PUBLISH_REQUESTING', 0], ['mine', 'NO_PUBLISH', 0]]);
  assert.equal(page.data.pusher.url, '');
});

test('a pusher is started once', async () => {
  const scene = await loggedIn();
  const pusher = await pushing(scene);
  await assert.rejects(pusher.start('mine'), { errorCode: 1103056 });
  await assert.rejects(pusher.start('other'), { errorCode: 1103056 });
  assert.equal(asked(scene.world, 'publish').length, 1);
});

test('the second publisher of a stream id fails, whether the first is known before or found out about meanwhile', async () => {
  const known = await loggedIn({ reply: { participants: [participant('bob', [zegoStream({ zego_stream_id: 'S' })])] } });
  states(known.news);
  await assert.rejects(known.zg.createPusher().start('S'), { errorCode: 1103056 });
  assert.deepEqual(states(known.news), [['S', 'NO_PUBLISH', 1103056]]);
  assert.deepEqual(asked(known.world, 'publish'), []);

  const late = await loggedIn({ reply: { participants: [participant('bob')] } });
  const started = late.zg.createPusher().start('S');
  await settle();
  await late.world.socket.say({ seq: 1, event: 'stream_published', uid: 'bob', stream: 'camera', audio: 'live', video: 'live', attributes: { zego_stream_id: 'S' } });
  await late.world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  await assert.rejects(started, { errorCode: 1103056 });
  assert.ok(asked(late.world, 'unpublish').length > 0);
  assert.equal(late.page.data.pusher.url, '');
});

test('the first publisher of a stream id keeps it, and does not hear of the second', async () => {
  const scene = await loggedIn({ reply: { participants: [participant('bob')] } });
  const pusher = await pushing(scene, 'S');
  scene.news();
  const stream = { uid: 'bob', stream: 'camera', audio: 'live', video: 'live', attributes: { zego_stream_id: 'S' } };
  await scene.world.socket.say({ seq: 1, event: 'stream_published', ...stream });
  assert.deepEqual(scene.news('roomStreamUpdate', 'publisherStateUpdate'), []);
  pusher.stop();
  await settle();
  assert.deepEqual(scene.news('roomStreamUpdate').map(([, , type, [{ streamID }]]) => [type, streamID]), [['ADD', 'S']]);
});

test('stream ids are checked: empty, too long, characters', async () => {
  const { zg, news } = await loggedIn();
  const pusher = zg.createPusher();
  for (const [id, code] of /** @type {[any, number][]} */ ([
    ['', 1000015], [undefined, 1000015], ['x'.repeat(257), 1000014], ['http://x', 1000016], ['a?b', 1000016], ['流', 1000016], ['a b', 1000016],
  ])) {
    news();
    await assert.rejects(pusher.start(id), { errorCode: code });
    assert.deepEqual(states(news), [[id, 'NO_PUBLISH', code]]);
  }
  const odd = `~!@#$%^&*()_+=-\`;',.<>\\`;
  const started = pusher.start(odd);
  await settle();
  pusher.stop();
  await assert.rejects(started, { errorCode: 1103089 });
});

test('without a room nothing is published or played', async () => {
  const { zg, news } = makeEngine();
  zg.initContext({ wxContext: new FakePage(), pushAtr: 'pusher', playAtr: 'playerList' });
  await assert.rejects(zg.createPusher().start('mine'), { errorCode: 1000002 });
  await assert.rejects(zg.getPlayerInstance('S').play(), { errorCode: 1000002 });
  assert.deepEqual(states(news), [['mine', 'NO_PUBLISH', 1000002], ['S', 'NO_PLAY', 1000002]]);
});

test('a token that lets nobody publish is told so', async () => {
  const { zg, world, news } = await loggedIn({ reply: { role: 'audience' } });
  const started = zg.createPusher().start('mine');
  await settle();
  await world.socket.refuse('publish', 'not_host');
  await assert.rejects(started, { errorCode: 1002082 });
  assert.deepEqual(states(news).at(-1), ['mine', 'NO_PUBLISH', 1002082]);
});

test('a component that is not ready yet is started again, and one that never is ends the stream', async () => {
  const ready = await loggedIn();
  ready.wx.failures['pusher.start'] = 2;
  const started = ready.zg.createPusher().start('mine');
  await settle();
  await ready.world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  await ready.world.pass(1000);
  assert.equal(await started, true);
  assert.equal(ready.wx.calls.length, 3);

  const never = await loggedIn();
  never.wx.failures['pusher.start'] = 99;
  const failing = assert.rejects(never.zg.createPusher().start('mine'), { errorCode: 1100001 });
  await settle();
  await never.world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  await never.world.pass(2000);
  await failing;
  assert.deepEqual(states(never.news).at(-1), ['mine', 'NO_PUBLISH', 1100001]);
});

test('a component that starts by itself need not be started', async () => {
  const { zg, wx, world } = await loggedIn();
  wx.failures['pusher.start'] = 99;
  const started = zg.createPusher().start('mine');
  await settle();
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  zg.updatePlayerState('mine', stateChange('', 1002));
  await world.pass(300);
  assert.equal(await started, true);
});

test('camera and microphone go off in the page and at the server, before and while pushing', async () => {
  const { zg, world, page } = await loggedIn();
  zg.createPusher();
  zg.mutePublishStreamAudio(true);
  const started = zg.getPusherInstance().start('mine');
  await settle();
  assert.deepEqual(asked(world, 'mute').map(({ kind, muted }) => [kind, muted]), [['audio', true]]);
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  await started;
  zg.mutePublishStreamVideo(true);
  assert.equal(page.data.pusher.enableCamera, false);
  zg.mutePublishStreamAudio(false);
  assert.equal(page.data.pusher.enableMic, true);
  assert.deepEqual(asked(world, 'mute').map(({ kind, muted }) => [kind, muted]), [['audio', true], ['video', true], ['audio', false]]);
});

test('the methods of the components reach their contexts, by callbacks and promises alike', async () => {
  const scene = await loggedIn(BOB);
  const pusher = await pushing(scene);
  const player = await playing(scene, 'bob', 'bob');
  const pushMethods = [
    'pause', 'resume', 'startPreview', 'stopPreview', 'switchCamera', 'snapshot', 'toggleTorch', 'playBGM', 'pauseBGM', 'resumeBGM',
    'stopBGM', 'setBGMVolume', 'setMICVolume',
  ];
  scene.wx.calls.length = 0;
  for (const method of pushMethods) await pusher[method]({});
  assert.deepEqual(scene.wx.calls.splice(0), pushMethods.map((method) => `pusher.${method}`));
  const playMethods = ['pause', 'resume', 'mute', 'requestFullScreen', 'exitFullScreen', 'requestPictureInPicture', 'exitPictureInPicture', 'snapshot'];
  for (const method of playMethods) await player[method]();
  assert.deepEqual(scene.wx.calls, playMethods.map((method) => `player[bob].${method}`));
  scene.wx.failures['pusher.snapshot'] = 1;
  const fail = await new Promise((resolve) => pusher.snapshot({ fail: resolve }));
  assert.equal(fail.errorCode, 1100001);
  assert.match(await new Promise((resolve) => pusher.snapshot({ success: ({ errMsg }) => resolve(errMsg) })), /ok/);
});

test('a player is put into the page\'s list at once, with the stream id as its element\'s', async () => {
  const { zg, page, wx } = await loggedIn(BOB);
  const player = zg.getPlayerInstance('bob');
  assert.deepEqual(page.data.playerList, [{ id: 'bob', streamID: 'bob', url: '' }]);
  assert.equal(zg.getPlayerInstance('bob'), player);
  assert.deepEqual(zg.getPlayerList(), [{ id: 'bob', streamID: 'bob', url: '' }]);
  assert.deepEqual(zg.getPlayerList('carol'), []);
  assert.deepEqual(wx.calls, []);
});

test('playing in the event that tells of the stream starts the component by its context, and stopping takes it away', async () => {
  const { zg, world, wx, page, news } = await loggedIn({ reply: { participants: [participant('bob')] } });
  zg.on('roomStreamUpdate', (_room, type, list) => {
    for (const { streamID } of list) {
      if (type === 'ADD') zg.getPlayerInstance(streamID).play();
      else zg.getPlayerInstance(streamID).stop();
    }
  });
  await world.socket.say({ seq: 1, event: 'stream_published', uid: 'bob', stream: 'camera', audio: 'live', video: 'live' });
  await world.socket.grant('subscribe', playUrls('bob'));
  assert.deepEqual(page.data.playerList, [{ id: 'bob', streamID: 'bob', url: playUrls('bob').rtmp }]);
  assert.deepEqual(wx.calls, ['player[bob].play']);
  assert.equal(wx.contexts[0]?.component, page);
  zg.updatePlayerState('bob', stateChange('bob', 2004));
  await world.socket.say({ seq: 2, event: 'stream_unpublished', uid: 'bob', stream: 'camera' });
  assert.deepEqual(page.data.playerList, []);
  assert.deepEqual(states(news), [
    ['bob', 'PLAY_REQUESTING', 0], ['bob', 'PLAYING', 0], ['bob', 'PLAY_REQUESTING', 0], ['bob', 'NO_PLAY', 0],
  ]);
  assert.deepEqual(asked(world, 'unsubscribe'), [], 'a subscription ends with its stream');
});

test('a player\'s element may be in a component of its own', async () => {
  const scene = await loggedIn(BOB);
  const component = new FakePage();
  const played = scene.zg.getPlayerInstance('bob', component).play();
  await settle();
  await scene.world.socket.grant('subscribe', playUrls('bob'));
  await played;
  assert.equal(scene.wx.contexts[0]?.component, component);
});

test('a screen is played by the id of its own', async () => {
  const scene = await loggedIn({ reply: { participants: [participant(7, [camera, { ...camera, stream: 'screen' }])] } });
  const played = scene.zg.getPlayerInstance('7_screen').play();
  await settle();
  assert.deepEqual(without(scene.world.socket.last('subscribe'), 'id', 'type'), { uid: 7, stream: 'screen', audio: true, video: true });
  await scene.world.socket.grant('subscribe', { ...playUrls('7', 'screen'), uid: 7 });
  assert.equal(await played, true);
});

test('a stream that is not there yet is waited for, five minutes at most', async () => {
  const { zg, world, page, news } = await loggedIn({ reply: { participants: [participant('bob')] } });
  const played = zg.getPlayerInstance('later').play();
  const failed = assert.rejects(zg.getPlayerInstance('never').play(), { errorCode: 1104039 });
  await settle();
  assert.deepEqual(asked(world, 'subscribe'), []);
  await world.socket.say({ seq: 1, event: 'stream_published', uid: 'bob', stream: 'camera', audio: 'live', video: 'live', attributes: { zego_stream_id: 'later' } });
  await world.socket.grant('subscribe', playUrls('bob'));
  assert.equal(await played, true);
  states(news);
  await world.pass(300_000);
  await failed;
  assert.deepEqual(states(news), [['never', 'NO_PLAY', 1104039]]);
  assert.deepEqual(page.data.playerList.map(({ id }) => id), ['later', 'never']);
});

test('a stream that goes and comes again is played again if the page has not stopped it', async () => {
  const scene = await loggedIn(BOB);
  await playing(scene, 'bob', 'bob');
  await scene.world.socket.say({ seq: 1, event: 'stream_unpublished', uid: 'bob', stream: 'camera' });
  assert.equal(scene.page.data.playerList[0].url, '');
  await scene.world.socket.say({ seq: 2, event: 'stream_published', uid: 'bob', stream: 'camera', audio: 'live', video: 'live' });
  await scene.world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
  assert.equal(scene.page.data.playerList[0].url, playUrls('bob', 'camera', 2).rtmp);
});

test('a player that has given up, or cannot decode, is given a new address', async () => {
  for (const code of [-2301, 2101, 2102]) {
    const scene = await loggedIn(BOB);
    const { zg, world, wx, page, news } = scene;
    await playing(scene, 'bob', 'bob');
    zg.updatePlayerState('bob', stateChange('bob', 2004));
    states(news);
    zg.updatePlayerState('bob', stateChange('bob', code));
    assert.deepEqual(states(news), [['bob', 'PLAY_REQUESTING', 0]]);
    await world.pass(300);
    assert.equal(asked(world, 'subscribe').length, 2);
    await world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
    assert.deepEqual(wx.calls, ['player[bob].stop', 'player[bob].play']);
    assert.equal(page.data.playerList[0].url, playUrls('bob', 'camera', 2).rtmp);
    zg.updatePlayerState('bob', stateChange('bob', 2004));
    assert.deepEqual(states(news), [['bob', 'PLAYING', 0]]);
  }
});

test('a player that fails for five minutes is given up', async () => {
  const scene = await loggedIn(BOB);
  await playing(scene, 'bob', 'bob');
  states(scene.news);
  scene.zg.updatePlayerState('bob', stateChange('bob', -2301));
  await scene.world.pass(300);
  await scene.world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
  await scene.world.pass(300_000);
  scene.zg.updatePlayerState('bob', stateChange('bob', -2301));
  assert.deepEqual(states(scene.news), [['bob', 'NO_PLAY', 1104031]]);
  assert.ok(asked(scene.world, 'unsubscribe').length > 0);
});

test('events whose id is missing go where their element says', async () => {
  const scene = await loggedIn(BOB);
  await pushing(scene);
  await playing(scene, 'bob', 'bob');
  states(scene.news);
  for (const id of /** @type {any[]} */ ([undefined, 'nobody'])) scene.zg.updatePlayerState(id, stateChange('bob', 2103));
  scene.zg.updatePlayerState(/** @type {any} */ (undefined), stateChange('pusher', 1002));
  scene.zg.updatePlayerState('nobody', stateChange('', 3004));
  scene.zg.updatePlayerState(/** @type {any} */ (undefined), null);
  assert.deepEqual(states(scene.news), [['mine', 'PUBLISHING', 0]]);
});

test('a player is played once, and its own stream nobody plays', async () => {
  const scene = await loggedIn(BOB);
  await pushing(scene);
  const player = await playing(scene, 'bob', 'bob');
  await assert.rejects(player.play(), { errorCode: 1104032 });
  await assert.rejects(scene.zg.startPlayingStream('bob'), { errorCode: 1104032 });
  await assert.rejects(scene.zg.getPlayerInstance('mine').play(), { errorCode: 1104039 });
});

test('stopping a player while the server is asked cancels it', async () => {
  const { zg, world, page } = await loggedIn(BOB);
  const player = zg.getPlayerInstance('bob');
  const played = player.play();
  await settle();
  player.stop();
  await assert.rejects(played, { errorCode: 1104042 });
  await world.socket.grant('subscribe', playUrls('bob'));
  assert.deepEqual(page.data.playerList, []);
  assert.ok(asked(world, 'unsubscribe').length > 0);
  player.stop();
  const again = player.play();
  await settle();
  assert.deepEqual(page.data.playerList.map(({ id }) => id), ['bob']);
  await world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
  assert.equal(await again, true);
});

test('sound or pictures that are not wanted are not sent, and neither plays nothing', async () => {
  const scene = await loggedIn(BOB);
  const { zg, world, page, wx } = scene;
  await playing(scene, 'bob', 'bob');
  zg.mutePlayStreamVideo('bob', true);
  assert.equal(page.data.playerList[0].muteVideo, true);
  assert.deepEqual(without(world.socket.last('subscribe'), 'id', 'type'), { uid: 'bob', stream: 'camera', audio: true, video: false });
  await world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
  assert.deepEqual(wx.calls.splice(0), ['player[bob].stop', 'player[bob].play']);
  zg.mutePlayStreamAudio('bob', true);
  assert.equal(asked(world, 'unsubscribe').length, 1);
  assert.equal(page.data.playerList[0].url, '');
  zg.mutePlayStreamVideo('bob', false);
  assert.deepEqual(without(world.socket.last('subscribe'), 'id', 'type'), { uid: 'bob', stream: 'camera', audio: false, video: true });
  zg.mutePlayStreamVideo('bob', false);
  assert.equal(asked(world, 'subscribe').length, 3);
});

test('attributes of a player are merged into the list, but for those that are the SDK\'s', async () => {
  const { zg, page } = await loggedIn(BOB);
  zg.getPlayerInstance('bob');
  zg.setPlayerAttributes('bob', { objectFit: 'fillCrop', url: 'rtmp://x', id: 'y' });
  assert.deepEqual(page.data.playerList, [{ id: 'bob', streamID: 'bob', url: '', objectFit: 'fillCrop' }]);
});

test('a new session writes new addresses into the page and starts the components anew', async () => {
  const scene = await loggedIn(BOB);
  const { world, wx, page, news } = scene;
  await pushing(scene);
  await playing(scene, 'bob', 'bob');
  scene.zg.updatePlayerState('mine', stateChange('', 1002));
  scene.zg.updatePlayerState('bob', stateChange('bob', 2004));
  news();
  await world.socket.drop();
  await world.pass(1000);
  await world.socket.open();
  await world.socket.refuse('resume', 'resume_impossible');
  await world.socket.grant('join', joinReply({ uid: 'alice', session: 's2', participants: [participant('bob', [camera])] }));
  assert.equal(world.socket.last('publish')['attributes']['zego_stream_id'], 'mine');
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl(2) });
  await world.socket.grant('subscribe', playUrls('bob', 'camera', 2));
  assert.equal(page.data.pusher.url, pushUrl(2));
  assert.equal(page.data.playerList[0].url, playUrls('bob', 'camera', 2).rtmp);
  assert.deepEqual(wx.calls, ['pusher.stop', 'pusher.start', 'player[bob].stop', 'player[bob].play']);
  assert.deepEqual(states(news), [['mine', 'PUBLISH_REQUESTING', 0], ['bob', 'PLAY_REQUESTING', 0]]);
});

test('the end of a room ends what is published and played in it, and empties the page', async () => {
  for (const end of [
    ({ zg }) => zg.logoutRoom(ROOM),
    ({ world }) => world.socket.say({ seq: 1, event: 'session_ended', reason: 'kicked' }),
  ]) {
    const scene = await loggedIn(BOB);
    await pushing(scene);
    await playing(scene, 'bob', 'bob');
    scene.zg.getPlayerInstance('later').play();
    states(scene.news);
    await end(scene);
    const told = states(scene.news);
    assert.deepEqual(told.map(([id, state]) => [id, state]), [['mine', 'NO_PUBLISH'], ['bob', 'NO_PLAY'], ['later', 'NO_PLAY']]);
    assert.ok(told.every(([, , code]) => code === told[0]?.[2]));
    assert.equal(scene.page.data.pusher.url, '');
    assert.deepEqual(scene.page.data.playerList, []);
    if (!scene.world.socket.closed) await scene.world.socket.grant('leave');
    assert.equal(scene.world.timers, 0);
  }
});

test('a stream that waits for an id does not come back with the end of the room', async () => {
  const scene = await loggedIn({ reply: { participants: [participant('bob')] } });
  await pushing(scene, 'S');
  const stream = { uid: 'bob', stream: 'camera', audio: 'live', video: 'live', attributes: { zego_stream_id: 'S' } };
  await scene.world.socket.say({ seq: 1, event: 'stream_published', ...stream });
  await scene.world.socket.say({ seq: 2, event: 'session_ended', reason: 'kicked' });
  assert.deepEqual(scene.news('roomStreamUpdate'), []);
  assert.deepEqual(asked(scene.world, 'subscribe'), []);
});

test('null in place of what is optional is nothing', async () => {
  const { zg, world } = await loggedIn();
  zg.initContext(/** @type {any} */ (null));
  const pusher = zg.createPusher(/** @type {any} */ (null));
  zg.setPusherAttributes(/** @type {any} */ (null));
  const started = pusher.start('mine', /** @type {any} */ (null));
  await settle();
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  assert.equal(await started, true);
});

test('a stream that the server ends is told as such', async () => {
  const scene = await loggedIn();
  await pushing(scene);
  states(scene.news);
  await scene.world.socket.say({ seq: 1, event: 'role_changed', uid: 'alice', role: 'audience' });
  assert.deepEqual(states(scene.news), [['mine', 'NO_PUBLISH', 1002082]]);
});

test('another page takes over, and what the first one showed is over', async () => {
  const scene = await loggedIn(BOB);
  await pushing(scene);
  await playing(scene, 'bob', 'bob');
  scene.zg.initContext({ wxContext: scene.page, pushAtr: 'pusher', playAtr: 'playerList' });
  assert.equal(scene.page.data.playerList.length, 1, 'the same page again changes nothing');
  states(scene.news);
  const second = new FakePage({ push: {}, list: [] });
  scene.zg.initContext({ wxContext: second, pushAtr: 'push', playAtr: 'list' });
  assert.deepEqual(states(scene.news).map(([, state]) => state), ['NO_PUBLISH', 'NO_PLAY']);
  assert.equal(scene.zg.getPusherInstance(), null);
  scene.zg.createPusher();
  assert.equal(second.data.push.enableCamera, true);
});

test('the quality is told every three seconds while media flow, as far as the components measure it', async () => {
  const scene = await loggedIn(BOB);
  await pushing(scene);
  await playing(scene, 'bob', 'bob');
  scene.zg.updatePlayerNetStatus('mine', netStatus('', { videoBitrate: 0 }));
  scene.zg.updatePlayerState('mine', stateChange('', 1002));
  scene.zg.updatePlayerState('bob', stateChange('bob', 2004));
  scene.zg.updateAudioVolumeNotify('bob', { detail: { volume: 30 } });
  scene.zg.updateAudioVolumeNotify('bob', { detail: { volume: 'loud' } });
  scene.news();
  const info = { videoBitrate: 400, audioBitrate: 48, videoFPS: 15, videoWidth: 368, videoHeight: 640, netSpeed: 450 };
  for (let second = 0; second < 6; second += 1) {
    scene.zg.updatePlayerNetStatus('mine', netStatus('', info));
    scene.zg.updatePlayerNetStatus('bob', netStatus('bob', info));
    await scene.world.pass(1000);
  }
  const video = { videoBitrate: 400, videoFPS: 15, frameWidth: 368, frameHeight: 640 };
  const published = ['publishQualityUpdate', 'mine', { video, audio: { audioBitrate: 48 } }];
  const played = ['playQualityUpdate', 'bob', { video, audio: { audioBitrate: 48, audioLevel: 30 } }];
  assert.deepEqual(scene.news('publishQualityUpdate', 'playQualityUpdate'), [published, played, published, played]);
});

test('whatever a page passes on is survived', async () => {
  const scene = await loggedIn(BOB);
  await pushing(scene);
  for (const rubbish of [undefined, null, 7, 'x', {}, { detail: null }, { currentTarget: 3 }, { detail: { code: 'x', info: [] } }]) {
    for (const id of /** @type {any[]} */ ([undefined, 'mine', 'bob', {}])) {
      scene.zg.updatePlayerState(id, rubbish);
      scene.zg.updatePlayerNetStatus(id, rubbish);
      scene.zg.updateAudioVolumeNotify(id, rubbish);
    }
  }
});

test('the rate of the SDK\'s pusher follows what the others can take, within what the page wants', async () => {
  const scene = await loggedIn(BOB);
  await pushing(scene);
  scene.zg.setPusherAttributes({ maxBitrate: 800 });
  const rates = () => [scene.page.data.pusher.minBitrate, scene.page.data.pusher.maxBitrate];
  await scene.world.socket.say({ seq: 1, event: 'publish_limits', stream: 'camera', max_kbps: 150 });
  assert.deepEqual(rates(), [150, 150]);
  scene.zg.setPusherAttributes({ minBitrate: 300, maxBitrate: 600 });
  assert.deepEqual(rates(), [150, 150]);
  await scene.world.socket.say({ seq: 2, event: 'publish_limits', stream: 'camera', max_kbps: null });
  assert.deepEqual(rates(), [300, 600]);
});
