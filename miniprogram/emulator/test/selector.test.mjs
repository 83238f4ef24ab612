import assert from 'node:assert/strict';
import {test} from 'node:test';
import {parseSelector} from '../src/selector.js';
import {run} from './lib.mjs';

const FILES = {
  'p.json': '{"usingComponents": {"child": "child/child"}}',
  'p.js': 'Page({})',
  'p.wxml': `<view id="out" class="a b"><child id="c"><text data-user-id="7" class="b">slot</text></child></view>
    <input placeholder="x, y > z"/>`,
  'child/child.json': '{"component": true}', 'child/child.js': 'Component({properties: {n: Number}})',
  'child/child.wxml': '<view class="inner"><slot/><live-player id="p" object-fit="fillCrop"/></view>',
};

test('elements are found by tag, id, class and attribute, through components and slots', async (t) => {
  const {emulator} = await run(t, FILES);
  /** @type {[string, number][]} */
  const cases = [
    ['text', 1], ['*', 6], ['#c', 1], ['.a.b', 1], ['.b', 2], ['view .b', 1], ['#out text', 1],
    ['child > .inner > text', 1], ['child > text', 0], ['[data-user-id="7"]', 1],
    ['live-player[object-fit="fillCrop"]', 1], ['[object-fit]', 1],
    ['text, input', 2], ['input[placeholder="x, y > z"]', 1], ['view#out.a', 1], ['view.c', 0],
  ];
  for (const [selector, count] of cases) assert.equal(emulator.findAll(selector).length, count, selector);
});

test('a selector that cannot be understood, and an element that is not there, are errors', async (t) => {
  assert.throws(() => parseSelector('view:first'), /"view:first" is not understood/);
  assert.throws(() => parseSelector(' '), /is empty/);
  const {emulator} = await run(t, FILES);
  assert.throws(() => emulator.find('.none'), /no element \.none on p\n<view#out\.a\.b>/);
});

test('the tree shows what is on the page, and no query of an address', async (t) => {
  const {emulator} = await run(t, {
    'p.js': 'Page({data: {url: "rtmp://h/app/s?ticket=secret"}})',
    'p.wxml': '<view class="a">one<live-pusher url="{{url}}" muted/></view>',
  });
  assert.equal(emulator.page.tree(), '<view.a>\n  "one"\n  <live-pusher url="rtmp://h/app/s" muted=true>\n');
});
