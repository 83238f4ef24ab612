import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {launch} from '../src/index.js';
import {NotedMedia, VirtualClock, run} from './lib.mjs';

test('modules are CommonJS: run once, with cycles, folders, and packages that WeChat has built', async (t) => {
  const {lines} = await run(t, {
    'p.js': `const a = require('./lib/a'); require('/lib/a.js'); const pkg = require('thing');
      console.log(a.name, a.b.seen, pkg.size, typeof require('./lib').index); Page({})`,
    'p.wxml': '',
    'lib/a.js': 'console.log("a runs"); exports.name = "a"; exports.b = require("./b");',
    'lib/b.js': 'const a = require("./a"); exports.seen = a.name;',
    'lib/index.js': 'exports.index = () => {};',
    'miniprogram_npm/thing/index.js': 'module.exports = {size: 3};',
  });
  assert.deepEqual(lines(), ['a runs', 'a a 3 function']);
});

test('ES modules are compiled, in the file of a page too', async (t) => {
  const {lines} = await run(t, {
    'p.js': `import thing, {named} from './m';
      import * as all from './m';
      Page({onLoad() { console.log(thing(), named, all.named); }});`,
    'p.wxml': '',
    'm.js': 'export const named = 2;\nexport default () => 1;',
  });
  assert.deepEqual(lines(), ['1 2 2']);
});

test('the program has what WeChat has, and nothing of Node or a browser', async (t) => {
  const {lines} = await run(t, {
    'p.js': `console.log([typeof process, typeof Buffer, typeof fetch, typeof window, typeof self, typeof WebSocket,
      typeof WebAssembly, typeof setImmediate].join());
      console.log([typeof wx.request, typeof setTimeout, typeof getApp, typeof require, typeof module].join());
      try { eval('1'); } catch (e) { console.log(e.name); }
      Page({})`,
    'p.wxml': '',
  });
  const [absent, present, evaluated] = lines();
  assert.equal(absent, Array(8).fill('undefined').join());
  assert.equal(present, 'function,function,function,function,object');
  assert.equal(evaluated, 'EvalError');
});

test('a folder is run with its project file, a module in place of another, and a plugin', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'queqiao-test-'));
  t.after(() => rmSync(dir, {recursive: true}));
  mkdirSync(path.join(dir, 'mini/lib'), {recursive: true});
  const write = (/** @type {string} */ name, /** @type {string} */ text) => writeFileSync(path.join(dir, name), text);
  write('project.config.json', '{"miniprogramRoot": "mini/", "appid": "wx0123456789abcdef"}');
  write('mini/app.json', '\uFEFF{"pages": ["p"]}');
  write('mini/p.json', '');
  write('mini/p.wxml', '<image src="x"/>');
  write('mini/p.js', 'console.log(require("./lib/sdk.js").name, requirePlugin("rtc").name); Page({})');
  write('mini/lib/sdk.js', 'exports.name = "vendor";');
  write('other.js', 'exports.name = "ours";');
  write('plugin.js', 'module.exports = {name: "plugin"};');
  const emulator = await launch({
    dir, modules: {'lib/sdk.js': path.join(dir, 'other.js')}, plugins: {rtc: path.join(dir, 'plugin.js')},
    clock: new VirtualClock(), media: {LivePusher: NotedMedia, LivePlayer: NotedMedia},
  });
  t.after(() => emulator.close());
  assert.deepEqual(emulator.console.map(({text}) => text), ['ours plugin']);
});

test('nothing outside the package can be required', async (t) => {
  const program = {'p.js': 'require("../../../etc/passwd"); Page({})', 'p.wxml': ''};
  await assert.rejects(run(t, program), /module 'etc\/passwd' is not defined/);
});

test('what a program logs loses the query of addresses', async (t) => {
  const {lines} = await run(t, {
    'p.js': `console.log('push to', 'rtmp://h/app/s?ticket=secret', {url: 'wss://h/p?token=secret'});
      Page({})`,
    'p.wxml': '',
  });
  assert.equal(lines().join().includes('secret'), false);
  assert.match(lines()[0], /rtmp:\/\/h\/app\/s/);
});
