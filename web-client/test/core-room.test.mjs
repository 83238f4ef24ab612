import assert from 'node:assert/strict';
import test from 'node:test';
import { Room } from '../core/room.js';
import { camera, participant } from './core-world.mjs';

/** @param {import('../core/room.js').Change[]} changes shortly */
const say = (changes) => changes.map(({ type, user, stream, kind, ...rest }) => (
  [type, user?.uid, stream, kind, ...['state', 'by', 'role', 'reason', 'key', 'value', 'platform'].map((name) => rest[name])]
    .filter((word) => word !== undefined).join(' ')
));

/** @param {object[]} participants @param {Record<string, string>} [attributes] */
function roomOf(participants, attributes = {}) {
  const room = new Room();
  room.reset({ participants, attributes });
  return room;
}

test('a join tells of everybody who is there, with what they publish and what is muted', () => {
  const room = new Room();
  const changes = room.reset({
    participants: [
      participant('bob', [{ ...camera, audio: 'muted' }, { stream: 'screen', audio: 'absent', video: 'live' }]),
      participant(42, [], { role: 'audience' }),
    ],
    attributes: { topic: 'Monday' },
  });
  assert.deepEqual(say(changes), [
    'user-joined bob', 'user-published bob camera audio', 'track-state bob camera audio muted',
    'user-published bob camera video', 'user-published bob screen video', 'user-joined 42', 'room-attribute topic Monday',
  ]);
});

test('every event about somebody becomes what is different, and nothing if nothing is', () => {
  const room = roomOf([participant('bob')]);
  const uid = 'bob';
  const steps = [
    [{ event: 'stream_published', uid, ...camera, attributes: { title: 'a' } }, ['user-published bob camera audio', 'user-published bob camera video']],
    [{ event: 'stream_published', uid, ...camera, attributes: { title: 'a' } }, []],
    [{ event: 'muted', uid, stream: 'camera', kind: 'audio', state: 'muted' }, ['track-state bob camera audio muted']],
    [{ event: 'muted', uid, stream: 'camera', kind: 'audio', state: 'muted' }, []],
    [{ event: 'muted', uid, stream: 'camera', kind: 'audio', state: 'blocked', by: 'eve' }, ['track-state bob camera audio blocked eve']],
    [{ event: 'muted', uid, stream: 'screen', kind: 'audio', state: 'muted' }, []],
    [{ event: 'stream_attribute', uid, stream: 'camera', key: 'title', value: 'b' }, ['stream-attribute bob camera title b']],
    [{ event: 'stream_changed', uid, stream: 'camera', audio: 'live', video: 'absent' }, ['track-state bob camera audio live', 'user-unpublished bob camera video', 'stream-attribute bob camera title ']],
    [{ event: 'participant_reconnecting', uid }, ['user-connection bob reconnecting']],
    [{ event: 'participant_reconnected', uid }, ['user-connection bob connected']],
    [{ event: 'participant_reconnected', uid }, []],
    [{ event: 'role_changed', uid, role: 'audience' }, ['role-changed bob audience']],
    [{ event: 'stream_unpublished', uid, stream: 'screen' }, []],
    [{ event: 'participant_left', uid, reason: 'kicked' }, ['user-unpublished bob camera audio', 'stream-ended bob camera', 'user-left bob kicked']],
    [{ event: 'participant_left', uid, reason: 'kicked' }, []],
    [{ event: 'stream_published', uid, ...camera }, []],
    [{ event: 'room_attribute', key: 'k', value: 'v', by: 'eve', at: 1 }, ['room-attribute eve k v']],
    [{ event: 'room_attribute', key: 'k', value: null, by: 'eve', at: 1 }, ['room-attribute eve k ']],
    [{ event: 'room_attribute', key: 'k', value: null, by: 'eve', at: 1 }, []],
  ];
  for (const [event, expected] of steps) assert.deepEqual(say(room.apply(event)), expected, JSON.stringify(event));
});

test('a participant who comes in another form replaces what was known and is no second one', () => {
  const room = roomOf([participant('42', [camera])]);
  const before = room.user('42');
  const changes = room.apply({
    event: 'participant_joined',
    participant: participant(42, [{ ...camera, video: 'muted' }], { platform: 'native', role: 'audience' }),
  });
  assert.deepEqual(say(changes), ['platform-changed 42 native', 'role-changed 42 audience', 'track-state 42 camera video muted']);
  assert.equal(room.users.length, 1);
  assert.equal(room.user('42'), before);
  assert.equal(room.user(42)?.uid, 42);
});

test('after a rejoin only real differences are told', () => {
  const room = roomOf([participant('bob', [camera]), participant('carol', [camera]), participant('dave')], { a: '1', b: '2' });
  const same = { participants: [participant('bob', [camera]), participant('carol', [camera]), participant('dave')], attributes: { a: '1', b: '2' } };
  assert.deepEqual(say(room.reset(same)), []);
  const changes = room.reset({
    participants: [
      participant('bob', [{ ...camera, audio: 'muted' }, { stream: 'screen', audio: 'absent', video: 'live' }]),
      participant('dave', [], { state: 'reconnecting' }),
      participant('erin', [camera]),
    ],
    attributes: { b: '3', c: '4' },
  });
  assert.deepEqual(say(changes), [
    'user-unpublished carol camera audio', 'user-unpublished carol camera video', 'stream-ended carol camera', 'user-left carol left',
    'track-state bob camera audio muted', 'user-published bob screen video', 'user-connection dave reconnecting',
    'user-joined erin', 'user-published erin camera audio', 'user-published erin camera video',
    'room-attribute a ', 'room-attribute b 3', 'room-attribute c 4',
  ]);
});

test('whoever only follows the differences always has the whole picture, through any events and rejoins', () => {
  let seed = 1;
  const draw = (/** @type {number} */ below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const pick = (/** @type {readonly string[]} */ words) => words[draw(words.length)];
  const state = () => pick(['absent', 'live', 'muted', 'blocked']);
  const stream = () => ({ stream: pick(['camera', 'screen']), audio: state(), video: state() });
  const streams = () => ['camera', 'screen'].filter(() => draw(2) === 0).map((name) => ({ ...stream(), stream: name }));
  const anybody = () => pick(['a', 'b', 'c', 'd']);
  const somebody = (uid = anybody()) => participant(uid, streams(), { role: pick(['host', 'audience']) });
  const room = new Room();
  /** @type {Set<string>} */
  const picture = new Set();
  const follow = (/** @type {import('../core/room.js').Change} */ { type, user, stream: name, kind }) => {
    const track = `${user?.uid}/${name}/${kind}`;
    if (type === 'user-joined' || type === 'user-published') {
      const entry = type === 'user-joined' ? String(user.uid) : track;
      assert.ok(!picture.has(entry), `${entry} comes once`);
      picture.add(entry);
    }
    if (type === 'user-left' || type === 'user-unpublished') {
      assert.ok(picture.delete(type === 'user-left' ? String(user.uid) : track), 'only what is there goes');
    }
  };
  for (let step = 0; step < 4000; step += 1) {
    const uid = anybody();
    const events = [
      () => room.apply({ event: 'participant_joined', participant: somebody() }),
      () => room.apply({ event: 'participant_left', uid, reason: 'left' }),
      () => room.apply({ event: pick(['stream_published', 'stream_changed']), uid, ...stream() }),
      () => room.apply({ event: 'stream_unpublished', uid, stream: pick(['camera', 'screen']) }),
      () => room.apply({ event: 'muted', uid, stream: 'camera', kind: 'audio', state: pick(['live', 'muted', 'blocked']) }),
      () => room.reset({ participants: ['a', 'b', 'c', 'd'].filter(() => draw(2) === 0).map((name) => somebody(name)), attributes: {} }),
    ];
    events[draw(events.length)]?.().forEach(follow);
    const expected = room.users.flatMap((user) => [
      String(user.uid),
      ...[...user.streams.values()].flatMap((one) => ['audio', 'video'].filter((kind) => one[kind] !== 'absent')
        .map((kind) => `${user.uid}/${one.name}/${kind}`)),
    ]);
    assert.deepEqual([...picture].sort(), expected.sort());
  }
});
