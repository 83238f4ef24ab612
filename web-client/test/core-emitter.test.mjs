import assert from 'node:assert/strict';
import test from 'node:test';
import { Emitter } from '../core/emitter.js';

test('listeners are called in their order, with all arguments, until they are removed', () => {
  /** @type {unknown[]} */
  const heard = [];
  const emitter = new Emitter();
  const first = (...args) => heard.push(['first', ...args]);
  const second = (...args) => heard.push(['second', ...args]);
  emitter.on('a', first);
  emitter.on('a', second);
  emitter.emit('a', 1, 2);
  emitter.off('a', first);
  emitter.emit('a', 3);
  emitter.emit('b', 4);
  emitter.off('a');
  emitter.emit('a', 5);
  assert.deepEqual(heard, [['first', 1, 2], ['second', 1, 2], ['second', 3]]);
});

test('a listener that throws is reported and breaks no other', () => {
  /** @type {unknown[]} */
  const reported = [];
  let heard = 0;
  const emitter = new Emitter((cause) => reported.push(cause));
  const wrong = new Error('wrong');
  emitter.on('a', () => {
    throw wrong;
  });
  emitter.on('a', () => {
    heard += 1;
  });
  emitter.emit('a');
  emitter.emit('a');
  assert.equal(heard, 2);
  assert.deepEqual(reported, [wrong, wrong]);
});

test('once is once, also when the event comes again from within', () => {
  let heard = 0;
  const emitter = new Emitter();
  emitter.once('a', () => {
    heard += 1;
    emitter.emit('a');
  });
  emitter.emit('a');
  emitter.emit('a');
  assert.equal(heard, 1);
});

test('the same listener twice is two; whoever begins or ends while the event is told changes only the next', () => {
  /** @type {string[]} */
  const heard = [];
  const emitter = new Emitter();
  const late = () => heard.push('late');
  const adding = () => {
    heard.push('adding');
    emitter.off('a', removed);
    emitter.on('a', late);
  };
  const removed = () => heard.push('removed');
  emitter.on('a', adding);
  emitter.on('a', removed);
  emitter.emit('a');
  assert.deepEqual(heard, ['adding', 'removed']);
  emitter.off('a', adding);
  emitter.emit('a');
  assert.deepEqual(heard, ['adding', 'removed', 'late']);
  emitter.removeAllListeners();
  emitter.emit('a');
  assert.equal(heard.length, 3);
});
