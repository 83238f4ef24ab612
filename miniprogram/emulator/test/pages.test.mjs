import assert from 'node:assert/strict';
import {test} from 'node:test';
import {launch} from '../src/index.js';
import {run, turns} from './lib.mjs';

const NOTE = `Page({
  onLoad(q) { console.log('load', this.route, JSON.stringify(q)); },
  onShow() { console.log('show', this.route); },
  onHide() { console.log('hide', this.route); },
  onUnload() { console.log('unload', this.route, getCurrentPages().length); },
})`;
const THREE = {'a/a.js': NOTE, 'a/a.wxml': '', 'b/b.js': NOTE, 'b/b.wxml': '', 'c/c.js': NOTE, 'c/c.wxml': '',
  'app.json': '{"pages": ["a/a", "b/b", "c/c"]}'};

test('the app is launched before the pages\' files run, and shown before the first page', async (t) => {
  const {emulator, lines} = await run(t, {
    'app.js': `App({
      globalData: {},
      onLaunch(o) { this.globalData.ready = true; console.log('launch', o.path, o.query.room, o.scene); },
      onShow() { console.log('app show'); }})`,
    'p.js': 'console.log("file", getApp().globalData.ready); Page({onLoad() { console.log("load"); }})', 'p.wxml': '',
  }, {start: 'p?room=r%201'});
  assert.deepEqual(lines(), ['launch p r%201 1089', 'file true', 'app show', 'load']);
  assert.equal(emulator.app.globalData.ready, true);
});

test('navigateTo puts a page on the other, navigateBack takes it off, with what each is told', async (t) => {
  const {emulator, lines} = await run(t, THREE);
  const result = await emulator.wx.navigateTo({url: '../b/b?x=1&y=a%26b'});
  assert.equal(result.errMsg, 'navigateTo:ok');
  assert.deepEqual(emulator.pages.map(({route}) => route), ['a/a', 'b/b']);
  await emulator.wx.navigateBack();
  assert.deepEqual(lines(), ['load a/a {}', 'show a/a', 'hide a/a', 'load b/b {"x":"1","y":"a%26b"}', 'show b/b',
    'unload b/b 2', 'show a/a']);
});

test('redirectTo replaces the page on top, reLaunch all of them', async (t) => {
  const {emulator} = await run(t, THREE);
  await emulator.wx.navigateTo({url: '/b/b'});
  await emulator.wx.redirectTo({url: '/c/c'});
  assert.deepEqual(emulator.pages.map(({route}) => route), ['a/a', 'c/c']);
  await emulator.wx.reLaunch({url: '/b/b'});
  assert.deepEqual(emulator.pages.map(({route}) => route), ['b/b']);
});

test('navigation fails in WeChat\'s words', async (t) => {
  const app = '{"pages": ["a/a", "b/b", "c/c"], "tabBar": {"list": [{"pagePath": "c/c"}]}}';
  const {emulator} = await run(t, {...THREE, 'app.json': app});
  const fails = (/** @type {string} */ how, /** @type {any} */ options) =>
    assert.rejects(emulator.wx[how](options), (/** @type {any} */ error) => {
      said.push(error.errMsg);
      return true;
    });
  /** @type {string[]} */
  const said = [];
  await fails('navigateTo', {url: '/nowhere'});
  await fails('navigateTo', {});
  await fails('navigateTo', {url: '/c/c'});
  await fails('switchTab', {url: '/b/b'});
  await fails('navigateBack', {});
  assert.deepEqual(said, [
    'navigateTo:fail page "nowhere" is not found',
    'navigateTo:fail parameter error: parameter.url should be a string',
    'navigateTo:fail can not navigateTo a tabbar page',
    'switchTab:fail can not switch to no-tabBar page',
    'navigateBack:fail cannot navigate back at first page.',
  ]);
  await emulator.wx.switchTab({url: '/c/c'});
  assert.equal(emulator.page.route, 'c/c');
});

test('ten pages are the most', async (t) => {
  const {emulator} = await run(t, THREE);
  for (let n = 1; n < 10; n += 1) await emulator.wx.navigateTo({url: '/b/b'});
  await assert.rejects(emulator.wx.navigateTo({url: '/b/b'}), {errMsg: 'navigateTo:fail page stack limit 10 exceeded'});
  await emulator.wx.navigateBack({delta: 99});
  assert.deepEqual(emulator.pages.map(({route}) => route), ['a/a']);
});

test('a page and the one that it opens talk over their event channel', async (t) => {
  const {lines} = await run(t, {
    'a.js': `Page({async onReady() {
      const {eventChannel} = await wx.navigateTo({url: '/b', events: {back(v) { console.log('a hears', v); }}});
      eventChannel.emit('there', 1);
    }})`,
    'a.wxml': '',
    'b.js': `Page({onLoad() {
      const channel = this.getOpenerEventChannel();
      channel.on('there', (v) => { console.log('b hears', v); channel.emit('back', v + 1); });
    }})`,
    'b.wxml': '',
  });
  await turns();
  assert.deepEqual(lines(), ['b hears 1', 'a hears 2']);
});

test('background and foreground tell app, page and components, each once', async (t) => {
  const {emulator, lines} = await run(t, {
    'app.js': `App({onShow() { console.log('app show'); }, onHide() { console.log('app hide'); }});
      wx.onAppShow(() => console.log('wx show'));
      wx.onAppHide(() => console.log('wx hide'));`,
    'p.json': '{"usingComponents": {"child": "child/child"}}',
    'p.js': 'Page({onShow() { console.log("page show"); }, onHide() { console.log("page hide"); }})',
    'p.wxml': '<child/>',
    'child/child.json': '{"component": true}', 'child/child.wxml': '',
    'child/child.js': `Component({pageLifetimes: {
      show() { console.log('child show'); }, hide() { console.log('child hide'); },
    }})`,
  });
  const before = lines().length;
  emulator.background();
  emulator.background();
  emulator.foreground();
  assert.deepEqual(lines().slice(before), [
    'page hide', 'child hide', 'app hide', 'wx hide', 'app show', 'wx show', 'page show', 'child show',
  ]);
});

test('the navigation bar is the page\'s own', async (t) => {
  const {emulator} = await run(t, {...THREE, 'b/b.json': '{"navigationBarTitleText": "B"}',
    'app.json': '{"pages": ["a/a", "b/b", "c/c"], "window": {"navigationBarTitleText": "App"}}'});
  assert.equal(emulator.navigationBar.title, 'App');
  await emulator.wx.setNavigationBarTitle({title: 'A'});
  await emulator.wx.navigateTo({url: '/b/b'});
  assert.equal(emulator.navigationBar.title, 'B');
  await emulator.wx.navigateBack();
  assert.equal(emulator.navigationBar.title, 'A');
});

test('what cannot be launched says which file is to blame', async () => {
  const load = (/** @type {Record<string, string>} */ files, /** @type {any} */ options = {}) =>
    launch({dir: {files: new Map(Object.entries(files))}, ...options});
  await assert.rejects(load({}), /no app\.json/);
  await assert.rejects(load({'app.json': '{'}), /app\.json: /);
  await assert.rejects(load({'app.json': '{}'}), /app\.json: no pages/);
  await assert.rejects(load({'app.json': '{"pages": ["p"]}', 'p.wxml': ''}), /p\.js is missing, app\.json names p/);
  await assert.rejects(load({'app.json': '{"pages": ["p"]}', 'p.js': 'Page({})'}), /p\.wxml is missing/);
  const page = {'app.json': '{"pages": ["p"]}', 'p.wxml': '', 'p.js': 'Page({})'};
  await assert.rejects(load({...page, 'p.js': '\nPage({'}), /p\.js:2: /);
  await assert.rejects(load({...page, 'p.js': 'const a = 1;'}), /p\.js calls neither Page\(\) nor Component\(\)/);
  await assert.rejects(load({...page, 'p.js': 'require("./gone.js"); Page({})'}),
    /module 'gone\.js' is not defined, require args is '\.\/gone\.js' \(in p\.js\)/);
  const using = '{"usingComponents": {"x": "./x"}}';
  await assert.rejects(load({...page, 'p.json': using}), /p\.json: component x is not found at \.\/x/);
  await assert.rejects(load(page, {start: 'q'}), /there is no page q/);
  const entry = {...page, 'app.json': '{"pages": ["p"], "entryPagePath": "q"}'};
  await assert.rejects(load(entry), /entryPagePath q is none of the pages/);
  await assert.rejects(load(page, {server: 'localhost:8080'}), /server localhost:8080 is no address/);
  await assert.rejects(load(page, {platform: 'windows'}), /platform windows/);
});

test('subpackages belong to the program', async (t) => {
  const {emulator} = await run(t, {
    'app.json': '{"pages": ["p"], "subpackages": [{"root": "sub", "pages": ["q/q"]}]}',
    'p.js': 'Page({})', 'p.wxml': '', 'sub/q/q.js': 'Page({})', 'sub/q/q.wxml': '',
  });
  await emulator.wx.navigateTo({url: '/sub/q/q'});
  assert.equal(emulator.page.route, 'sub/q/q');
});
