import assert from 'node:assert/strict';
import test from 'node:test';
import { arrange, grid } from '../page/call/layout.js';
import { durationText } from '../page/call/duration.js';
import { featured, hueOf, initials, meterFill, personOf, tilesOf, Voices } from '../page/model.js';
import { friendlyUid, joinLink, readLink } from '../page/place.js';
import { joinedNews, leftNews } from '../page/news.js';
import { qualityOf, USUAL_QUALITY } from '../page/qualities.js';
import { Store } from '../page/store.js';
import { fakeUser } from './fake-sdk.mjs';

const place = { app: 'demo', room: '房间 1&2' };

test('a link names app, room, user and role, and carries its token in the fragment', () => {
  const link = readLink({ search: '?app=demo&room=a%20b&uid=42&role=audience', hash: '#token=t.o.k' });
  assert.deepEqual(link, { app: 'demo', room: 'a b', uid: '42', role: 'audience', token: 't.o.k' });
});

test('a token in the query, a role that there is not, blanks and giants are not taken', () => {
  assert.deepEqual(readLink({ search: '?token=t&role=king&room=%20', hash: '' }), {});
  assert.deepEqual(readLink({ search: '', hash: `#token=${'x'.repeat(4097)}` }), {});
  assert.equal(readLink({ search: `?uid=${'u'.repeat(200)}`, hash: '' }).uid?.length, 128);
});

test('a link to a room reads back, and names neither the one who sends it nor a token', () => {
  const link = new URL(joinLink('https://call.example', { ...place, role: 'audience' }));
  assert.deepEqual(readLink(link), { ...place, role: 'audience' });
  assert.deepEqual(readLink(new URL(joinLink('https://call.example', place))), place);
});

test('an invented uid has four digits', () => {
  assert.equal(friendlyUid('web', 0), 'web-1000');
  assert.equal(friendlyUid('web', 0.999999), 'web-9999');
});

test('a person is muted, silent or heard, and has a picture or none', () => {
  const user = (/** @type {object} */ traits) => personOf(fakeUser(42, traits));
  assert.equal(user({}).sound, 'on');
  assert.equal(user({ audioMuted: true }).sound, 'off');
  assert.equal(user({ hasAudio: false, audioMuted: true }).sound, 'off');
  assert.equal(user({ hasAudio: false }).sound, 'none');
  assert.equal(user({ videoMuted: true }).picture, false);
  assert.equal(user({}).key, '42');
  assert.equal(user({ platform: 'toaster' }).platform, 'native');
});

test('screens come first, and the audience has no tile', () => {
  const people = [
    personOf(fakeUser('a')),
    personOf(fakeUser('b', { hasScreen: true })),
    personOf(fakeUser('c', { role: 'audience' })),
  ];
  assert.deepEqual(tilesOf(people).map(({ id }) => id), ['screen:b', 'camera:a', 'camera:b']);
});

test('the pinned tile is large, else the screens of others, never one’s own', () => {
  const self = { ...personOf(fakeUser('me', { hasScreen: true })), self: true };
  const other = personOf(fakeUser('b', { hasScreen: true }));
  const ids = (/** @type {any[]} */ people, /** @type {string | null} */ pinned) => featured(tilesOf(people), pinned).map(({ id }) => id);
  assert.deepEqual(ids([self, other], 'camera:b'), ['camera:b']);
  assert.deepEqual(ids([self, other], null), ['screen:b']);
  assert.deepEqual(ids([self], null), []);
  assert.deepEqual(ids([personOf(fakeUser('c'))], 'camera:gone'), []);
});

test('initials tell people apart', () => {
  assert.deepEqual(['alice', 'web-4821', '小明', 'mei phone', '-'].map(initials), ['A', 'W21', '小', 'MP', '?']);
  assert.ok([...'abcdefgh'].every((key) => hueOf(key) >= 0 && hueOf(key) < 8));
  assert.equal(hueOf('alice'), hueOf('alice'));
});

test('somebody speaks until they have paused', () => {
  const voices = new Voices();
  const at = (/** @type {number} */ level, /** @type {number} */ ms) => voices.update(new Map([['a', level]]), ms).has('a');
  assert.equal(at(0.55, 0), false, 'a quiet room');
  assert.equal(at(0.7, 100), true);
  assert.equal(at(0.55, 200), true, 'the end of a word');
  assert.equal(at(0.1, 700), true, 'a pause between words');
  assert.equal(at(0.1, 900), false);
  assert.equal(voices.update(new Map(), 1000).size, 0);
});

test('a meter is empty in a quiet room and full at the loudest', () => {
  assert.deepEqual([0, 0.3, 1].map(meterFill), [0, 0, 1]);
  assert.ok(meterFill(0.7) > 0.5);
});

/** @param {readonly ({ x: number, y: number, width: number, height: number } | null)[]} boxes */
function overlaps(boxes) {
  const shown = boxes.filter((box) => box !== null);
  return shown.some((a, i) =>
    shown.slice(i + 1).some((b) => a.x < b.x + b.width - 0.5 && b.x < a.x + a.width - 0.5 && a.y < b.y + b.height - 0.5 && b.y < a.y + a.height - 0.5),
  );
}

const stages = [
  { width: 1416, height: 760 },
  { width: 1000, height: 620 },
  { width: 374, height: 690 },
  { width: 780, height: 250 },
];

test('any number of tiles stands on any stage, apart from each other and within it', () => {
  for (const area of stages) {
    for (let count = 1; count <= 30; count += 1) {
      const { boxes, height } = grid(count, area);
      const what = `${count} on ${area.width}x${area.height}`;
      assert.equal(boxes.length, count, what);
      assert.equal(overlaps(boxes), false, what);
      for (const box of boxes) {
        assert.ok(box.x >= -0.5 && box.x + box.width <= area.width + 0.5, what);
        assert.ok(box.y >= -0.5 && box.y + box.height <= height + 0.5, what);
        assert.ok(box.width >= 100 && box.height >= 60, `${what}: ${box.width}x${box.height}`);
      }
    }
  }
});

test('a large tile has most of the stage, and the others a strip, as many as have room', () => {
  for (const area of stages) {
    for (const small of [0, 1, 5, 30, 80]) {
      const places = arrange({ large: 1, small }, area);
      const [large] = places.large;
      assert.ok(large && large.width * large.height >= area.width * area.height * (small === 0 ? 1 : 0.5));
      const all = [...places.large, ...places.small, places.rest];
      assert.equal(overlaps(all), false, `${small} beside one on ${area.width}x${area.height}`);
      assert.equal(places.rest !== null, places.small.includes(null));
    }
  }
});

test('an empty stage has no tiles', () => {
  assert.deepEqual(grid(0, stages[0] ?? { width: 1, height: 1 }).boxes, []);
  assert.deepEqual(grid(3, { width: 0, height: 0 }).boxes, []);
});

test('comings and goings are told while the room is small, removals always', () => {
  assert.equal(joinedNews(3), 'toast.joined');
  assert.equal(joinedNews(20), null);
  assert.equal(leftNews('Quit', 3), 'toast.left');
  assert.equal(leftNews('Quit', 20), null);
  assert.equal(leftNews('kicked', 20), 'toast.kicked');
  assert.equal(leftNews('ServerTimeOut', 3), 'toast.timed_out');
});

test('a quality that there is not is the usual one', () => {
  assert.equal(qualityOf('8k').id, USUAL_QUALITY);
});

test('the length of a call has hours only when it needs them', () => {
  assert.deepEqual([5, 65, 3600, 3905].map(durationText), ['0:05', '1:05', '1:00:00', '1:05:05']);
});

test('changes made in one go are told once, and only to who watches them', async () => {
  const store = new Store({ a: 1, b: 1 });
  /** @type {number[]} */
  const seen = [];
  const stop = store.watch(({ a }) => [a], ({ a }) => seen.push(a));
  store.set({ a: 2 });
  store.set({ a: 3 });
  store.set({ b: 2 });
  await Promise.resolve();
  assert.deepEqual(seen, [1, 3]);
  store.set({ b: 3 });
  await Promise.resolve();
  stop();
  store.set({ a: 4 });
  await Promise.resolve();
  assert.deepEqual(seen, [1, 3]);
});
