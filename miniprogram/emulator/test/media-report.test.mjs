/** How components report and answer: no process is started here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testPattern } from '../src/media/camera.js';
import { DelayLine } from '../src/media/delay-line.js';
import { callMethod, Reporter } from '../src/media/host.js';
import { LivePlayer } from '../src/media/live-player.js';
import { LivePusher } from '../src/media/live-pusher.js';

/** @param {Partial<import('../src/media/host.js').MediaHost> & { omit?: object }} [options] */
function place({ omit, platform = 'android' } = {}) {
  /** @type {[string, any][]} */
  const events = [];
  /** @type {import('../src/media/host.js').MediaHost} */
  const host = {
    emit: (event, detail) => events.push([event, detail]),
    platform,
    device: { camera: testPattern(), omitCodes: omit },
    ffmpeg: '/nonexistent/ffmpeg',
    resolveFile: (path) => path,
    log: () => {},
  };
  return { host, events };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a code comes with its words, and after the component has finished', async () => {
  const { host, events } = place();
  new Reporter(host, 'pusher').code(1002);
  assert.deepEqual(events, []);
  await settled();
  assert.deepEqual(events, [['statechange', { code: 1002, message: 'handshake done, pushing' }]]);
});

test('codes that a version of WeChat omits are not reported', async () => {
  const { host, events } = place({ omit: { pusher: [1002], player: [2004] } });
  const pusher = new Reporter(host, 'pusher');
  const player = new Reporter(host, 'player');
  for (const code of [1001, 1002]) pusher.code(code);
  for (const code of [2003, 2004]) player.code(code);
  await settled();
  assert.deepEqual(events.map(([, detail]) => detail.code), [1001, 2003]);
});

test('a component that is gone reports nothing, not even what was on its way', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { host, events } = place({ platform: 'ios' });
  const reporter = new Reporter(host, 'player');
  reporter.netstatus({ videoFPS: 15, netSpeed: 1 });
  await settled();
  reporter.code(2004);
  reporter.close();
  t.mock.timers.tick(1000);
  await settled();
  assert.deepEqual(events, [['netstatus', { info: { videoFPS: 15 } }]]);
});

test('iOS tells the second half of its figures within 200 ms', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { host, events } = place({ platform: 'ios' });
  new Reporter(host, 'player').netstatus({ videoFPS: 15, netSpeed: 1 });
  t.mock.timers.tick(199);
  await settled();
  assert.deepEqual(events.map(([, detail]) => detail.info), [{ videoFPS: 15 }, { netSpeed: 1 }]);
});

test('a context answers with errMsg, be it success or failure', async () => {
  const methods = {
    good: () => ({ maxZoom: 4 }),
    bad: () => {
      throw new Error('no such thing');
    },
  };
  assert.deepEqual(await callMethod('op', methods, 'good', {}), { errMsg: 'op:ok', maxZoom: 4 });
  await assert.rejects(callMethod('op', methods, 'bad', undefined), { errMsg: 'op:fail no such thing' });
  await assert.rejects(callMethod('op', methods, 'toString', {}), { errMsg: 'op:fail toString is not supported' });
});

test('components without an address do nothing, and say so when they are asked to', async () => {
  const { host, events } = place();
  const pusher = new LivePusher(host, { autopush: true });
  const player = new LivePlayer(host, { autoplay: true, src: '' });
  await settled();
  await assert.rejects(pusher.call('start'), { errMsg: /^operateLivePusher:fail/ });
  await assert.rejects(player.call('play'), { errMsg: /^operateLivePlayer:fail/ });
  await assert.rejects(pusher.call('sendMessage', { msg: 'x' }), { errMsg: /^operateLivePusher:fail/ });
  await assert.rejects(player.call('snapshot'), { errMsg: /^operateLivePlayer:fail/ });
  assert.deepEqual([pusher.state.phase, player.state.phase], ['idle', 'idle']);
  assert.deepEqual(events, []);
  await Promise.all([pusher.close(), player.close()]);
});

test('what a component is at never shows the query of its address', async () => {
  const { host } = place();
  const pusher = new LivePusher(host, { url: 'rtmp://h/a/r/u?ticket=secret' });
  const player = new LivePlayer(host, { src: 'http://h/flv/a/r/u.flv?ticket=secret' });
  assert.ok(!JSON.stringify([pusher.state, player.state]).includes('secret'));
  await Promise.all([pusher.close(), player.close()]);
});

test('sound that lags leaves in order, and at once when the lag is over', () => {
  const line = new DelayLine();
  assert.deepEqual(line.push('a', 0), ['a']);
  line.delay(2000);
  assert.deepEqual(line.push('b', 20), []);
  assert.deepEqual(line.push('c', 2020), ['b']);
  line.delay(0);
  assert.deepEqual(line.push('d', 2040), ['c', 'd']);
  line.delay(1e9);
  let held = 0;
  for (let i = 0; i < 2000; i += 1) held += 1 - line.push('x', 3000).length;
  assert.ok(held <= 500);
});
