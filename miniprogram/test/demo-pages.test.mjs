/** The demo's pages in the emulator, without a server of Queqiao and without media. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';

const DEMO = fileURLToPath(new URL('../demo', import.meta.url));

/** @param {object} [options] */
async function open(t, options = {}) {
  const emulator = await launch({ dir: DEMO, ...options });
  t.after(() => emulator.close());
  return { emulator, page: emulator.page };
}

/** What is on the page once all that follows from a tap has been done. */
const shown = (emulator, selector) => emulator.until(() => emulator.findAll(selector)[0], { what: selector, timeoutMs: 2_000 });

test('the first page offers what was filled in last', async (t) => {
  const kept = { server: 'https://a.example', app: 'shop', room: 'r9', uid: '7', role: 'audience', video: false };
  const { page } = await open(t, { storage: { 'queqiao.call': kept } });
  const { server, app, room, uid, role, video } = page.data;
  assert.deepEqual({ server, app, room, uid, role, video }, kept);
});

test('a share message brings another into the same room under a uid of its own', async (t) => {
  const first = await open(t);
  first.emulator.find('#room').input('tea-party');
  const { path } = first.page.instance.onShareAppMessage();
  const second = await open(t, { start: path.slice(1) });
  assert.equal(second.page.data.room, 'tea-party');
  assert.match(second.page.data.uid, /^phone-\d{4}$/);
  assert.doesNotMatch(path, /token|uid/);
});

test('a name that the server would refuse is complained about beside its field', async (t) => {
  const { emulator, page } = await open(t);
  emulator.find('#room').input('a/b');
  emulator.find('#join').tap();
  assert.match((await shown(emulator, '.complaint')).text, /房间名/);
  emulator.find('#room').input('ab');
  await emulator.until(() => emulator.findAll('.complaint').length === 0, { what: 'no complaint', timeoutMs: 2_000 });
  assert.equal(page.route, 'pages/index/index');
});

test('a wrong address of the server is shown although its field was folded away', async (t) => {
  const { emulator } = await open(t, { storage: { 'queqiao.call': { server: 'nonsense' } } });
  emulator.find('#join').tap();
  assert.match((await shown(emulator, '.complaint')).text, /https/);
});

test('who has refused the camera is shown the way to the settings, and may stay', async (t) => {
  const { emulator, page } = await open(t, { permissions: { 'scope.camera': false } });
  emulator.find('#join').tap();
  await emulator.until(() => emulator.modals.length === 1, { what: 'a question', timeoutMs: 2_000 });
  assert.match(emulator.modals[0].content, /摄像头/);
  emulator.answer({ confirm: false });
  await emulator.until(() => page.data.busy === false, { what: 'the button', timeoutMs: 2_000 });
  assert.equal(emulator.page.route, 'pages/index/index');
  assert.deepEqual(emulator.errors, []);
});

test('a call by voice asks for the microphone alone', async (t) => {
  const { emulator, page } = await open(t, { deny: ['scope.record'], permissions: { 'scope.camera': false } });
  emulator.find('#voice').tap();
  await emulator.until(() => page.data.video === false, { what: 'the choice', timeoutMs: 2_000 });
  emulator.find('#join').tap();
  await emulator.until(() => emulator.modals.length === 1, { what: 'a question', timeoutMs: 2_000 });
  assert.doesNotMatch(emulator.modals[0].content, /摄像头/);
});

test('a back end is asked for a token for this user, and a call without one says why it ended', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'queqiao-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'config.js');
  writeFileSync(config, "module.exports = { server: 'https://media.example', app: 'shop', tokenUrl: 'https://api.example/token' };");
  const asked = [];
  const backEnd = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      asked.push([request.method, request.url, JSON.parse(body)]);
      response.writeHead(503).end();
    });
  });
  await new Promise((resolve) => backEnd.listen(0, '127.0.0.1', resolve));
  t.after(() => backEnd.close());
  const { emulator, page } = await open(t, {
    modules: { 'config.js': config },
    server: `http://127.0.0.1:${backEnd.address().port}`,
    start: 'pages/call/call?room=r1&uid=7&role=audience',
  });
  assert.match((await shown(emulator, '#ended')).text, /后端/);
  assert.deepEqual(asked, [['POST', '/token', { app: 'shop', room: 'r1', uid: '7', role: 'audience' }]]);
  assert.equal(page.data.pushers.length, 0);
  emulator.find('#back').tap();
  await emulator.until(() => emulator.page.route === 'pages/index/index', { what: 'the first page', timeoutMs: 2_000 });
  assert.deepEqual(emulator.errors, []);
});
