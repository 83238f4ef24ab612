import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

const require = createRequire(new URL('../demo/', import.meta.url));
const { layout, styleOf } = require('./utils/layout.js');
const { callPath, invitePath, newUid, readOptions, uidOf, wrongField } = require('./utils/room.js');
const { hueOf, initialsOf } = require('./utils/names.js');
const { figuresOf, durationOf } = require('./utils/figures.js');
const { codeText, isDeviceCode } = require('./utils/codes.js');
const { CodeLog } = require('./utils/diagnosis.js');
const { barsOf } = require('./utils/quality.js');
const { peopleOf } = require('./utils/people.js');
const { arrange, ME } = require('./pages/call/stage.js');
const { pick, textsIn } = require('./i18n/index.js');
const { en } = require('./i18n/en.js');
const { zh } = require('./i18n/zh.js');

const area = ({ width, height }) => width * height;

/** How much of two boxes is the same place. */
function overlap(a, b) {
  const along = (x, width) => Math.min(a[x] + a[width], b[x] + b[width]) - Math.max(a[x], b[x]);
  return Math.max(0, along('x', 'width')) * Math.max(0, along('y', 'height'));
}

const SIDES = [false, true];
const COUNTS = [1, 2, 3, 4, 5, 6, 7];

test('tiles side by side fill the stage and lie over nobody, however many and however the phone is held', () => {
  for (const lying of SIDES) {
    for (const count of COUNTS) {
      const boxes = layout(count, { lying });
      assert.equal(boxes.length, count);
      const whole = boxes.reduce((sum, box) => sum + area(box), 0);
      assert.ok(Math.abs(whole - 10_000) < 0.01, `${count} tiles fill ${whole}`);
      boxes.forEach((a, index) => boxes.slice(index + 1).forEach((b) => assert.ok(overlap(a, b) < 0.01, `${count} tiles`)));
    }
  }
});

test('no tile is less than a quarter of the largest', () => {
  for (const lying of SIDES) {
    for (const count of COUNTS) {
      const areas = layout(count, { lying }).map(area);
      assert.ok(Math.min(...areas) * 4 >= Math.max(...areas), `${count} tiles: ${areas}`);
    }
  }
});

test('more tiles than a phone plays still have a place each', () => {
  for (const lying of SIDES) {
    for (const count of [8, 9, 10, 17]) assert.equal(layout(count, { lying }).length, count);
  }
});

test('of two, one lies in a corner of the other, and they change places', () => {
  for (const lying of SIDES) {
    const [whole, corner] = layout(2, { lying, inset: true });
    assert.equal(area(whole), 10_000);
    assert.ok(corner.above && area(corner) < 1500 && corner.x + corner.width < 100 && corner.y > 0);
    const [small, large] = layout(2, { lying, inset: true, focus: 1 });
    assert.deepEqual([small, large], [corner, whole]);
  }
});

test('an enlarged tile has most of the stage, and the others stand beside it', () => {
  for (const lying of SIDES) {
    for (const count of COUNTS.slice(1)) {
      const focus = count - 1;
      const boxes = layout(count, { lying, focus });
      assert.ok(area(boxes[focus]) > 7_000);
      for (const box of boxes) {
        assert.ok(box.x >= -0.01 && box.y >= -0.01 && box.x + box.width <= 100.01 && box.y + box.height <= 100.01);
        if (box !== boxes[focus]) assert.ok(overlap(box, boxes[focus]) < 0.01);
      }
    }
  }
});

test('a focus on somebody who has gone changes nothing', () => {
  assert.deepEqual(layout(3, { focus: 5 }), layout(3));
});

test('a box becomes a style of at most two decimals', () => {
  assert.equal(styleOf({ x: 100 / 3, y: 0, width: 50, height: 100, above: true }), 'left:33.33%;top:0%;width:50%;height:100%;z-index:2');
});

const CALL = { server: 'https://media.example.com', app: 'demo', room: '会议 & 1', uid: 'phone-1', role: 'host', video: true };

test('what the call page is told comes back out of its address', () => {
  for (const video of [true, false]) {
    const call = { ...CALL, role: video ? 'host' : 'audience', video };
    const options = Object.fromEntries(callPath(call).split('?')[1].split('&').map((pair) => pair.split('=')));
    assert.deepEqual(readOptions(options), call);
  }
});

test('an invitation names the room, and neither uid nor role', () => {
  const options = Object.fromEntries(invitePath(CALL).split('?')[1].split('&').map((pair) => pair.split('=')));
  assert.deepEqual(readOptions(options), { server: CALL.server, app: CALL.app, room: CALL.room });
});

test('options that are no addresses are read as they are, and unknown roles not at all', () => {
  assert.deepEqual(readOptions({ room: '100%', role: 'admin' }), { room: '100%' });
});

test('the first field that cannot be right is named', () => {
  const call = { ...CALL, room: 'r1' };
  assert.equal(wrongField(call), null);
  assert.equal(wrongField({ ...call, server: 'media.example.com' }), 'server');
  assert.equal(wrongField({ ...call, server: 'ws://127.0.0.1:8080' }), null);
  assert.equal(wrongField({ ...call, app: '' }), 'app');
  assert.equal(wrongField({ ...call, room: 'a b' }), 'room');
  assert.equal(wrongField({ ...call, room: '房'.repeat(42) }), null);
  assert.equal(wrongField({ ...call, room: '房'.repeat(43) }), 'room');
  assert.equal(wrongField({ ...call, uid: 'a/b' }), 'uid');
});

test('a uid of digits is a number, unless it would not come back the same', () => {
  assert.deepEqual(['42', '0', '007', '1234567890123456', 'a1'].map(uidOf), [42, 0, '007', '1234567890123456', 'a1']);
});

test('new uids are easy to read out', () => {
  assert.match(newUid(0), /^phone-\d{4}$/);
  assert.match(newUid(0.999_99), /^phone-\d{4}$/);
});

test('a few letters and a colour stand for a uid, in whatever form', () => {
  assert.deepEqual(['alice', 'phone-4821', '小明', 7].map(initialsOf), ['A', 'P21', '小', '7']);
  assert.equal(hueOf(42), hueOf('42'));
});

test('figures say what is known of them', () => {
  assert.equal(figuresOf({}), '');
  assert.equal(
    figuresOf({ videoWidth: 368, videoHeight: 640, videoFPS: 14.8, videoBitrate: 420, audioBitrate: 48, netJitter: 12 }),
    '368×640 · 15 fps · 420 + 48 kbit/s · ± 12 ms',
  );
  assert.equal(figuresOf({ videoWidth: 0, videoHeight: 0, audioBitrate: 48 }), '0 + 48 kbit/s');
});

test('a duration has hours only if there are some', () => {
  assert.deepEqual([0, 59, 61, 3_723].map(durationOf), ['00:00', '00:59', '01:01', '1:02:03']);
});

test('codes are said in both languages, and unknown ones not at all', () => {
  assert.equal(codeText(1002, 'zh'), '开始推流');
  assert.equal(codeText(-1307, 'en'), 'push given up');
  assert.equal(codeText(6000, 'zh'), '');
  assert.deepEqual([10001, -1302, -1307, null].map(isDeviceCode), [true, true, false, false]);
});

test('the latest codes are kept, the newest first', () => {
  const log = new CodeLog('en');
  for (let code = 1; code <= 60; code += 1) log.add(code, 'me', new Date(2026, 0, 1, 9, 8, code % 60));
  assert.equal(log.lines.length, 40);
  assert.match(log.lines[0].text, /^09:08:00 {2}me {2}60$/);
  assert.equal(new Set(log.lines.map(({ key }) => key)).size, 40);
});

test('three bars for a good network, one for a bad one, none for an unknown one', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map(barsOf), [0, 3, 3, 2, 1, 1, 1]);
});

test('people are listed with oneself first and hosts before audience', () => {
  const person = (uid, role, more = {}) => ({ uid, role, platform: 'web', state: 'connected', ...more });
  const others = [person('a', 'audience'), person(7, 'host', { state: 'reconnecting' }), person('x', 'host', { platform: 'fridge' })];
  const people = peopleOf({ uid: 'me', role: 'host' }, others, (uid) => (uid === 7 ? 6 : 0), en);
  assert.deepEqual(people.map(({ key }) => key), ['me', '7', 'x', 'a']);
  assert.deepEqual(people.map(({ note }) => note), [
    'Host · Mini-program', 'Host · Browser · Connection lost', 'Host · Other', 'Audience · Browser',
  ]);
  assert.equal(people[1].level, 6);
});

const pusher = { key: '1', stream: 'camera', url: 'rtmp://h/1', phase: 'live' };
const player = (uid, more = {}) => ({
  key: String(uid), id: `player-${uid}-camera`, uid, stream: 'camera', url: `rtmp://h/${uid}`, phase: 'live', audio: 'live', video: 'live',
  orientation: 'vertical', ...more,
});

/** @param {object} scene */
const stage = (scene) => arrange({
  pushers: [], players: [], published: 0, uid: 1, participant: () => ({ platform: 'web', state: 'connected' }), level: () => 0, shown: true, mic: 'live',
  focus: null, lying: false, texts: textsIn('en'), ...scene,
});

test('a tile shows a face in place of a picture that is held back, and whose microphone is off', () => {
  const { players } = stage({ players: [player('a', { video: 'muted', audio: 'muted' }), player('b')] });
  assert.deepEqual(players.map(({ face, mic, icon }) => [face, mic, icon]), [[true, 'muted', 'browser'], [false, 'live', 'browser']]);
});

test('a tile says what its picture waits for', () => {
  const veils = (phase, state) => stage({ players: [player('a', { phase })], participant: () => ({ platform: 'web', state }) }).players[0].veil;
  assert.equal(veils('live', 'connected'), '');
  assert.equal(veils('starting', 'connected'), en.tile_connecting);
  assert.equal(veils('retrying', 'connected'), en.tile_retrying);
  assert.equal(veils('failed', 'connected'), en.tile_failed);
  assert.equal(veils('live', 'reconnecting'), en.tile_away);
});

test('a shared screen is shown whole and under its owner’s name', () => {
  const [tile] = stage({ players: [player('a', { stream: 'screen', id: 'player-a-screen' })] }).players;
  assert.equal(tile.fit, 'contain');
  assert.equal(tile.name, 'a’s screen');
});

test('oneself lies in the corner of the only other, and is enlarged by a tap', () => {
  const scene = { players: [player('a')], pushers: [pusher] };
  assert.equal(stage(scene).pushers[0].small, true);
  const swapped = stage({ ...scene, focus: ME });
  assert.equal(swapped.pushers[0].small, false);
  assert.equal(swapped.players[0].small, true);
});

test('the audience sees two people side by side, neither in a corner', () => {
  const { players } = stage({ players: [player('a'), player('b')] });
  assert.ok(players.every(({ style }) => style.endsWith('z-index:1')));
});

test('who is not shown because a phone plays no more is counted', () => {
  const players = ['a', 'b', 'c', 'd', 'e', 'f'].map((uid) => player(uid));
  assert.equal(stage({ players, published: 6 }).hidden, '');
  assert.match(stage({ players, published: 8 }).hidden, /^A phone plays 6 streams at most; 2 more/);
  assert.equal(stage({ players: players.slice(1), published: 8 }).hidden, '', 'one is about to be shown');
});

test('items keep what the components need', () => {
  const { players, pushers } = stage({ players: [player('a')], pushers: [pusher] });
  assert.equal(players[0].url, 'rtmp://h/a');
  assert.equal(players[0].key, 'a');
  assert.equal(pushers[0].url, pusher.url);
});

test('both languages say the same things, and fill in the same values', () => {
  assert.deepEqual(Object.keys(en).sort(), Object.keys(zh).sort());
  const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of Object.keys(zh)) assert.deepEqual(places(en[key]), places(zh[key]), key);
});

test('the language follows the phone, English for those that are not Chinese', () => {
  assert.deepEqual(['zh_CN', 'zh-Hant', 'en', 'fr'].map(pick), ['zh', 'zh', 'en', 'en']);
});

test('errors are said in words, unknown ones with their reason', () => {
  const { sayError } = textsIn('en');
  assert.equal(sayError({ reason: 'room_full', message: 'x' }), en.error_room_full);
  assert.match(sayError({ reason: 'no_such_thing', message: 'x' }), /no_such_thing/);
});
