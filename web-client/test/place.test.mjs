import assert from 'node:assert/strict';
import test from 'node:test';
import { friendlyUid, readPlace, writePlace } from '../src/place.js';

const defaults = { app: 'demo', room: 'lobby', uid: 'web-1000', watch: 'obs-1000' };

test('a link without names opens on the defaults', () => {
  assert.deepEqual(readPlace({ search: '', hash: '' }, defaults), defaults);
});

test('the fragment wins over the query, and blank names count as none', () => {
  const place = readPlace({ search: '?room=one&uid=a&watch=b', hash: '#room=two&uid=%20' }, defaults);
  assert.deepEqual(place, { app: 'demo', room: 'two', uid: 'web-1000', watch: 'b' });
});

test('what is written reads back, names of any script included', () => {
  const place = { app: 'clinic', room: '房间 1&2', uid: 'a#b', watch: 'c=d' };
  assert.deepEqual(readPlace({ search: '', hash: writePlace(place, 'demo') }, defaults), place);
});

test('the usual app is left out of a link, and so is what nobody named', () => {
  assert.equal(writePlace({ app: 'demo', room: 'lobby', watch: 'web-1' }, 'demo'), '#room=lobby&watch=web-1');
});

test('a token in a link is not taken', () => {
  assert.equal('token' in readPlace({ search: '?token=t', hash: '#token=t' }, defaults), false);
});

test('an invented uid has four digits', () => {
  assert.equal(friendlyUid('web', 0), 'web-1000');
  assert.equal(friendlyUid('web', 0.999999), 'web-9999');
});
