/** A mini-program that is written to Volcengine's SDK, in a call with a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { bundle } from '../miniprogram/scripts/build.mjs';
import { report, summary } from './lib/content.mjs';
import { assertNoErrors, CAST, FEWEST, Guest, SOON, SPAN } from './lib/guest.mjs';
import { phoneCamera, record } from './lib/phone.mjs';
import { scopeOf, sleep } from './lib/scope.mjs';
import { steps } from './lib/steps.mjs';
import { suite } from './lib/suite.mjs';

const PROGRAM = fileURLToPath(new URL('miniprograms/volcengine', import.meta.url));
/** How long content is looked at. */
const LOOK_MS = 2_000;

const s = suite();

/** What a player shows and plays in two seconds. @param {any} player */
async function look(player) {
  const seen = record(player);
  await sleep(LOOK_MS);
  return report(seen);
}

test('a program for Volcengine’s SDK holds a call with a browser, on Queqiao', { timeout: 150_000 }, async (t) => {
  const scope = scopeOf(t);
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=volcengine' });
  await alice.join();
  /** @type {string[]} */
  const lines = [];
  const emulator = await launch({
    dir: PROGRAM,
    server: `http://${s.server.http}`,
    modules: { 'lib/miniapp-rtc.min.js': await bundle('volcengine', scope.tempDir()) },
    start: 'pages/call/call?room=volcengine&uid=u42',
    device: { camera: phoneCamera(CAST.phone) },
    log: (line) => lines.push(line),
  });
  scope.defer(() => emulator.close());
  const { page } = emulator;
  /** @param {string} what @param {() => unknown} check @returns {Promise<any>} */
  const until = (what, check) => emulator.until(check, { what, timeoutMs: SOON });
  /** @param {string} what */
  const noted = (what) => until(what, () => page.data.log.some((/** @type {any} */ entry) => entry.what === what));
  const showsAlice = async () => {
    const player = await until('one player', () => emulator.players().length === 1 && emulator.players()[0]);
    await until('a picture', () => player.state.framesShown > 0);
    let seen = await look(player);
    // A player that has just begun may still wait for its first pictures and sound.
    for (let tries = 0; tries < 3 && (seen.hertz === 0 || seen.frames < FEWEST); tries += 1) seen = await look(player);
    t.diagnostic(`the phone: ${summary(seen)}`);
    assert.ok(seen.frames - seen.unreadable >= FEWEST && seen.backward === 0, summary(seen));
    assert.ok(seen.first >= CAST.alice.firstNumber && seen.last < CAST.alice.firstNumber + SPAN, 'it shows somebody else');
    assert.ok(Math.abs(seen.hertz - CAST.alice.tone) < 6, summary(seen));
  };
  const step = steps(t, async () => `${lines.slice(-30).join('\n')}\n${await alice.diagnosis()}`);

  await step('both see and hear each other', async () => {
    await alice.sees(t, 'u42', 'phone');
    await alice.hears(['phone']);
    await showsAlice();
    assert.equal(page.find('.peers').text, '1 others');
  });

  await step('the phone is not heard while it is muted at the server', async () => {
    page.find('#mic').tap();
    await alice.hears([]);
    page.find('#mic').tap();
    await alice.hears(['phone']);
  });

  await step('messages go both ways', async () => {
    page.find('#greet').tap();
    await alice.isTold(/u42: hello from the phone/);
    await alice.says('hello back');
    await noted('message');
    assert.equal(page.data.log.at(-1).detail, 'alice: hello back');
    await alice.on('chat').click();
  });

  await step('who switches microphone and camera off is gone until one is on again', async () => {
    await alice.on('mic').click();
    await noted('MUTE_AUDIO');
    await alice.on('camera').click();
    await until('no player', () => emulator.players().length === 0);
    await alice.on('camera').click();
    await alice.on('mic').click();
    await noted('UNMUTE_AUDIO');
    await showsAlice();
  });

  await step('a shared screen is a stream of its own', async () => {
    await alice.on('screen').click();
    const shown = await until('the screen', () => page.findAll('.screen')[0]?.media);
    await until('its picture', () => shown.state.framesShown > 0);
    await alice.on('screen').click();
    await until('the camera alone', () => emulator.players().length === 1);
  });

  await step('somebody who is paused goes on under another address', async () => {
    const { url } = page.data.streams[0];
    page.find('.pause').tap();
    await until('the pause', () => page.find('.pause').text === 'go on');
    page.find('.pause').tap();
    await until('another address', () => page.data.streams[0]?.url !== url);
    const shown = () => emulator.players()[0]?.state.framesShown ?? 0;
    const before = shown();
    await until('pictures again', () => shown() > before);
  });

  await step('who is removed is told, and may come again with a new client', async () => {
    await alice.choose('u42', 'menu-kick');
    await alice.on('dialog-act').click();
    await noted('CLIENT_BANNED');
    page.find('#enter').tap();
    await alice.hears(['phone']);
    await showsAlice();
  });

  assert.deepEqual(page.data.log.filter((/** @type {any} */ { what }) => /join|publish|ERROR|DISCONNECT|FAILED/.test(what)).map(String), []);
  assert.deepEqual(emulator.errors, []);
  assertNoErrors(alice);
});
