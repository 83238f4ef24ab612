import assert from 'node:assert/strict';
import {test} from 'node:test';
import {notedPlayers, run, turns} from './lib.mjs';

const USE_CHILD = '{"usingComponents": {"child": "/child/child"}}';
const CHILD_JSON = '{"component": true}';

test('lifetimes come in order: attached from outside in, ready from inside out, then onReady', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.json': USE_CHILD,
    'p.js': `Page({onLoad() { console.log('load'); }, onShow() { console.log('show'); },
      onReady() { console.log('page ready'); }, drop() { this.setData({gone: true}); }})`,
    'p.wxml': '<child wx:if="{{!gone}}"/><view bindtap="drop"/>',
    'child/child.json': '{"component": true, "usingComponents": {"inner": "../inner/inner"}}',
    'child/child.js': `Component({
      lifetimes: {attached() { console.log('outer attached'); }, ready() { console.log('outer ready'); },
        detached() { console.log('outer detached'); }},
      pageLifetimes: {show() { console.log('outer show'); }},
    })`,
    'child/child.wxml': '<inner/>',
    'inner/inner.json': CHILD_JSON,
    'inner/inner.js': `Component({created() { console.log('inner created'); },
      attached() { console.log('inner attached'); }, ready() { console.log('inner ready'); }})`,
    'inner/inner.wxml': '',
  });
  assert.deepEqual(lines(), ['inner created', 'outer attached', 'inner attached', 'load', 'show', 'outer show',
    'inner ready', 'outer ready', 'page ready']);
  emulator.find('view').tap();
  assert.equal(lines().at(-1), 'outer detached');
});

test('a component that comes later is ready a frame later, without anybody asking', async (t) => {
  const {lines} = await run(t, {
    'p.json': USE_CHILD,
    'p.js': 'Page({onReady() { this.setData({on: true}); }})',
    'p.wxml': '<child wx:if="{{on}}"/>',
    'child/child.json': CHILD_JSON,
    'child/child.js': 'Component({ready() { console.log("ready"); }})',
    'child/child.wxml': '',
  });
  assert.deepEqual(lines(), ['ready']);
});

test('properties convert, default and tell their observers; observers see several fields', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.json': USE_CHILD,
    'p.js': 'Page({data: {n: "5"}})',
    'p.wxml': '<child max-count="{{n}}"/>',
    'child/child.json': CHILD_JSON,
    'child/child.js': `Component({
      properties: {
        maxCount: {type: Number, value: 1, observer(now, was) { console.log('count', was, now); }},
        name: {type: String, value: 'anna'},
      },
      data: {sum: 0},
      observers: {'maxCount, name'(count, name) { console.log('both', count, name); }},
    })`,
    'child/child.wxml': '<text>{{maxCount}} {{name}}</text>',
  });
  assert.equal(emulator.find('text').text, '5 anna');
  emulator.page.instance.setData({n: 6});
  assert.equal(emulator.find('text').text, '6 anna');
  assert.ok(lines().includes('count 5 6'));
  assert.ok(lines().includes('both 6 anna'));
});

test('behaviors bring data, methods and lifetimes, and the built-in ones are known', async (t) => {
  const {emulator, lines} = await run(t, {
    'shared.js': `module.exports = Behavior({data: {from: 'behavior'}, attached() { console.log('behavior'); },
      methods: {hi() { return 'hi ' + this.data.from; }}});`,
    'p.json': USE_CHILD,
    'p.js': 'Page({})',
    'p.wxml': '<child id="c"/>',
    'child/child.json': CHILD_JSON,
    'child/child.js': `const shared = require('../shared.js');
      Component({behaviors: [shared, 'wx://form-field'], attached() { console.log('own'); }});`,
    'child/child.wxml': '<text>{{from}}</text>',
  });
  assert.equal(emulator.find('text').text, 'behavior');
  assert.equal(emulator.page.instance.selectComponent('#c').hi(), 'hi behavior');
  assert.deepEqual(lines(), ['behavior', 'own']);
});

test('triggerEvent reaches bind and bind: with its detail, an event inside it included', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.json': USE_CHILD,
    'p.js': `Page({first(e) { console.log(e.type, e.detail.n, e.currentTarget.id); },
      second(e) { console.log(e.detail.detail.code); }, none(e) { console.log(e.detail); }})`,
    'p.wxml': '<child id="c" bindone="first" bind:my-two="second" bind:none="none"/>',
    'child/child.json': CHILD_JSON,
    'child/child.js': `Component({methods: {
      go() { this.triggerEvent('one', {n: 1}); this.triggerEvent('none'); },
      state(e) { this.triggerEvent('my-two', e); },
    }})`,
    'child/child.wxml': '<view bindtap="go"/><live-player bindstatechange="state"/>',
  });
  emulator.find('view').tap();
  notedPlayers(emulator)[0].host.emit('statechange', {code: 2004, message: ''});
  assert.deepEqual(lines(), ['one 1 c', 'undefined', '2004']);
});

test('selectComponent finds by id and class, and components of other files only through their owner', async (t) => {
  const {emulator} = await run(t, {
    'p.json': USE_CHILD,
    'p.js': 'Page({})',
    'p.wxml': '<view><child id="a" class="k" n="1"/><child class="k" n="2"/></view>',
    'child/child.json': CHILD_JSON,
    'child/child.js': 'Component({properties: {n: Number}, methods: {number() { return this.data.n; }}})',
    'child/child.wxml': '<view id="inside"/><live-player id="native"/>',
  });
  const page = emulator.page.instance;
  assert.equal(page.selectComponent('#a').number(), 1);
  assert.deepEqual([...page.selectAllComponents('.k')].map((one) => one.number()), [1, 2]);
  assert.equal(page.selectComponent('#inside'), null);
  assert.equal(page.selectComponent('#a').selectComponent('#native'), null);
});

test('slots carry the content of the page into a component, and its events stay the page\'s', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.json': USE_CHILD,
    'p.js': 'Page({hit() { console.log("page"); }})',
    'p.wxml': '<child><button bindtap="hit">press</button></child>',
    'child/child.json': CHILD_JSON,
    'child/child.js': 'Component({})',
    'child/child.wxml': '<view class="frame"><slot/></view>',
  });
  assert.equal(emulator.find('.frame button').text, 'press');
  emulator.find('child > .frame > button').tap();
  assert.deepEqual(lines(), ['page']);
});

test('relations link a parent and its children', async (t) => {
  const {lines} = await run(t, {
    'p.json': '{"usingComponents": {"my-list": "/list/list", "my-item": "/item/item"}}',
    'p.js': 'Page({})',
    'p.wxml': '<my-list><my-item/></my-list>',
    'list/list.json': CHILD_JSON, 'item/item.json': CHILD_JSON,
    'list/list.js': 'Component({relations: {"../item/item": {type: "child", linked() { console.log("linked"); }}}})',
    'list/list.wxml': '<slot/>',
    'item/item.js': 'Component({relations: {"../list/list": {type: "parent"}}})',
    'item/item.wxml': '',
  });
  assert.deepEqual(lines(), ['linked']);
});

test('a page may be made by Component(), with its query as properties', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.json': '{"usingComponents": {}}',
    'p.js': `Component({properties: {room: String},
      methods: {onLoad(q) { console.log('load', q.room, this.data.room); }}})`,
    'p.wxml': '<text>{{room}}</text>',
  }, {start: 'p?room=r1'});
  assert.deepEqual(lines(), ['load r1 r1']);
  assert.equal(emulator.find('text').text, 'r1');
});

test('usingComponents of app.json hold for every page', async (t) => {
  const {emulator} = await run(t, {
    'app.json': '{"pages": ["p"], "usingComponents": {"child": "child/child"}}',
    'p.js': 'Page({})', 'p.wxml': '<child/>',
    'child/child.json': CHILD_JSON, 'child/child.js': 'Component({})', 'child/child.wxml': '<text>here</text>',
  });
  assert.equal(emulator.find('text').text, 'here');
});

test('data of a component are arrays and objects of the program\'s own realm', async (t) => {
  const {lines} = await run(t, {
    'p.js': `Page({data: {list: [1]}, onLoad(q) {
      console.log(this.data.list instanceof Array, q instanceof Object, getCurrentPages() instanceof Array);
    }})`,
    'p.wxml': '',
  });
  await turns();
  assert.deepEqual(lines(), ['true true true']);
});
