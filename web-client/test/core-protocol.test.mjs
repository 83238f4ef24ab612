import assert from 'node:assert/strict';
import test from 'node:test';
import { fromBase64, toBase64 } from '../core/base64.js';
import { utf8Length } from '../core/check.js';
import { codeOf, RtcError } from '../core/errors.js';
import { decode, encode, readResponse } from '../core/protocol.js';
import { fixtures } from './core-world.mjs';

/** @param {unknown} value through JSON, which has neither undefined nor order of names */
const plain = (value) => JSON.parse(JSON.stringify(value));

for (const { name, message } of fixtures('request')) {
  test(`${name} is what the core sends`, () => {
    const { id, type, ...fields } = message;
    assert.deepEqual(JSON.parse(encode(Number(id), type, fields)), message);
  });
}

for (const { name, message } of fixtures('response')) {
  test(`${name} is understood without loss`, () => {
    const decoded = decode(JSON.stringify(message));
    assert.equal(decoded.type, 'response');
    assert.equal(decoded.id, message.id);
    assert.deepEqual(plain(readResponse(name.split('.')[1], decoded.ok)), message.ok);
  });
}

for (const { name, message } of fixtures('event')) {
  test(`${name} is understood without loss`, () => {
    const decoded = decode(JSON.stringify(message));
    assert.equal(decoded.type, 'event');
    assert.deepEqual({ seq: decoded.seq, ...plain(decoded.event) }, message);
  });
}

for (const { name, message } of fixtures('error')) {
  test(`${name} is understood without loss and has a code that users know`, () => {
    const decoded = decode(JSON.stringify(message));
    assert.equal(decoded.type, 'refusal');
    assert.deepEqual({ id: decoded.id, error: decoded.error }, message);
    // A refusal of the fixtures is one of the page's codes, none of which is left without a translation.
    const untranslated = ['malformed_message', 'invalid_id'];
    assert.equal(codeOf(decoded.error.code) === 'UNEXPECTED_RESPONSE', untranslated.includes(decoded.error.code));
  });
}

test('no message of a server throws, whatever it is', () => {
  const bad = [
    '', '{', 'null', '7', '[]', '[1]', '"x"', '{}', '{"id":1}', '{"ok":{}}', '{"id":-1,"ok":{}}', '{"id":1.5,"ok":{}}',
    '{"id":1,"error":7}', '{"id":1,"error":{"code":"x"}}', '{"seq":0,"event":"muted"}', '{"event":"muted"}',
    '{"seq":"1","event":"muted"}', '{"seq":1,"event":7}', '{"seq":1,"event":null}', '['.repeat(100_000),
    'x'.repeat(5 * 1024 * 1024), '{"ok":{"__proto__":{}}}', new ArrayBuffer(8), undefined, null, 7,
  ];
  for (const data of bad) assert.equal(decode(data).type, 'malformed', String(data).slice(0, 40));
});

test('an event that is wrong inside keeps its number, so that it can be counted as received', () => {
  const decoded = decode('{"seq":9,"event":"muted","uid":"bob","stream":"camera","kind":"smell","state":"live"}');
  assert.equal(decoded.type, 'malformed');
  assert.equal(decoded.seq, 9);
  assert.match(decoded.why, /^kind: expected one of audio, video/);
});

test('an event of a later version is told apart, also under the name of what every object has', () => {
  assert.deepEqual(decode('{"seq":3,"event":"poll_opened"}'), { type: 'unknown', seq: 3, name: 'poll_opened' });
  assert.deepEqual(decode('{"seq":3,"event":"constructor"}'), { type: 'unknown', seq: 3, name: 'constructor' });
});

test('fields that are not known are passed over, and no name of an attribute reaches a prototype', () => {
  const decoded = decode('{"seq":1,"event":"stream_published","uid":"b","stream":"screen","audio":"absent","video":"live",'
    + '"later":1,"attributes":{"__proto__":"x","constructor":"y"}}');
  assert.equal(decoded.type, 'event');
  assert.ok(!('later' in decoded.event));
  assert.deepEqual(Object.entries(decoded.event.attributes), [['__proto__', 'x'], ['constructor', 'y']]);
  assert.equal(Object.getPrototypeOf(decoded.event.attributes), Object.prototype);
});

test('a parameter that the server would refuse is refused here, with its name', () => {
  const join = { version: 1, app: 'demo', room: 'r1', uid: 'alice', platform: 'web' };
  const wrong = [
    ['join', { ...join, room: 'a b' }, 'room'],
    ['join', { ...join, app: '' }, 'app'],
    ['join', { ...join, uid: '名'.repeat(43) }, 'uid'],
    ['join', { ...join, uid: -1 }, 'uid'],
    ['join', { ...join, uid: 1.5 }, 'uid'],
    ['join', { ...join, capabilities: Array(17).fill('h264') }, 'capabilities'],
    ['publish', { stream: 'microphone', audio: true, video: false }, 'stream'],
    ['publish', { stream: 'camera', audio: 'yes', video: false }, 'audio'],
    ['send_message', { text: '好'.repeat(2731) }, 'text'],
    ['answer', { revision: 1, sdp: 'v'.repeat(192 * 1024 + 1) }, 'sdp'],
    ['candidate', { candidate: 'c'.repeat(1025) }, 'candidate'],
    ['set_room_attribute', { key: '', value: 'x' }, 'key'],
    ['set_room_attribute', { key: 'k' }, 'value'],
    ['stats', { streams: [{ uid: 'bob', stream: 'camera', kbps: NaN }] }, 'streams.0.kbps'],
  ];
  for (const [type, fields, field] of wrong) {
    assert.throws(() => encode(1, type, fields), (error) => {
      assert.ok(error instanceof RtcError);
      assert.deepEqual([error.code, error.reason, error.data.field], ['INVALID_PARAMS', 'invalid_params', field]);
      return true;
    });
  }
  assert.equal(JSON.parse(encode(1, 'join', { ...join, uid: '名'.repeat(42) })).uid.length, 42);
});

test('lengths are counted in bytes of UTF-8', () => {
  for (const text of ['', 'a', 'é', '名', '😀', 'a😀名é', '\ud800']) {
    assert.equal(utf8Length(text), Buffer.byteLength(text), JSON.stringify(text));
  }
});

test('base64 is what everybody else makes of bytes, both ways', () => {
  for (let length = 0; length < 40; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 89 + length * 31) & 255);
    const encoded = Buffer.from(bytes).toString('base64');
    assert.equal(toBase64(bytes), encoded);
    assert.deepEqual(fromBase64(encoded), bytes);
  }
  for (const wrong of ['a', 'ab', 'abc', 'ab=c', '====', 'a===', 'ab!=', 'abcd\n']) assert.equal(fromBase64(wrong), null, wrong);
});
