import assert from 'node:assert/strict';
import {test} from 'node:test';
import {launch} from '../src/index.js';
import {notedPlayers, run, turns} from './lib.mjs';

/** @param {string} wxml of the one page, a/p */
function load(wxml) {
  const files = {'app.json': '{"pages": ["a/p"]}', 'a/p.js': 'Page({})', 'a/p.wxml': wxml};
  return launch({dir: {files: new Map(Object.entries(files))}});
}

test('wx:if, wx:elif and wx:else show one branch, and another one after setData', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {n: 1}})',
    'p.wxml': '<text wx:if="{{n === 1}}">one</text><text wx:elif="{{n === 2}}">two</text><text wx:else>many</text>',
  });
  assert.equal(emulator.page.tree(), '<text>\n  "one"\n');
  emulator.page.instance.setData({n: 2});
  assert.equal(emulator.find('text').text, 'two');
  emulator.page.instance.setData({n: 3});
  assert.equal(emulator.find('text').text, 'many');
});

test('wx:for repeats a block with item and index, and with names of its own', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {rows: [{id: 7, cells: ["a", "b"]}, {id: 8, cells: ["c"]}]}})',
    'p.wxml': `<block wx:for="{{rows}}" wx:key="id" wx:for-item="row" wx:for-index="r">
      <text wx:for="{{row.cells}}" wx:key="*this">{{r}}.{{index}} {{item}} of {{row.id}}</text>
    </block>`,
  });
  assert.deepEqual(emulator.findAll('text').map(({text}) => text), ['0.0 a of 7', '0.1 b of 7', '1.0 c of 8']);
});

test('setData changes single paths and tells its callback afterwards', async (t) => {
  const {emulator, lines} = await run(t, {
    'p.js': `Page({
      data: {list: [{v: 1}, {v: 2}], deep: {a: {b: 'x'}}},
      go() {
        this.setData({'list[1].v': 5, 'deep.a.b': 'y'}, () => console.log('shown', this.data.list[1].v));
        console.log('set');
      },
    })`,
    'p.wxml': '<view bindtap="go">{{list[0].v}} {{list[1].v}} {{deep.a.b}}</view>',
  });
  emulator.find('view').tap();
  await turns();
  assert.equal(emulator.find('view').text, '1 5 y');
  assert.deepEqual(lines(), ['set', 'shown 5']);
});

test('templates come from the file itself and from imported ones, with their own data', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {who: {name: "Li"}, n: 3}})',
    'p.wxml': `<import src="parts/hello.wxml"/><template name="own"><text>{{n}}</text></template>
      <template is="hello" data="{{...who, n}}"/><template is="own" data="{{n: n + 1}}"/>
      <include src="parts/end.wxml"/>`,
    'parts/hello.wxml': '<template name="hello"><text>Hello {{name}} {{n}}</text></template>',
    'parts/end.wxml': '<text>end of {{n}}</text>',
  });
  assert.deepEqual(emulator.findAll('text').map(({text}) => text), ['Hello Li 3', '4', 'end of 3']);
});

test('wxs modules compute in the template, inline and from files that require others', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {n: 3}})',
    'p.wxml': `<wxs module="own">module.exports = {twice: function (x) { return 2 * x; }};</wxs>
      <wxs module="m" src="./m.wxs"/><text>{{own.twice(n)}} {{m.more(n)}}</text>`,
    'm.wxs': 'var one = require("./one.wxs"); module.exports = {more: function (x) { return x + one.value; }};',
    'one.wxs': 'module.exports = {value: 1};',
  });
  assert.equal(emulator.find('text').text, '6 4');
});

test('an attribute that is given twice, and a space before a value, do no harm', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {x: "rtmp://h/1"}})',
    'p.wxml': '<!-- a comment --><live-player id="a" src= "{{x}}" mode="RTC" mode="live" unknown-thing="1" />',
  });
  assert.equal(notedPlayers(emulator)[0].attributes.src, 'rtmp://h/1');
  assert.equal(notedPlayers(emulator)[0].attributes.mode, 'RTC');
});

test('text that a user types reaches the handler, and the data that model: binds', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {name: "", seen: ""}, typed(e) { this.setData({seen: e.detail.value}); }})',
    'p.wxml': '<input model:value="{{name}}" bindinput="typed"/><text>{{name}}/{{seen}}</text>',
  });
  emulator.find('input').input('room1');
  assert.equal(emulator.find('text').text, 'room1/room1');
});

test('an error of syntax in a template names file, line and column', async () => {
  const wrong = load('<view>\n  <text>{{ a b }}</text>\n</view>');
  await assert.rejects(wrong, /a\/p\.wxml:2:\d+: unexpected character inside expression/);
});

test('an element that is not closed is an error as it is in WeChat', async () => {
  await assert.rejects(load('<view><text></view>'), /a\/p\.wxml:1:8: missing end tag/);
});

test('a file that a template includes must be there', async () => {
  await assert.rejects(load('<include src="q.wxml"/>'), /a\/p\.wxml: a\/q\.wxml is missing/);
});
