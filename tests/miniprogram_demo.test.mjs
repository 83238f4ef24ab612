/** The demo of the mini-program, as it is in the repository, in calls with a browser and with itself. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from 'queqiao-emulator';
import { report, summary } from './lib/content.mjs';
import { assertNoErrors, CAST, FEWEST, Guest, SOON, SPAN } from './lib/guest.mjs';
import { phoneCamera, record } from './lib/phone.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEMO = `${ROOT}miniprogram/demo`;
/** How long content is looked at. */
const LOOK_MS = 1_500;

const s = suite();

/** @typedef {keyof typeof CAST} Name */

/** A browser in a room, that publishes both tracks. @param {import('./lib/scope.mjs').Scope} scope @param {Name} who @param {string} room */
async function openGuest(scope, who, room) {
  const guest = await Guest.open(s, scope, who, { query: `app=demo&room=${room}` });
  // What is not open when it joins is not published.
  await until('the microphone', SOON, async () => Number(await guest.on('meter').getAttribute('aria-valuenow')) > 10);
  await guest.on('preview').locator('video').waitFor();
  await guest.join();
  return guest;
}

/** A phone with the demo on it. */
class Phone {
  /** @type {string[]} */
  lines = [];

  /** @param {import('queqiao-emulator').Emulator} emulator @param {string[]} lines */
  constructor(emulator, lines) {
    this.emulator = emulator;
    this.lines = lines;
  }

  /**
   * @param {import('./lib/scope.mjs').Scope} scope @param {Name} who
   * @param {Partial<import('queqiao-emulator').LaunchOptions>} [options]
   */
  static async open(scope, who, options = {}) {
    /** @type {string[]} */
    const lines = [];
    const emulator = await launch({
      dir: DEMO,
      server: `http://${s.server.http}`,
      device: { camera: phoneCamera(CAST[who]) },
      log: (line) => lines.push(line),
      ...options,
    });
    scope.defer(() => emulator.close());
    return new Phone(emulator, lines);
  }

  /** @param {string} selector */
  tap(selector) {
    this.emulator.find(selector).tap();
  }

  /** Fills in the first page and joins. @param {{ room: string, uid: string }} call */
  async join({ room, uid }) {
    this.emulator.find('#room').input(room);
    this.emulator.find('#uid').input(uid);
    await this.until('the button', () => this.emulator.page.data.uid === uid);
    this.tap('#join');
    await this.until('the call', () => this.emulator.page.route === 'pages/call/call' && this.emulator.page.data.phase === 'in');
  }

  /** @template T @param {string} what @param {() => T} check @returns {Promise<any>} */
  until(what, check) {
    return this.emulator.until(check, { what, timeoutMs: SOON });
  }

  /** @param {string} uid @returns {Promise<any>} its live-player, once it shows something */
  async player(uid) {
    const media = () => this.emulator.findAll('live-player').find(({ dataset }) => dataset['uid'] === uid)?.media;
    return this.until(`a picture of ${uid}`, () => (media()?.state.framesShown > 0 ? media() : null));
  }

  /**
   * Checks that somebody's tile shows and plays who it says.
   * @param {import('node:test').TestContext} t @param {string} uid @param {Name} [who] whose picture and tone they are
   */
  async seesAndHears(t, uid, who = /** @type {Name} */ (uid)) {
    const { firstNumber, tone } = CAST[who];
    const player = await this.player(uid);
    const look = async () => {
      const seen = record(player);
      await sleep(LOOK_MS);
      return report(seen);
    };
    let seen = await look();
    // A player that has just begun may still wait for its first sound, and go slowly at first.
    for (let tries = 0; tries < 3 && (seen.hertz === 0 || seen.frames < FEWEST); tries += 1) seen = await look();
    t.diagnostic(`the phone sees ${uid}: ${summary(seen)}`);
    assert.ok(seen.frames - seen.unreadable >= FEWEST && seen.backward === 0, summary(seen));
    assert.ok(seen.first >= firstNumber && seen.last < firstNumber + SPAN, `it shows somebody else as ${uid}`);
    assert.ok(Math.abs(seen.hertz - tone) < 6, `it plays somebody else as ${uid}: ${summary(seen)}`);
  }
}

/**
 * One step after the other: without one, those after it prove nothing.
 * @param {import('node:test').TestContext} t @param {() => Promise<string>} diagnosis
 */
function stepsOf(t, diagnosis) {
  return async (/** @type {string} */ name, /** @type {(t: import('node:test').TestContext) => Promise<void>} */ run) => {
    let passed = false;
    await t.test(name, async (t) => {
      try {
        await run(t);
        passed = true;
      } catch (error) {
        t.diagnostic(await diagnosis());
        throw error;
      }
    });
    assert.ok(passed, name);
  };
}

test('the demo holds a call with a browser and with another phone', { timeout: 180_000 }, async (t) => {
  const scope = scopeOf(t);
  const alice = await openGuest(scope, 'alice', 'demo');
  const phone = await Phone.open(scope, 'phone');
  const { emulator } = phone;
  const step = stepsOf(t, async () => `${phone.lines.slice(-30).join('\n')}\n${emulator.page.tree()}\n${await alice.diagnosis()}`);

  await step('from the first page to a call in which both see and hear each other', async (t) => {
    await phone.join({ room: 'demo', uid: 'phone' });
    await alice.sees(t, 'phone');
    await alice.hears(['phone']);
    await phone.seesAndHears(t, 'alice');
    assert.equal(emulator.find('#people').text, '2 人');
    assert.equal(emulator.navigationBar['title'], 'demo · 鹊桥');
  });

  await step('who is muted is not heard and not seen, and both are back by another tap', async (t) => {
    phone.tap('#mic');
    phone.tap('#camera');
    await alice.hears([]);
    await phone.until('the face of oneself', () => emulator.page.data.pushers[0]?.face);
    assert.doesNotMatch((await alice.tile('phone').getAttribute('class')) ?? '', /shown/);
    phone.tap('#mic');
    phone.tap('#camera');
    await alice.hears(['phone']);
    await alice.sees(t, 'phone');
  });

  await step('a browser that holds its picture back is a face on the phone, and is still heard', async () => {
    await alice.on('camera').click();
    await phone.until('the face', () => emulator.page.data.players[0]?.face);
    await alice.on('camera').click();
    await phone.until('the picture', () => emulator.page.data.players[0]?.face === false);
  });

  await step('messages go both ways', async () => {
    phone.tap('#chat');
    await phone.until('the field', () => emulator.findAll('#draft').length === 1);
    emulator.find('#draft').input('你好');
    await phone.until('the draft', () => emulator.page.data.draft === '你好');
    phone.tap('#send');
    await alice.isTold(/phone.*你好/s);
    await alice.says('hello back');
    await phone.until('the answer', () => emulator.page.data.messages.at(-1)?.text === 'hello back');
    await alice.on('chat').click();
    emulator.find('.close').tap();
  });

  await step('who leaves the stage only watches, and can come back', async (t) => {
    phone.tap('#more');
    await phone.until('the sheet', () => emulator.findAll('#role').length === 1);
    phone.tap('#role');
    await phone.until('no pusher', () => emulator.pushers().length === 0 && emulator.findAll('#go-up').length === 1);
    await alice.hears([]);
    assert.equal(await alice.tile('phone').count(), 0);
    assert.equal(emulator.players().length, 1, 'the others are still shown');
    phone.tap('#go-up');
    await alice.hears(['phone']);
    await alice.sees(t, 'phone');
  });

  await step('after a while in the background, where sockets and media are lost, everything is back', async (t) => {
    emulator.background({ loseSockets: true, loseMedia: true });
    await alice.hears([]);
    emulator.foreground();
    await alice.hears(['phone']);
    await alice.sees(t, 'phone');
    await phone.seesAndHears(t, 'alice');
    assert.equal(emulator.page.data.phase, 'in');
    assert.equal(emulator.page.data.reconnecting, false);
  });

  const other = await Phone.open(scope, 'bob', { platform: 'ios' });
  await step('another phone joins by voice, and sees and hears the first', async (t) => {
    other.tap('#voice');
    await other.until('the choice', () => other.emulator.page.data.video === false);
    await other.join({ room: 'demo', uid: 'bob' });
    await other.seesAndHears(t, 'phone');
    await alice.hears(['bob', 'phone']);
    await phone.until('three in the room', () => emulator.find('#people').text === '3 人');
    await phone.until('a face', () => emulator.page.data.players.find((/** @type {any} */ { uid }) => uid === 'bob')?.face);
  });

  await step('a call by voice becomes one with pictures', async (t) => {
    other.tap('#camera');
    await phone.seesAndHears(t, 'bob');
    await alice.sees(t, 'bob');
  });

  await step('who leaves is gone for the others at once, and back on the first page', async () => {
    phone.tap('#leave');
    await phone.until('the first page', () => emulator.page.route === 'pages/index/index');
    await alice.tile('phone').waitFor({ state: 'detached', timeout: SOON });
    await other.until('one player', () => other.emulator.players().length === 1);
    await phone.until('no component', () => emulator.pushers().length + emulator.players().length === 0);
    await phone.until('no socket', () => emulator.sockets === 0);
    assert.equal(emulator.page.data.room, 'demo');
  });

  await step('who is removed is told why', async () => {
    await alice.choose('bob', 'menu-kick');
    await alice.on('dialog-act').click();
    await other.until('the end', () => other.emulator.page.data.phase === 'ended');
    assert.match(other.emulator.find('#ended').text, /你被移出了房间/);
    assert.equal(other.emulator.pushers().length, 0);
  });

  assert.deepEqual([emulator.errors, other.emulator.errors], [[], []]);
  assertNoErrors(alice);
});

/** The files of a mini-program that stand in a page of the documentation, each after its path. @param {string} text */
function filesOf(text) {
  return new Map([...text.matchAll(/^```\w+ (\S+)\n(.*?)^```/gms)].map(([, path = '', content = '']) => [path, content]));
}

test('the first page in the documentation is a call', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const files = filesOf(await readFile(`${ROOT}docs/miniprogram.md`, 'utf8'));
  assert.ok(files.has('app.json') && files.has('pages/call/call.js') && files.has('pages/call/call.wxml'));
  files.set('lib/queqiao.js', await readFile(`${DEMO}/lib/queqiao.js`, 'utf8'));
  files.set('images/waiting.png', /** @type {any} */ (await readFile(`${DEMO}/images/waiting.png`)));
  const bob = await openGuest(scope, 'bob', 'first');
  const phone = await Phone.open(scope, 'phone', { dir: { files }, start: 'pages/call/call?room=first&uid=phone' });
  await bob.hears(['phone']);
  await bob.sees(t, 'phone');
  await phone.seesAndHears(t, 'bob');
  phone.tap('#mute');
  await bob.hears([]);
  assert.deepEqual(phone.emulator.errors, []);
  assertNoErrors(bob);
});
