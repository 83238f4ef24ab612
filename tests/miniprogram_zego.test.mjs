/** A mini-program that is written to ZEGO's Express SDK, in a call with a browser. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { bundle } from '../miniprogram/scripts/build.mjs';
import { launch as launchBrowser } from './lib/chromium.mjs';
import { report, summary } from './lib/content.mjs';
import { assertNoErrors, CAST, FEWEST, Guest, SPAN } from './lib/guest.mjs';
import { phoneCamera, record } from './lib/phone.mjs';
import { Scope, scopeOf, sleep } from './lib/scope.mjs';
import { appConfig, makeToken, startServer } from './lib/server.mjs';
import { steps } from './lib/steps.mjs';

const PROGRAM = fileURLToPath(new URL('miniprograms/zego', import.meta.url));
const ROOM = 'zego-room';
/** ZEGO's apps are numbers. */
const APP = '2468101214';
const CONFIG = appConfig(APP, '3a61e8d04c7f4b25919d0e6ab2f8c573');
/** How long content is looked at. */
const LOOK_MS = 2_000;
/** When something has to have happened: players that start are several programs each. */
const PATIENCE_MS = 30_000;

const scope = new Scope();
/** @type {import('./lib/suite.mjs').Suite} */
let s;
before(async () => {
  s = { scope, server: await startServer(scope, { config: CONFIG }), browser: await launchBrowser(scope) };
}, { timeout: 40_000 });
after(() => scope.close(), { timeout: 20_000 });

/** Such as a back end makes that was written for ZEGO. @param {string} uid */
const tokenOf = (uid) => makeToken(scope, CONFIG, { app: APP, room: ROOM, uid, role: 'host', format: 'zego-04' });

/**
 * A phone with the program on it.
 * @param {import('./lib/scope.mjs').Scope} life
 * @param {{ uid: string, name: string, token: string, streamID: string }} who
 */
async function phone(life, who) {
  /** @type {string[]} */
  const lines = [];
  const query = Object.entries({ room: ROOM, ...who }).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  const emulator = await launch({
    dir: PROGRAM,
    server: `http://${s.server.http}`,
    modules: { 'lib/zego-express-engine.js': await bundle('zego', life.tempDir()) },
    start: `pages/room/room?${query}`,
    device: { camera: phoneCamera(CAST.phone) },
    log: (line) => lines.push(line),
  });
  life.defer(() => emulator.close());
  const { page } = emulator;
  /** @param {string} what @param {() => unknown} check @returns {Promise<any>} */
  const until = (what, check) => emulator.until(check, { what, timeoutMs: PATIENCE_MS });
  /** The newest of an event, once it is as it should be. @param {string} name @param {(...args: any[]) => unknown} [fits] */
  const heard = (name, fits = () => true) => until(`${name} that ${fits}`, () =>
    page.data.log.findLast((/** @type {any[]} */ [event, ...args]) => event === name && fits(...args)));
  return { emulator, page, until, heard, lines };
}

/**
 * What the one player shows and plays in two seconds, once that is as it should be: it may have to start first.
 * @param {import('node:test').TestContext} t @param {Awaited<ReturnType<typeof phone>>} on
 * @param {(seen: import('./lib/content.mjs').Report) => boolean} fits
 */
async function look(t, { emulator, until }, fits) {
  const seen = await until('the player to show and play what it should', async () => {
    const [player, ...others] = emulator.players();
    if (!player || others.length > 0) return null;
    const recording = record(player);
    await sleep(LOOK_MS);
    const found = report(recording);
    t.diagnostic(`the phone: ${summary(found)}`);
    return fits(found) ? found : null;
  });
  assert.ok(Math.abs(seen.hertz - CAST.alice.tone) < 6, summary(seen));
  return seen;
}

/** @param {import('node:test').TestContext} t @param {Awaited<ReturnType<typeof phone>>} on */
async function showsAlice(t, on) {
  const seen = await look(t, on, ({ frames, hertz }) => frames >= FEWEST && hertz > 0);
  assert.ok(seen.frames - seen.unreadable >= FEWEST && seen.backward === 0, summary(seen));
  assert.ok(seen.first >= CAST.alice.firstNumber && seen.last < CAST.alice.firstNumber + SPAN, 'it shows somebody else');
}

test('a program for ZEGO’s Express SDK holds a call with a browser, on Queqiao', { timeout: 180_000 }, async (t) => {
  const life = scopeOf(t);
  const [phoneToken, otherToken, aliceToken] = await Promise.all([
    tokenOf('u42'), tokenOf('u43'), makeToken(scope, CONFIG, { app: APP, room: ROOM, uid: 'alice', role: 'host' }),
  ]);
  const who = { uid: 'u42', name: '喜鹊', token: phoneToken, streamID: 'phone@u42' };
  const alice = await Guest.open(s, life, 'alice', { query: `app=${APP}&room=${ROOM}`, hash: `#token=${aliceToken}` });
  await alice.join();
  const device = await phone(life, who);
  const { emulator, page, until, heard, lines } = device;
  const step = steps(t, async () => `${lines.slice(-30).join('\n')}\n${await alice.diagnosis()}`);

  await step('both see and hear each other', async () => {
    page.find('#enter').tap();
    await heard('roomStreamUpdate', (_room, type, [stream]) => type === 'ADD' && stream.streamID === 'alice');
    page.find('#publish').tap();
    await alice.sees(t, 'u42', 'phone');
    await alice.hears(['phone']);
    await showsAlice(t, device);
    await heard('publisherStateUpdate', ({ streamID, state }) => streamID === 'phone@u42' && state === 'PUBLISHING');
    await heard('playerStateUpdate', ({ streamID, state }) => streamID === 'alice' && state === 'PLAYING');
    await heard('publishQualityUpdate', (_id, { video, audio }) => video.videoBitrate > 0 && audio.audioBitrate > 0);
    assert.equal(page.find('.count').text, '2 here');
  });

  await step('another phone learns name and stream, and cannot publish under the same id', async () => {
    const other = await phone(life, { uid: 'u43', name: '织女', token: otherToken, streamID: 'phone@u42' });
    other.page.find('#enter').tap();
    const [, , , streams] = await other.heard('roomStreamUpdate', (_room, _type, list) => list.length === 2);
    const { user, extraInfo } = streams.find((/** @type {any} */ { streamID }) => streamID === 'phone@u42');
    assert.deepEqual({ ...user, extraInfo }, { userID: 'u42', userName: '喜鹊', extraInfo: 'from the phone' });
    await heard('roomUserUpdate', (_room, type, [joined]) => type === 'ADD' && joined.userName === '织女');
    other.page.find('#publish').tap();
    await other.heard('publish', (errorCode) => errorCode === 1103056);
    other.page.find('#leave').tap();
    await other.until('no players', () => other.emulator.players().length === 0);
    assert.deepEqual(other.emulator.errors, []);
    await other.emulator.close();
    await heard('roomUserUpdate', (_room, type, [left]) => type === 'DELETE' && left.userName === '织女');
  });

  await step('the phone is not heard while its microphone is off', async () => {
    page.find('#mic').tap();
    await alice.hears([]);
    page.find('#mic').tap();
    await alice.hears(['phone']);
  });

  await step('pictures that are not wanted do not come, and come again', async () => {
    page.find('#sound-only').tap();
    await look(t, device, ({ frames, hertz }) => frames === 0 && hertz > 0);
    page.find('#sound-only').tap();
    await showsAlice(t, device);
  });

  await step('messages go both ways', async () => {
    page.find('#greet').tap();
    await alice.isTold(/u42: hello from the phone/);
    await alice.says('hello back');
    const [, , [{ fromUser, message }]] = await heard('IMRecvBroadcastMessage');
    assert.deepEqual([fromUser.userID, message], ['alice', 'hello back']);
    await alice.on('chat').click();
  });

  await step('a shared screen is a stream of its own', async () => {
    await alice.on('screen').click();
    const screen = await until('the screen', () => emulator.players().length === 2 && page.findAll('.other').at(-1));
    assert.equal(screen.id, 'alice_screen');
    await until('its picture', () => screen.media.state.framesShown > 0);
    await alice.on('screen').click();
    await until('the camera alone', () => emulator.players().length === 1);
  });

  await step('after the background, in which everything was lost, the SDK is back by itself', async () => {
    emulator.background({ loseSockets: true, loseMedia: true });
    await until('the loss', () => page.data.state === 'CONNECTING');
    emulator.foreground();
    await until('the room', () => page.data.state === 'CONNECTED');
    await showsAlice(t, device);
    await alice.hears(['phone']);
  });

  await step('whose user logs in elsewhere is told so and has nothing left, and may come again', async () => {
    const elsewhere = await phone(life, who);
    elsewhere.page.find('#enter').tap();
    await heard('roomStateChanged', (_room, reason, code) => reason === 'KICKOUT' && code === 1002050);
    await until('nothing is left', () => emulator.pushers().length + emulator.players().length === 0 && emulator.sockets === 0);
    await elsewhere.emulator.close();
    page.find('#enter').tap();
    await until('the room', () => page.data.state === 'CONNECTED');
    page.find('#publish').tap();
    await alice.hears(['phone']);
    page.find('#leave').tap();
    await until('nothing is left', () => emulator.pushers().length + emulator.players().length === 0 && emulator.sockets === 0);
  });

  assert.deepEqual(page.data.log.filter((/** @type {any[]} */ [what]) => ['login', 'publish', 'play'].includes(what)), []);
  assert.deepEqual(emulator.errors, []);
  assertNoErrors(alice);
});

test('a token for somebody else lets nobody in, and says so in ZEGO’s words', { timeout: 60_000 }, async (t) => {
  const { page, heard, emulator } = await phone(scopeOf(t), { uid: 'mallory', name: 'M', token: await tokenOf('u42'), streamID: 'm' });
  page.find('#enter').tap();
  await heard('login', (errorCode) => errorCode === 1102016);
  await heard('roomStateChanged', (_room, reason, code) => reason === 'LOGIN_FAILED' && code === 1102016);
  assert.deepEqual(emulator.errors, []);
});
