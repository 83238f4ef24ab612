import assert from 'node:assert/strict';
import {test} from 'node:test';
import {run, turns} from './lib.mjs';

const PAGE = {'p.js': 'Page({})', 'p.wxml': ''};

test('a function answers callbacks, success before complete, and later than the call', async (t) => {
  const {lines} = await run(t, {
    'p.js': `Page({onLoad() {
      const say = (what) => (r) => console.log(what, r.errMsg);
      const returned = wx.setStorage({key: 'a', data: 1, success: say('success'), complete: say('complete')});
      wx.getStorage({key: 'none', fail: say('fail')});
      console.log('called', returned);
    }})`,
    'p.wxml': '',
  });
  assert.deepEqual(lines(), [
    'called undefined', 'success setStorage:ok', 'complete setStorage:ok', 'fail getStorage:fail data not found',
  ]);
});

test('without callbacks there is a promise of the program\'s own realm', async (t) => {
  const {lines} = await run(t, {
    'p.js': `Page({async onLoad() {
      const promise = wx.getNetworkType();
      console.log(promise instanceof Promise, (await promise).networkType);
      try { await wx.getStorage({key: 'none'}); } catch (e) { console.log(e.errMsg, e instanceof Object); }
    }})`,
    'p.wxml': '',
  });
  await turns();
  assert.deepEqual(lines(), ['true wifi', 'getStorage:fail data not found true']);
});

test('storage keeps copies, tells what it holds, and has WeChat\'s limits', async (t) => {
  const {emulator} = await run(t, PAGE, {storage: {old: {n: 1}}});
  const {wx} = emulator;
  const value = {list: [1]};
  wx.setStorageSync('k', value);
  value.list.push(2);
  assert.deepEqual([...wx.getStorageSync('k').list], [1]);
  assert.equal(wx.getStorageSync('old').n, 1);
  assert.equal(wx.getStorageSync('none'), '');
  assert.deepEqual([...wx.getStorageInfoSync().keys], ['old', 'k']);
  assert.throws(() => wx.setStorageSync('big', 'x'.repeat(1024 * 1024)), /entry size limit/);
  for (let n = 0; n < 10; n += 1) wx.setStorageSync(`part${n}`, 'x'.repeat(1_000_000));
  assert.throws(() => wx.setStorageSync('more', 'x'.repeat(1_000_000)), /exceed storage max size/);
  wx.removeStorageSync('k');
  wx.clearStorageSync();
  assert.equal(wx.getStorageInfoSync().keys.length, 0);
});

test('toasts end by themselves, loading does not', async (t) => {
  const {emulator, clock} = await run(t, PAGE);
  emulator.wx.showToast({title: 'hello', icon: 'none', duration: 2000});
  await clock.advance(1999);
  assert.deepEqual(emulator.toasts, [{title: 'hello', icon: 'none', visible: true}]);
  await clock.advance(1);
  assert.equal(emulator.toasts[0].visible, false);
  emulator.wx.showLoading({title: 'wait'});
  await clock.advance(60_000);
  assert.equal(emulator.toasts[1].visible, true);
  emulator.wx.hideLoading();
  assert.equal(emulator.toasts[1].visible, false);
});

test('modals and sheets wait for the user\'s answer', async (t) => {
  const {emulator} = await run(t, PAGE);
  const modal = emulator.wx.showModal({title: 'Sure?', content: 'really'});
  const sheet = emulator.wx.showActionSheet({itemList: ['a', 'b']});
  const {title, answered} = emulator.modals[0];
  assert.deepEqual([title, answered, emulator.sheets[0].itemList], ['Sure?', false, ['a', 'b']]);
  emulator.answer({confirm: false});
  assert.equal((await modal).cancel, true);
  assert.throws(() => emulator.answer({tapIndex: 2}), /no item 2/);
  emulator.answer({tapIndex: 1});
  assert.equal((await sheet).tapIndex, 1);
  assert.throws(() => emulator.answer({confirm: true}), /waits for an answer/);
  const other = emulator.wx.showActionSheet({itemList: ['a']});
  emulator.sheets[1].answer({});
  await assert.rejects(other, {errMsg: 'showActionSheet:fail cancel'});
  const refusal = {errMsg: 'showActionSheet:fail parameter error: itemList should be an array'};
  await assert.rejects(emulator.wx.showActionSheet({itemList: []}), refusal);
  emulator.wx.showModal({title: 'Sorry', showCancel: false});
  assert.throws(() => emulator.answer({confirm: false}), /no cancel button/);
});

test('scopes are asked for once and stay as they were answered', async (t) => {
  const {emulator} = await run(t, PAGE, {permissions: {'scope.camera': false}, deny: ['scope.record']});
  const {wx} = emulator;
  await assert.rejects(wx.authorize({scope: 'scope.camera'}), {errMsg: 'authorize:fail auth deny', errno: 103});
  await assert.rejects(wx.authorize({scope: 'scope.record'}), {errMsg: 'authorize:fail auth deny'});
  await wx.authorize({scope: 'scope.userLocation'});
  await assert.rejects(wx.authorize({}), {errMsg: 'authorize:fail invalid scope'});
  const {authSetting} = await wx.getSetting();
  assert.deepEqual({...authSetting}, {'scope.camera': false, 'scope.record': false, 'scope.userLocation': true});
});

test('the phone is the platform\'s', async (t) => {
  const {emulator} = await run(t, PAGE, {platform: 'ios'});
  const info = emulator.wx.getSystemInfoSync();
  assert.deepEqual([info.platform, info.brand, info.windowHeight < info.screenHeight], ['ios', 'iPhone', true]);
  assert.equal(emulator.wx.getDeviceInfo().platform, 'ios');
  assert.equal(emulator.wx.getWindowInfo().windowWidth, info.windowWidth);
  assert.match(emulator.wx.getAppBaseInfo().SDKVersion, /^3\.\d+\.\d+$/);
  assert.ok(emulator.wx.getMenuButtonBoundingClientRect().right < info.windowWidth);
});

test('a change of the network is told of, once', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': 'wx.onNetworkStatusChange((r) => console.log(r.isConnected, r.networkType)); Page({})', 'p.wxml': '',
  });
  emulator.setNetwork('none');
  emulator.setNetwork('none');
  emulator.setNetwork('4g');
  assert.deepEqual(lines(), ['false none', 'true 4g']);
});

test('what befalls the phone reaches whoever listens for it', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': `const hear = (r) => console.log('interrupted', r);
      wx.onAudioInterruptionBegin(hear);
      wx.onThemeChange((r) => { console.log(r.theme); wx.offAudioInterruptionBegin(hear); });
      Page({})`,
    'p.wxml': '',
  });
  emulator.happen('AudioInterruptionBegin');
  emulator.happen('ThemeChange', {theme: 'dark'});
  emulator.happen('AudioInterruptionBegin');
  assert.deepEqual(lines(), ['interrupted undefined', 'dark']);
  assert.throws(() => emulator.happen(/** @type {any} */ ('Nonsense')), /there is no wx\.onNonsense/);
});

test('canIUse knows functions and components', async (t) => {
  const {wx} = (await run(t, PAGE)).emulator;
  const names = ['connectSocket', 'live-pusher', 'showToast.object.image', 'nothingLikeIt'];
  assert.deepEqual(names.map((name) => wx.canIUse(name)), [true, true, true, false]);
});

test('base64 goes both ways, for ArrayBuffers of the program', async (t) => {
  const {lines} = await run(t, {
    'p.js': `const b = wx.base64ToArrayBuffer('AQID');
      console.log(b instanceof ArrayBuffer, new Uint8Array(b).join(), wx.arrayBufferToBase64(b));
      Page({})`,
    'p.wxml': '',
  });
  assert.deepEqual(lines(), ['true 1,2,3 AQID']);
});

test('a selector query finds elements of the page and of the component that it is made in', async (t) => {
  const {lines} = await run(t, {
    'p.js': `Page({onReady() {
      wx.createSelectorQuery().select('#a').fields({id: true, dataset: true})
        .selectAll('.k').fields({id: true})
        .select('#none').boundingClientRect()
        .exec((r) => console.log(r[0].id, r[0].dataset.n, r[1].length, r[2]));
    }})`,
    'p.wxml': '<view id="a" data-n="1" class="k"/><view class="k"/>',
  });
  await turns();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(lines(), ['a 1 2 null']);
});

test('nextTick comes after what was set is on the screen', async (t) => {
  const {lines} = await run(t, {
    'p.js': 'Page({onReady() { wx.nextTick(() => console.log("tick")); console.log("ready"); }})', 'p.wxml': '',
  });
  await turns();
  assert.deepEqual(lines(), ['ready', 'tick']);
});

test('a wait that fails says what for, and what the program did last', async (t) => {
  const {emulator, clock} = await run(t, {
    'p.js': 'console.log("started"); Page({onLoad() { throw new Error("broken"); }})', 'p.wxml': '<text>here</text>',
  });
  const wait = emulator.until(() => false, {timeoutMs: 100, what: 'a wonder'});
  const failed = assert.rejects(wait, (/** @type {Error} */ error) => {
    assert.match(error.message, /not within 100 ms: a wonder/);
    assert.match(error.message, /error in p onLoad: broken\nlog started\n<text>/);
    return true;
  });
  await turns();
  await clock.advance(100);
  await failed;
});
