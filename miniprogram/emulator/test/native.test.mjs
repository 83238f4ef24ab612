import assert from 'node:assert/strict';
import {test} from 'node:test';
import {PLAYER_ATTRIBUTES, PUSHER_ATTRIBUTES, readAttributes} from '../src/native.js';
import {notedPlayers, notedPushers, run, turns} from './lib.mjs';

test('attributes have WeChat\'s defaults, and take strings for numbers and for yes', () => {
  const read = readAttributes(PUSHER_ATTRIBUTES, {
    maxBitrate: '500', autopush: 'true', enableMic: false, enableCamera: undefined, muted: null, fps: 'many',
    aspect: '3:4',
  });
  const {maxBitrate, minBitrate, autopush, enableMic, enableCamera, muted, fps, aspect} = read;
  assert.deepEqual([maxBitrate, minBitrate, fps, aspect], [500, 200, 15, '3:4']);
  assert.deepEqual([autopush, enableMic, enableCamera, muted], [true, false, true, false]);
  const quoted = readAttributes(PUSHER_ATTRIBUTES, {enableMic: 'false'});
  assert.equal(quoted.enableMic, true, 'a string that is not empty is true');
  assert.equal(readAttributes(PLAYER_ATTRIBUTES, {minCache: ' '}).minCache, 1);
});

test('live-pusher and live-player live with their elements, by their names in camel case', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {url: "rtmp://h/a/1", mic: true}})',
    'p.wxml': `<live-pusher wx:if="{{url}}" url="{{url}}" enable-camera max-bitrate="500" enable-mic="{{mic}}"
      waiting-image="a" waiting-image="b"/>`,
  });
  const [pusher] = notedPushers(emulator);
  const {url, enableCamera, maxBitrate, enableMic, waitingImage} = pusher.attributes;
  assert.deepEqual([url, enableCamera, maxBitrate, enableMic, waitingImage], ['rtmp://h/a/1', true, 500, true, 'a']);
  emulator.page.instance.setData({mic: false, url: 'rtmp://h/a/2'});
  emulator.page.instance.setData({mic: false});
  await turns();
  assert.deepEqual(pusher.notes, [['set', {url: 'rtmp://h/a/2', enableMic: false}]]);
  emulator.page.instance.setData({url: ''});
  await turns();
  assert.deepEqual(pusher.notes.slice(1), [['close']]);
  assert.deepEqual(notedPushers(emulator), []);
});

test('a key that changes builds a new player, one that stays keeps it', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {list: [{key: 1, url: "rtmp://h/1"}, {key: 2, url: "rtmp://h/2"}]}})',
    'p.wxml': '<live-player wx:for="{{list}}" wx:key="key" id="p{{item.key}}" src="{{item.url}}"/>',
  });
  const [first, second] = notedPlayers(emulator);
  emulator.page.instance.setData({list: [{key: 2, url: 'rtmp://h/2b'}, {key: 3, url: 'rtmp://h/1'}]});
  await turns();
  assert.deepEqual(first.notes.at(-1), ['close']);
  assert.deepEqual(second.notes, [['set', {src: 'rtmp://h/2b'}]]);
  assert.equal(notedPlayers(emulator).length, 2);
  assert.equal(emulator.find('#p3').media.attributes.src, 'rtmp://h/1');
});

test('status of a component reaches the handler as detail of the event', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': `Page({
      state({type, detail, currentTarget, target}) {
        console.log(type, detail.code, detail.message, currentTarget.id, target.dataset.uid);
      },
      net({detail: {info}}) { console.log(info.videoBitrate, info instanceof Object); },
    })`,
    'p.wxml': '<live-player id="x" data-uid="7" bindstatechange="state" bind:netstatus="net"/>',
  });
  const {media} = emulator.find('live-player');
  media.host.emit('statechange', {code: 2004, message: 'begin'});
  media.host.emit('netstatus', {info: {videoBitrate: 300}});
  assert.deepEqual(lines(), ['statechange 2004 begin x 7', '300 true']);
});

test('contexts find the pusher of the page or the component, and players by id where they are', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.json': '{"usingComponents": {"child": "child/child"}}',
    'p.js': `Page({onReady() {
      wx.createLivePusherContext().start({success: (r) => console.log(r.errMsg)});
      wx.createLivePlayerContext('x').play({fail: (r) => console.log(r.errMsg)});
      const inside = wx.createLivePlayerContext('x', this.selectComponent('#c'));
      inside.snapshot({success: (r) => console.log(r.tempImagePath)});
      wx.createLivePusherContext().pause({fail: (r) => console.log(r.errMsg)});
      wx.createLivePusherContext().pause();
    }})`,
    'p.wxml': '<child id="c"/>',
    'child/child.json': '{"component": true}', 'child/child.js': 'Component({})',
    'child/child.wxml': '<live-pusher/><live-player id="x"/>',
  });
  await turns();
  assert.deepEqual(lines().sort(), [
    'operateLivePlayer:fail live-player is not found', 'operateLivePusher:fail not pushing', 'operateLivePusher:ok',
    'x.jpg',
  ]);
  const methods = notedPushers(emulator)[0].notes.map((note) => note[1]);
  assert.deepEqual(methods, ['start', 'pause', 'pause']);
  assert.deepEqual(emulator.errors, []);
});

test('a context whose component has gone fails quietly', async (t) => {
  const {emulator} = await run(t, {
    'p.js': `Page({data: {on: true}, onReady() { this.context = wx.createLivePusherContext(); },
      stop() { this.setData({on: false}); this.context.stop(); }})`,
    'p.wxml': '<live-pusher wx:if="{{on}}"/><view bindtap="stop"/>',
  });
  emulator.find('view').tap();
  await turns();
  assert.deepEqual(emulator.errors, []);
});

test('a page on top hides the players below; the background comes and goes, with what it costs', async (t) => {
  const {emulator, clock} = await run(t, {
    'a.js': 'Page({})', 'a.wxml': '<live-player/>', 'b.js': 'Page({})', 'b.wxml': '<live-pusher/>',
  });
  const [player] = notedPlayers(emulator);
  await emulator.wx.navigateTo({url: '/b'});
  const [pusher] = notedPushers(emulator);
  emulator.background({loseMedia: true, lossAfterMs: 5000});
  await clock.advance(4999);
  assert.deepEqual(pusher.notes, [['background', true]]);
  await clock.advance(1);
  emulator.foreground();
  await emulator.wx.navigateBack();
  assert.deepEqual(pusher.notes.slice(1), [['lose'], ['background', false], ['close']]);
  assert.deepEqual(player.notes, [
    ['hidden', true], ['background', true], ['lose'], ['background', false], ['hidden', false],
  ]);
});

test('a pusher is not given a camera that the user has refused', async (t) => {
  const {emulator} = await run(t, {'p.js': 'Page({})', 'p.wxml': '<live-pusher/>'}, {deny: ['scope.camera']});
  assert.deepEqual(notedPushers(emulator)[0].host.device.denied, {camera: true, microphone: false});
});

test('files of the package that a component needs are on the disk, addresses are refused', async (t) => {
  const {emulator} = await run(t, {'p.js': 'Page({})', 'p.wxml': '<live-pusher/>', 'img/away.png': 'PNG'});
  const {host} = notedPushers(emulator)[0];
  const file = host.resolveFile('/img/away.png');
  assert.match(file, /away\.png$/);
  assert.throws(() => host.resolveFile('https://host/away.png?x=1'), /no images from the network/);
  assert.throws(() => host.resolveFile('img/none.png'), /img\/none\.png is not in the package/);
});

test('closing the emulator closes media, timers and pages', async (t) => {
  const {emulator, clock, lines} = await run(t, {
    'p.js': `Page({onLoad() { setInterval(() => console.log('tick'), 100); },
      onUnload() { console.log('unload'); }})`,
    'p.wxml': '<live-pusher/>',
  });
  const [pusher] = notedPushers(emulator);
  await clock.advance(100);
  await emulator.close();
  await clock.advance(1000);
  assert.deepEqual(lines(), ['tick', 'unload']);
  assert.deepEqual(pusher.notes.at(-1), ['close']);
  assert.equal(clock.pending, 0);
});
