/** Mini-programs that are written to Agora's SDK, and to the plugin of the same name, in calls with a browser. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { bundle } from '../miniprogram/scripts/build.mjs';
import { report, summary } from './lib/content.mjs';
import { assertNoErrors, CAST, FEWEST, Guest, SOON, SPAN } from './lib/guest.mjs';
import { startLink } from './lib/link.mjs';
import { phoneCamera, record } from './lib/phone.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { appConfig, makeToken } from './lib/server.mjs';
import { steps } from './lib/steps.mjs';
import { suite } from './lib/suite.mjs';

const PROGRAMS = fileURLToPath(new URL('miniprograms/', import.meta.url));
const COMPONENTS = fileURLToPath(new URL('../miniprogram/components/', import.meta.url));
/** An app with a certificate, in the vendor's form of both. */
const APP = '5e1f0c9a7d3b4826a0f1c2d3e4b59687';
const CONFIG = `demo = true\n[rooms]\ngrace = "2s"\n${appConfig(APP, '0a1b2c3d4e5f60718293a4b5c6d7e8f9')}`;
/** How long content is looked at. */
const LOOK_MS = 2_000;

const s = suite({ config: CONFIG });

/** @typedef {Awaited<ReturnType<typeof phone>>} Phone */

/**
 * A phone that runs a program.
 * @param {import('./lib/scope.mjs').Scope} scope
 * @param {import('queqiao-emulator').LaunchOptions} options
 */
async function phone(scope, options) {
  /** @type {string[]} */
  const lines = [];
  const emulator = await launch({
    server: `http://${s.server.http}`, device: { camera: phoneCamera(CAST.phone) }, log: (line) => lines.push(line), ...options,
  });
  scope.defer(() => emulator.close());
  /**
   * @template T
   * @param {string} what @param {() => T | Promise<T>} check
   */
  const until = async (what, check) => {
    try {
      return await emulator.until(check, { what, timeoutMs: SOON });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${lines.slice(-40).join('\n')}`, { cause: error });
    }
  };
  /** @returns {{ what: string, detail: unknown }[]} */
  const log = () => emulator.page.data.log;
  return { emulator, until, log, noted: (/** @type {string} */ what) => until(what, () => log().find((entry) => entry.what === what)) };
}

/**
 * Checks that the phone's only player shows and plays alice.
 * @param {import('node:test').TestContext} t @param {Phone} phone
 */
async function showsAlice(t, { emulator, until }) {
  const [player] = await until('one player, with a picture', () => {
    const players = emulator.players();
    return players.length === 1 && (players[0]?.state.framesShown ?? 0) > 0 ? players : null;
  }) ?? [];
  assert.ok(player);
  const recording = record(player);
  await sleep(LOOK_MS);
  const seen = report(recording);
  t.diagnostic(`the phone: ${summary(seen)}`);
  assert.ok(seen.frames - seen.unreadable >= FEWEST && seen.backward === 0, summary(seen));
  assert.ok(seen.first >= CAST.alice.firstNumber && seen.last < CAST.alice.firstNumber + SPAN, 'it shows somebody else');
  assert.ok(Math.abs(seen.hertz - CAST.alice.tone) < 6, summary(seen));
}

/**
 * Checks that the one player plays alice and shows nothing.
 * @param {import('node:test').TestContext} t @param {Phone} phone
 */
async function hearsAliceAlone(t, { emulator, until }) {
  const [player] = await until('one player, with sound', () => {
    const players = emulator.players();
    return players.length === 1 && (players[0]?.state.secondsPlayed ?? 0) > 0 ? players : null;
  }) ?? [];
  assert.ok(player);
  const recording = record(player);
  await sleep(LOOK_MS);
  const heard = report(recording);
  t.diagnostic(`the phone, sound alone: ${summary(heard)}`);
  assert.ok(Math.abs(heard.hertz - CAST.alice.tone) < 6, summary(heard));
  assert.deepEqual([heard.frames, player.state.framesShown], [0, 0], 'no picture was asked for');
}

/** @param {Guest} guest @param {string} uid */
const gone = (guest, uid) => guest.tile(uid).waitFor({ state: 'detached', timeout: SOON });

/** @param {import('./lib/scope.mjs').Scope} scope */
const agora = async (scope) => ({ 'lib/agora.js': await bundle('agora', scope.tempDir()) });

test('a program for Agora’s SDK holds a call with a browser', { timeout: 150_000 }, async (t) => {
  const scope = scopeOf(t);
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=agora' });
  await alice.join();
  const relay = await startLink(scope, 'tcp', s.server.http);
  const caller = await phone(scope, {
    dir: join(PROGRAMS, 'agora'), server: `http://127.0.0.1:${relay.port}`, modules: await agora(scope), start: 'pages/call/call?channel=agora&uid=42',
  });
  const { emulator, until, log, noted } = caller;
  const step = steps(t);

  await step('both see and hear each other, though the page listens only once it has joined', async (t) => {
    await Promise.all([alice.sees(t, '42', 'phone'), alice.hears(['phone'])]);
    await showsAlice(t, caller);
  });

  await step('muting is heard, and told', async () => {
    emulator.find('#mute').tap();
    await alice.hears([]);
    emulator.find('#mute').tap();
    await alice.page.keyboard.press('m');
    await noted('mute-audio');
    await alice.page.keyboard.press('m');
    await noted('unmute-audio');
    await alice.hears(['phone']);
  });

  await step('receiving less of somebody, and all of them again, is another address each time', async (t) => {
    for (let turn = 0; turn < 2; turn += 1) {
      const [{ url }] = emulator.page.data.players;
      emulator.find('#video').tap();
      await until('another address', () => emulator.page.data.players[0].url !== url);
      if (turn === 0) await hearsAliceAlone(t, caller);
    }
    await until('a picture', () => (emulator.players()[0]?.state.framesShown ?? 0) > 0);
  });

  await step('the audience is not seen, and can come back on stage', async (t) => {
    emulator.find('#role').tap();
    await gone(alice, '42');
    await until('no pusher', () => emulator.pushers().length === 0);
    emulator.find('#role').tap();
    await alice.sees(t, '42', 'phone');
  });

  await step('whoever was in the background for long rejoins, and gets new addresses', async (t) => {
    const before = [emulator.page.data.pushers[0].url, emulator.page.data.players[0].url];
    await relay.refuse();
    emulator.background({ loseSockets: true, loseMedia: true });
    await gone(alice, '42');
    await relay.accept();
    emulator.foreground();
    await until('both sides anew', () => {
      const { pushers: [pusher], players: [player] } = emulator.page.data;
      return pusher?.url !== before[0] && player && player.url !== before[1];
    });
    await alice.sees(t, '42', 'phone');
    await showsAlice(t, caller);
    assert.deepEqual(log().filter(({ what }) => what === 'error').map(({ detail }) => detail), [904]);
    assert.equal(emulator.sockets, 1);
  });

  await step('whoever leaves is gone', async () => {
    emulator.wx.reLaunch({ url: '/pages/call/call?channel=elsewhere&uid=42&role=audience' });
    await gone(alice, '42');
    assert.deepEqual(emulator.errors, []);
    assertNoErrors(alice);
  });
});

test('a voice call has sound alone', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=voice' });
  await alice.join();
  const caller = await phone(scope, { dir: join(PROGRAMS, 'agora'), modules: await agora(scope), start: 'pages/call/call?channel=voice&uid=43&voice=true' });
  await alice.hears(['phone']);
  assert.equal(await alice.tile('43').locator('video').isVisible(), false);
  const { emulator, until } = caller;
  await until('one player', () => emulator.players().length === 1);
  await showsAlice(t, caller);
  assert.deepEqual(emulator.errors, []);
});

test('a token that runs out is told, and so is one that is no good', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const claims = { app: APP, room: 'r1', uid: '44', role: 'audience', format: 'agora-007' };
  const [long, short, wrong] = await Promise.all([
    makeToken(scope, CONFIG, { ...claims, ttl: '31s' }), makeToken(scope, CONFIG, { ...claims, ttl: '1s' }), makeToken(scope, CONFIG, { ...claims, uid: '45' }),
  ]);
  const modules = await agora(scope);
  /** @param {string} token */
  const start = (token) => phone(scope, {
    dir: join(PROGRAMS, 'agora'), modules, start: `pages/call/call?app=${APP}&channel=r1&uid=44&role=audience&token=${token}`,
  });
  const refused = await start(wrong);
  await refused.noted('join failed');
  assert.deepEqual(refused.log(), [{ what: 'join failed', detail: 901 }]);
  const { emulator, noted, log } = await start(long);
  await noted('token-privilege-will-expire');
  emulator.page.instance.renew(short);
  await noted('renewed');
  await noted('token-privilege-did-expire');
  emulator.page.instance.renew(long);
  await sleep(100);
  assert.deepEqual(log().filter(({ what }) => /error|failed|banned/.test(what)), []);
  assert.equal(emulator.page.instance.client.isConnected(), false);
  assert.deepEqual(emulator.errors, []);
});

test('a program for the plugin holds a call with a browser through the component', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=plugin' });
  await alice.join();
  const files = new Map([...filesIn(join(PROGRAMS, 'plugin')), ...filesIn(COMPONENTS, 'components/')]);
  files.set('lib/queqiao-plugin.js', readFileSync(await bundle('plugin', scope.tempDir())));
  const caller = await phone(scope, { dir: { files }, start: 'pages/call/call?channel=plugin&uid=46' });
  const { emulator, until, log } = caller;
  await Promise.all([alice.sees(t, '46', 'phone'), alice.hears(['phone'])]);
  await showsAlice(t, caller);
  assert.deepEqual(/** @type {any[]} */ (log()).find(({ name }) => name === 'joinedChannel'), { name: 'joinedChannel', detail: 'alice' });
  await until('network quality', () => /** @type {any[]} */ (log()).some(({ name }) => name === 'network-quality'));
  emulator.find('#camera').tap();
  await until('the picture is gone', async () => !/shown/.test((await alice.tile('46').getAttribute('class')) ?? ''));
  await alice.hears(['phone']);
  emulator.find('#camera').tap();
  await alice.tileIs('46', /shown/);
  emulator.wx.reLaunch({ url: '/pages/call/call?channel=elsewhere&uid=46' });
  await gone(alice, '46');
  assert.deepEqual(/** @type {any[]} */ (log()).filter(({ name }) => name === 'error'), []);
  assert.deepEqual(emulator.errors, []);
  assertNoErrors(alice);
});

/**
 * @param {string} folder @param {string} [prefix] of their paths in the package
 * @returns {[string, Buffer][]}
 */
function filesIn(folder, prefix = '') {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return [prefix + path.slice(join(folder, '/').length), readFileSync(path)];
  });
}
