import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {once} from 'node:events';
import {test} from 'node:test';
import {WebSocketServer} from 'ws';
import {redirect} from '../src/emulator.js';
import {run} from './lib.mjs';

const PAGE = {'p.js': 'Page({})', 'p.wxml': ''};

/**
 * A server that echoes what sockets send and describes what it is asked.
 *
 * @param {import('node:test').TestContext} t
 */
async function serve(t) {
  const http = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url?.startsWith('/never')) return;
    const status = request.url?.startsWith('/missing') ? 404 : 200;
    response.writeHead(status, {'content-type': 'application/json', 'x-seen': 'yes'});
    const {method, url, headers} = request;
    response.end(request.url?.startsWith('/text') ? 'plain' : JSON.stringify({
      method, url, type: headers['content-type'], referer: headers.referer, body: Buffer.concat(chunks).toString(),
    }));
  });
  const sockets = new WebSocketServer({server: http, handleProtocols: (offered) => [...offered][0] ?? false});
  sockets.on('connection', (socket, {url, headers}) => {
    socket.send(JSON.stringify({url, referer: headers.referer, own: headers['x-own']}));
    socket.on('message', (data, binary) => socket.send(data, {binary}));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const {port} = /** @type {import('node:net').AddressInfo} */ (http.address());
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    http.closeAllConnections();
    http.close();
  });
  return {server: `http://127.0.0.1:${port}`, sockets};
}

/**
 * @param {any} task
 * @param {string} name
 * @returns {Promise<any>} the next event
 */
const event = (task, name) => new Promise((resolve) => task[`on${name}`](resolve));

test('addresses keep their path and query when they go to the server', () => {
  assert.equal(redirect('wss://ws.example.com:99/a/b?x=1', 'http://127.0.0.1:8080'), 'ws://127.0.0.1:8080/a/b?x=1');
  assert.equal(redirect('https://ap.example.com/a', 'http://127.0.0.1:8080'), 'http://127.0.0.1:8080/a');
  assert.equal(redirect('ws://a/b', 'https://h'), 'wss://h/b');
});

test('a socket goes to the server whatever host it names, and carries text and ArrayBuffers', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const header = {Referer: 'no', 'x-own': 'yes'};
  const task = emulator.wx.connectSocket({url: 'wss://vendor.example.com/v1?a=1', header, protocols: ['p1']});
  const hello = event(task, 'Message');
  const open = await event(task, 'Open');
  assert.equal(open.header['sec-websocket-protocol'], 'p1');
  assert.deepEqual(JSON.parse((await hello).data), {url: '/v1?a=1', own: 'yes'});
  assert.equal(task.readyState, task.OPEN);
  const data = emulator.wx.base64ToArrayBuffer('AQID');
  const echo = new Promise((resolve) => task.onMessage((/** @type {any} */ message) => resolve(message.data)));
  assert.equal((await task.send({data})).errMsg, 'sendSocketMessage:ok');
  assert.deepEqual([...new Uint8Array(/** @type {ArrayBuffer} */ (await echo))], [1, 2, 3]);
  const closed = event(task, 'Close');
  task.close({code: 1000, reason: 'done'});
  assert.deepEqual({...await closed}, {code: 1000, reason: 'done'});
  await assert.rejects(task.send({data: 'x'}), {errMsg: 'sendSocketMessage:fail SocketTask.readyState is not OPEN'});
  assert.equal(emulator.sockets, 0);
});

test('a sixth socket is refused until one of the five has closed', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const tasks = [1, 2, 3, 4, 5].map(() => emulator.wx.connectSocket({url: 'ws://h/'}));
  const refusal = await new Promise((resolve) => emulator.wx.connectSocket({url: 'ws://h/', fail: resolve}));
  assert.equal(/** @type {any} */ (refusal).errMsg, 'connectSocket:fail exceed max task count');
  await Promise.all(tasks.map((task) => event(task, 'Open')));
  const closed = event(tasks[0], 'Close');
  tasks[0].close({});
  await closed;
  const again = emulator.wx.connectSocket({url: 'ws://h/'});
  await event(again, 'Open');
  assert.equal(emulator.sockets, 5);
});

test('a socket that fails tells error and close, and a bad address fails the call', async (t) => {
  const {emulator} = await run(t, PAGE, {server: 'http://127.0.0.1:1'});
  const task = emulator.wx.connectSocket({url: 'ws://h/'});
  const closed = event(task, 'Close');
  assert.match((await event(task, 'Error')).errMsg, /ECONNREFUSED/);
  assert.equal((await closed).code, 1006);
  const refusal = await new Promise((resolve) => emulator.wx.connectSocket({url: 'http://h/', fail: resolve}));
  assert.match(/** @type {any} */ (refusal).errMsg, /^connectSocket:fail invalid url/);
});

test('a socket may be closed before it has opened', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const task = emulator.wx.connectSocket({url: 'ws://h/'});
  const closed = event(task, 'Close');
  task.close({});
  assert.equal((await closed).code, 1000);
  assert.deepEqual(emulator.errors, []);
});

test('sockets that the background has cost end with 1006', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const task = emulator.wx.connectSocket({url: 'ws://h/'});
  await event(task, 'Open');
  const closed = event(task, 'Close');
  emulator.background({loseSockets: true});
  assert.equal((await closed).code, 1006);
});

test('the functions of wx without a task are about the socket opened last', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const {wx} = emulator;
  const refusal = {errMsg: 'sendSocketMessage:fail WebSocket is not connected'};
  await assert.rejects(wx.sendSocketMessage({data: 'x'}), refusal);
  const opened = new Promise((resolve) => wx.onSocketOpen(resolve));
  const closed = new Promise((resolve) => wx.onSocketClose(resolve));
  wx.connectSocket({url: 'ws://h/'});
  await opened;
  await wx.sendSocketMessage({data: 'x'});
  await wx.closeSocket();
  assert.equal(/** @type {any} */ (await closed).code, 1000);
});

test('requests carry data as WeChat encodes them and read JSON', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const request = (/** @type {any} */ options) => new Promise((resolve) => {
    emulator.wx.request({...options, complete: resolve});
  });
  const get = /** @type {any} */ (await request({url: 'https://vendor.example.com/a?x=1', data: {y: '2 3'}}));
  const {statusCode, data, header} = get;
  assert.deepEqual([statusCode, data.method, data.url, header['x-seen']], [200, 'GET', '/a?x=1&y=2+3', 'yes']);
  const post = /** @type {any} */ (await request({url: 'https://h/b', method: 'POST', data: {n: 1}}));
  assert.deepEqual([post.data.type, post.data.body], ['application/json', '{"n":1}']);
  const urlencoded = {'content-type': 'application/x-www-form-urlencoded'};
  const form = /** @type {any} */ (
    await request({url: 'https://h/b', method: 'POST', data: {n: 1}, header: urlencoded}));
  assert.equal(form.data.body, 'n=1');
  assert.equal(/** @type {any} */ (await request({url: 'https://h/text'})).data, 'plain');
  assert.equal(/** @type {any} */ (await request({url: 'https://h/missing'})).statusCode, 404);
  const bytes = /** @type {any} */ (await request({url: 'https://h/text', responseType: 'arraybuffer'}));
  assert.equal(bytes.data.byteLength, 5);
});

test('a request that takes too long fails with timeout', async (t) => {
  const {server} = await serve(t);
  const {emulator, clock} = await run(t, PAGE, {server});
  const failed = new Promise((resolve) => emulator.wx.request({url: 'https://h/never', timeout: 3000, fail: resolve}));
  await clock.advance(3000);
  assert.equal(/** @type {any} */ (await failed).errMsg, 'request:fail timeout');
});

test('in the background requests have five seconds, and new ones are refused', async (t) => {
  const {server} = await serve(t);
  const {emulator, clock} = await run(t, PAGE, {server});
  const request = () => new Promise((resolve) => emulator.wx.request({url: 'https://h/never', fail: resolve}));
  const running = request();
  emulator.background();
  assert.equal(/** @type {any} */ (await request()).errMsg, 'request:fail interrupted');
  await clock.advance(5000);
  assert.equal(/** @type {any} */ (await running).errMsg, 'request:fail interrupted');
  emulator.foreground();
  const answered = await new Promise((resolve) => emulator.wx.request({url: 'https://h/text', success: resolve}));
  assert.equal(/** @type {any} */ (answered).data, 'plain');
});

test('a request may be aborted, and fails without a server', async (t) => {
  const {server} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  /** @type {any} */
  let task;
  const aborted = new Promise((resolve) => {
    task = emulator.wx.request({url: 'https://h/never', fail: resolve});
  });
  task.abort();
  assert.equal(/** @type {any} */ (await aborted).errMsg, 'request:fail abort');
  const other = await run(t, PAGE, {server: 'http://127.0.0.1:1'});
  const failed = await new Promise((resolve) => other.emulator.wx.request({url: 'https://h/', fail: resolve}));
  assert.match(/** @type {any} */ (failed).errMsg, /^request:fail /);
});

test('closing the emulator ends its sockets', async (t) => {
  const {server, sockets} = await serve(t);
  const {emulator} = await run(t, PAGE, {server});
  const connected = once(sockets, 'connection');
  emulator.wx.connectSocket({url: 'ws://h/'});
  const [socket] = await connected;
  const ended = once(socket, 'close');
  await emulator.close();
  await ended;
});
