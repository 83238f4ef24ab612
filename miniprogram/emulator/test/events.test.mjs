import assert from 'node:assert/strict';
import {test} from 'node:test';
import {run, turns} from './lib.mjs';

test('a tap bubbles with the target\'s and the current target\'s own dataset', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': `Page({see({currentTarget, target, type}) {
      console.log(currentTarget.dataset.name, target.dataset.name, target.dataset.userId, type);
    }})`,
    'p.wxml': `<view data-name="outer" bindtap="see">
      <view bind:tap="see" data-name="inner" data-user-id="{{7}}" id="inner"/>
    </view>`,
  });
  emulator.find('#inner').tap();
  assert.deepEqual(lines(), ['inner inner 7 tap', 'outer inner 7 tap']);
});

test('catch stops a tap, mut-bind keeps other mut-binds from it, capture-bind comes first', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': 'Page({a() { console.log("a"); }, b() { console.log("b"); }, c() { console.log("c"); }})',
    'p.wxml': `<view capture-bind:tap="c" bindtap="a"><view id="x" catchtap="b"/></view>
      <view mut-bind:tap="a"><view mut-bind:tap="b"><view id="y" bindtap="c"/></view></view>`,
  });
  emulator.find('#x').tap();
  assert.deepEqual(lines(), ['c', 'b']);
  emulator.find('#y').tap();
  assert.deepEqual(lines().slice(2), ['c', 'b']);
});

test('a handler that returns false stops nothing', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': 'Page({a() { console.log("a"); return false; }, b() { console.log("b"); }})',
    'p.wxml': '<view bindtap="b"><view id="x" bindtap="a"/></view>',
  });
  emulator.find('#x').tap();
  assert.deepEqual(lines(), ['a', 'b']);
});

test('an event is a plain object that a program can write out', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': 'Page({see(e) { console.log(Object.keys(JSON.parse(JSON.stringify(e))).sort().join()); }})',
    'p.wxml': '<view bindtap="see" mark:row="1"/>',
  });
  emulator.find('view').tap();
  assert.deepEqual(lines(), ['changedTouches,currentTarget,detail,mark,target,timeStamp,touches,type']);
});

test('what is disabled feels no tap', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': 'Page({data: {off: true}, hit() { console.log("hit"); }})',
    'p.wxml': '<button disabled="{{off}}" bindtap="hit"/>',
  });
  emulator.find('button').tap();
  emulator.page.instance.setData({off: false});
  emulator.find('button').tap();
  assert.deepEqual(lines(), ['hit']);
});

test('a form is submitted with the values of its fields', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': `Page({send(e) { console.log(JSON.stringify(e.detail.value)); },
      pick(e) { console.log(e.detail.value); }})`,
    'p.wxml': `<form bindsubmit="send"><input name="room"/><switch name="mic"/>
      <radio-group name="role" bindchange="pick">
        <label><radio value="host"/>host</label><radio value="guest" checked/>
      </radio-group>
      <checkbox-group name="see"><checkbox value="a"/><checkbox value="b"/></checkbox-group>
      <button form-type="submit"/></form>`,
  });
  emulator.find('input').input('r1');
  emulator.find('switch').tap();
  emulator.find('label').tap();
  emulator.find('checkbox[value="b"]').tap();
  emulator.find('button').tap();
  assert.deepEqual(lines(), ['host', '{"room":"r1","mic":true,"role":"host","see":["b"]}']);
});

test('a navigator opens its page, and a button that asks for the user gets an answer', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': 'Page({user(e) { console.log(e.detail.errMsg, typeof e.detail.userInfo.nickName); }})',
    'p.wxml': '<button open-type="getUserInfo" bindgetuserinfo="user"/><navigator url="/q?n=1"/>',
    'q.js': 'Page({})', 'q.wxml': '',
  });
  emulator.find('button').tap();
  await turns();
  assert.deepEqual(lines(), ['getUserInfo:ok string']);
  emulator.find('navigator').tap();
  await turns();
  assert.equal(emulator.page.route, 'q');
  assert.deepEqual(emulator.page.options, {n: '1'});
});

test('an exception in a handler is one of the errors, with page and handler, and the program goes on', async (t) => {
  const {emulator, lines} = await run(t, {
    'app.js': 'App({onError(text) { console.log("app", text.split("\\n")[0]); }})',
    'p.js': `wx.onError((e) => console.log('wx', e.message.split('\\n')[0]));
      Page({bad() { throw new TypeError('no good'); }, good() { console.log('good'); }})`,
    'p.wxml': '<view id="a" bindtap="bad"/><view id="b" bindtap="good"/>',
  });
  emulator.find('#a').tap();
  emulator.find('#b').tap();
  const [{message, where, stack}] = emulator.errors;
  assert.equal(message, 'no good');
  assert.equal(where, 'p bad');
  assert.match(String(stack), /p\.js:2/);
  assert.deepEqual(lines(), ['app TypeError: no good', 'wx TypeError: no good', 'good']);
  assert.equal(emulator.errors.length, 1);
});

test('exceptions of lifetimes, observers, timers and callbacks are told of too', async (t) => {
  const {emulator, clock} = await run(t, {
    'p.json': '{"usingComponents": {"child": "child/child"}}',
    'p.js': `Page({onLoad() { setTimeout(() => { throw new Error('timer'); }, 1000); throw new Error('load'); },
      onReady() { wx.showToast({title: 'x', success() { throw new Error('callback'); }}); }})`,
    'p.wxml': '<child/>',
    'child/child.json': '{"component": true}',
    'child/child.js': `Component({attached() { throw new Error('attached'); },
      observers: {x() { throw new Error('observer'); }}, ready() { this.setData({x: 1}); }})`,
    'child/child.wxml': '',
  });
  await turns();
  await clock.advance(1000);
  const messages = emulator.errors.map(({message}) => message).sort();
  assert.deepEqual(messages, ['attached', 'callback', 'load', 'observer', 'timer']);
});

test('a rejection that nobody handles is one of the errors and reaches the program, not the process', async (t) => {
  /** @type {unknown[]} */
  const seen = [];
  const listener = (/** @type {unknown} */ reason) => seen.push(reason);
  process.on('unhandledRejection', listener);
  t.after(() => process.off('unhandledRejection', listener));
  const {emulator, lines} = await run(t, {
    'app.js': 'App({onUnhandledRejection({reason}) { console.log("app", reason.message ?? reason.errMsg); }})',
    'p.js': `Page({async onLoad() { throw new Error('async'); },
      onReady() { Promise.reject({code: 904}); wx.navigateBack(); }})`,
    'p.wxml': '',
  });
  await turns();
  const refusal = 'navigateBack:fail cannot navigate back at first page.';
  assert.deepEqual(emulator.errors.map(({message, where}) => [where, message]), [
    ['unhandled rejection', 'async'], ['unhandled rejection', '{"code":904}'], ['unhandled rejection', refusal],
  ]);
  assert.deepEqual(lines(), ['app async', 'app undefined', `app ${refusal}`]);
  assert.deepEqual(seen, []);
});

test('what the program rejects after its end troubles nobody', async (t) => {
  /** @type {unknown[]} */
  const seen = [];
  const listener = (/** @type {unknown} */ reason) => seen.push(reason);
  process.on('unhandledRejection', listener);
  t.after(() => process.off('unhandledRejection', listener));
  const {emulator} = await run(t, {
    'p.js': 'Page({onLoad() { this.waiting = new Promise((_, reject) => { this.fail = reject; }); }})', 'p.wxml': '',
  });
  const {instance} = emulator.page;
  await emulator.close();
  instance.fail('too late');
  await turns();
  assert.deepEqual([seen, emulator.errors], [[], []]);
});
