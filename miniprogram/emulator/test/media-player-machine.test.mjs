/** What a live-player reports and when, in made-up time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE } from '../src/media/codes.js';
import { PlayerMachine } from '../src/media/player-machine.js';

const SIZE = { width: 368, height: 640 };

/** Takes what is to be done: numbers are codes. @param {PlayerMachine} machine */
function taken(machine) {
  return machine.take().map((action) => (action.type === 'code' ? action.code : action.type));
}

/** @param {PlayerMachine} machine */
function plays(machine) {
  machine.connected();
  machine.pulling();
  machine.videoConfig(SIZE);
  machine.keyframe();
  machine.shown();
}

function playing() {
  const machine = new PlayerMachine();
  machine.start();
  plays(machine);
  return machine;
}

test('a player tells its steps in order', () => {
  const machine = playing();
  assert.deepEqual(taken(machine), ['connect', 2001, 2002, 2008, 2003, 2009, 2004]);
  assert.equal(machine.phase, 'playing');
});

test('pictures and sound that go on are told once', () => {
  const machine = playing();
  machine.take();
  machine.videoConfig(SIZE);
  machine.keyframe();
  machine.shown();
  machine.heard();
  assert.deepEqual(taken(machine), []);
});

test('sound alone begins to play, without any code of pictures', () => {
  const machine = new PlayerMachine();
  machine.start();
  machine.connected();
  machine.pulling();
  machine.sound();
  machine.heard();
  assert.deepEqual(taken(machine), ['connect', 2001, 2002, 2004]);
});

test('where pictures come, playback begins with the first one shown', () => {
  const machine = new PlayerMachine();
  machine.start();
  machine.connected();
  machine.pulling();
  machine.videoConfig(SIZE);
  machine.heard();
  assert.ok(!taken(machine).includes(2004));
  machine.shown();
  assert.deepEqual(taken(machine), [2004]);
});

test('another size is told with its first keyframe', () => {
  const machine = playing();
  machine.take();
  machine.videoConfig({ width: 640, height: 368 });
  assert.deepEqual(taken(machine), []);
  machine.keyframe();
  assert.deepEqual(taken(machine), [2009]);
});

test('a stream that ends is tried three more times, three seconds apart, and then fails', () => {
  const machine = playing();
  machine.take();
  machine.lost(null, 0);
  assert.deepEqual(taken(machine), ['disconnect', 2103]);
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    assert.equal(machine.phase, 'retrying');
    const now = machine.deadline ?? NaN;
    assert.equal(now, attempt * 3000);
    machine.wake(now - 1);
    assert.deepEqual(taken(machine), []);
    machine.wake(now);
    assert.deepEqual(taken(machine), ['connect']);
    machine.lost(FAILURE.CONNECT, now);
    assert.deepEqual(taken(machine), ['disconnect', 3002, attempt < 3 ? 2103 : -2301]);
  }
  assert.equal(machine.phase, 'failed');
});

test('a connection that gives nothing does not count as having come back', () => {
  const machine = playing();
  machine.lost(null, 0);
  for (let now = 3000; machine.running; now += 3000) {
    machine.wake(now);
    machine.connected();
    machine.pulling();
    machine.lost(null, now);
  }
  assert.equal(taken(machine).filter((code) => code === 2103).length, 3);
});

test('a player that has come back tells its steps again and has all its attempts again', () => {
  const machine = playing();
  machine.lost(FAILURE.BROKEN, 0);
  machine.wake(3000);
  machine.take();
  plays(machine);
  assert.deepEqual(taken(machine), [2001, 2002, 2008, 2003, 2004]);
  for (let loss = 0; loss < 5; loss += 1) {
    machine.lost(FAILURE.BROKEN, 0);
    machine.wake(3000);
    plays(machine);
  }
  assert.equal(machine.phase, 'playing');
});

test('a player has no code for a refusal but that of reading', () => {
  const machine = playing();
  machine.take();
  machine.lost(FAILURE.REFUSED, 0);
  assert.deepEqual(taken(machine), ['disconnect', 3005, 2103]);
});

test('a buffer that runs dry is told, and so is the end of that', () => {
  const machine = playing();
  machine.take();
  machine.starved();
  machine.starved();
  assert.equal(machine.phase, 'loading');
  machine.shown();
  assert.deepEqual(taken(machine), [2007, 2004]);
});

test('pausing keeps the connection', () => {
  const machine = playing();
  machine.take();
  machine.pause();
  assert.equal(machine.phase, 'paused');
  machine.resume();
  assert.equal(machine.phase, 'playing');
  assert.deepEqual(taken(machine), []);
});

test('a stop while it waits for the next attempt ends the waiting', () => {
  const machine = playing();
  machine.lost(null, 0);
  machine.stop();
  machine.take();
  machine.wake(3000);
  assert.deepEqual(taken(machine), []);
  assert.equal(machine.deadline, null);
});
