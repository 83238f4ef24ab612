/** What a live-pusher reports and when, in made-up time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE } from '../src/media/codes.js';
import { PusherMachine } from '../src/media/pusher-machine.js';

const SIZE = { width: 368, height: 640 };

/** Takes what is to be done: numbers are codes. @param {PusherMachine} machine */
function taken(machine) {
  return machine.take().map((action) => (action.type === 'code' ? action.code : action.type));
}

/** A machine that is pushing. @param {ConstructorParameters<typeof PusherMachine>[0]} [options] */
function pushing(options) {
  const machine = new PusherMachine(options);
  machine.start({ camera: true });
  machine.captured();
  machine.encoded(SIZE);
  machine.connected();
  machine.publishing();
  return machine;
}

test('a push opens the camera and the encoder before it connects', () => {
  const machine = new PusherMachine();
  machine.start({ camera: true });
  machine.captured();
  machine.encoded(SIZE);
  assert.deepEqual(taken(machine), [1005, 1003, 1007, 1008, 'connect']);
  assert.equal(machine.phase, 'connecting');
  machine.connected();
  machine.publishing();
  assert.deepEqual(taken(machine), [1001, 1002]);
  assert.equal(machine.phase, 'pushing');
});

test('a push without a camera connects at once', () => {
  const machine = new PusherMachine();
  machine.start({ camera: false });
  assert.deepEqual(taken(machine), ['connect']);
});

test('a camera that is switched off while it opens does not hold the push up', () => {
  const machine = new PusherMachine();
  machine.start({ camera: true });
  machine.camera(false);
  assert.deepEqual(taken(machine), [1005, 'connect']);
});

test('a refused push is tried three more times, three seconds apart, and then fails', () => {
  const machine = new PusherMachine();
  machine.start({ camera: false });
  machine.take();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const now = 10_000 * attempt;
    machine.connected();
    machine.lost(FAILURE.REFUSED, now);
    assert.deepEqual(taken(machine), [1001, 'disconnect', 3004, 1102]);
    assert.equal(machine.phase, 'retrying');
    assert.equal(machine.deadline, now + 3000);
    machine.wake(now + 2999);
    assert.deepEqual(taken(machine), []);
    machine.wake(now + 3000);
    assert.deepEqual(taken(machine), ['connect']);
  }
  machine.lost(FAILURE.CONNECT, 40_000);
  assert.deepEqual(taken(machine), ['disconnect', 3002, -1307]);
  assert.equal(machine.phase, 'failed');
  assert.equal(machine.deadline, null);
});

test('a push that has come back has all its attempts again', () => {
  const machine = pushing();
  for (let loss = 0; loss < 5; loss += 1) {
    machine.lost(FAILURE.BROKEN, 0);
    machine.wake(3000);
    machine.connected();
    machine.publishing();
  }
  assert.equal(machine.phase, 'pushing');
  assert.ok(!taken(machine).includes(-1307));
});

test('a pusher that has failed starts anew when the page says so', () => {
  const machine = new PusherMachine({ retries: 0 });
  machine.start({ camera: false });
  machine.lost(FAILURE.CONNECT, 0);
  machine.take();
  machine.start({ camera: true });
  machine.captured();
  machine.encoded(SIZE);
  assert.deepEqual(taken(machine), [1005, 1003, 1007, 1008, 'connect']);
});

test('another size in mid-stream is told and nothing is connected anew', () => {
  const machine = pushing();
  machine.take();
  machine.encoded(SIZE);
  machine.encoded({ width: 640, height: 368 });
  assert.deepEqual(taken(machine), [1005]);
});

test('a camera that comes back in mid-stream tells of itself without a reconnect', () => {
  const machine = pushing();
  machine.take();
  machine.camera(false);
  machine.camera(true);
  machine.captured();
  machine.encoded(SIZE);
  assert.deepEqual(taken(machine), [1003, 1007, 1008]);
  assert.equal(machine.phase, 'pushing');
});

test('a preview opens the camera alone, and the push that follows does not open it again', () => {
  const machine = new PusherMachine();
  machine.camera(true);
  machine.captured();
  assert.deepEqual(taken(machine), [1003, 1007]);
  machine.start({ camera: true });
  machine.encoded(SIZE);
  assert.deepEqual(taken(machine), [1005, 1008, 'connect']);
});

test('after three minutes in the background Android stops the push', () => {
  const machine = pushing({ platform: 'android' });
  machine.take();
  machine.background(true, 1000);
  machine.wake(180_999);
  assert.deepEqual(taken(machine), []);
  assert.equal(machine.deadline, 181_000);
  machine.wake(181_000);
  assert.deepEqual(taken(machine), ['disconnect', 5000]);
  assert.equal(machine.phase, 'stopped');
});

test('after three minutes in the background iOS loses the connection and cannot get it back', () => {
  const machine = pushing({ platform: 'ios' });
  machine.take();
  machine.background(true, 0);
  const seen = [];
  while (machine.deadline !== null) {
    machine.wake(machine.deadline);
    seen.push(...taken(machine));
  }
  assert.deepEqual(seen.filter((code) => code === 1102).length, 3);
  assert.equal(seen.at(-1), -1307);
  assert.ok(!seen.includes('connect'));
});

test('who comes back in time goes on pushing', () => {
  const machine = pushing();
  machine.take();
  machine.background(true, 0);
  machine.background(false, 179_000);
  assert.equal(machine.deadline, null);
  machine.wake(500_000);
  assert.deepEqual(taken(machine), []);
  assert.equal(machine.phase, 'pushing');
});

test('only iOS tells that the microphone was switched', () => {
  for (const [platform, codes] of /** @type {const} */ ([['ios', [4998]], ['android', []]])) {
    const machine = pushing({ platform });
    machine.take();
    machine.switched(4998);
    assert.deepEqual(taken(machine), codes);
  }
});

test('a stop while it waits for the next attempt ends the waiting', () => {
  const machine = pushing();
  machine.lost(FAILURE.BROKEN, 0);
  machine.take();
  machine.stop();
  assert.equal(machine.deadline, null);
  machine.wake(3000);
  assert.deepEqual(taken(machine), []);
  assert.equal(machine.phase, 'stopped');
});

test('what a connection reports after a stop is not heard', () => {
  const machine = pushing();
  machine.stop();
  machine.take();
  machine.lost(FAILURE.BROKEN, 0);
  machine.connected();
  machine.publishing();
  assert.deepEqual(taken(machine), []);
  assert.equal(machine.phase, 'stopped');
});

test('an encoder that cannot be made to work ends the push', () => {
  const machine = pushing();
  machine.take();
  machine.encoderRestarted();
  machine.broken(-1303);
  assert.deepEqual(taken(machine), [1104, -1303, 'disconnect']);
  assert.equal(machine.phase, 'failed');
});
