/** FLV, what is in it, and how many encoders become one stream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf, FlvError, flvHeader, FlvReader, flvTag, metadataTag, TAG } from '../src/media/flv.js';
import { MAX_MESSAGE_BYTES, messagesOf, messageUnit, sizeOfConfig } from '../src/media/h264.js';
import { Joiner } from '../src/media/joiner.js';

/** Sequence parameters as x264 writes them for 368 x 640 and for a cropped 360 x 640, baseline. */
const SPS_368 = Buffer.from('6742c016da05c146c0440000030004000003007a3c58ba80', 'hex');

/** @param {Buffer} sps */
function videoConfig(sps) {
  const record = Buffer.concat([Buffer.from([1, 0x42, 0xc0, 0x16, 0xff, 0xe1, 0, sps.length]), sps, Buffer.from([0])]);
  return Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), record]);
}

/** @param {boolean} keyframe @param {number} mark */
function picture(keyframe, mark) {
  return Buffer.from([keyframe ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0, 2, keyframe ? 0x65 : 0x41, mark]);
}

const AUDIO_CONFIG = Buffer.from([0xaf, 0, 0x11, 0x88]);

/** @param {number} mark */
const sound = (mark) => Buffer.from([0xaf, 1, mark]);

/** Reads joined tags back. @param {import('../src/media/joiner.js').JoinedTag[]} tags */
function read(tags) {
  const bytes = Buffer.concat([flvHeader(), ...tags.map((tag) => tag.bytes)]);
  return new FlvReader().push(bytes).map((tag) => ({ at: tag.timestamp, ...contentOf(tag), data: tag.data }));
}

test('a reader gives the same tags however the bytes are cut', () => {
  const bytes = Buffer.concat([
    flvHeader(),
    metadataTag({ width: 368, stereo: false, encoder: 'x' }),
    flvTag(TAG.VIDEO, 0x01234567, picture(true, 1)),
    flvTag(TAG.AUDIO, 40, sound(2)),
  ]);
  const whole = new FlvReader().push(bytes);
  assert.deepEqual(whole.map((tag) => [tag.type, tag.timestamp]), [[18, 0], [9, 0x01234567], [8, 40]]);
  for (const step of [1, 2, 3, 7, 11, 50]) {
    const reader = new FlvReader();
    const tags = [];
    for (let at = 0; at < bytes.length; at += step) tags.push(...reader.push(bytes.subarray(at, at + step)));
    assert.deepEqual(tags, whole, `in pieces of ${step}`);
  }
});

test('a reader refuses what is no FLV and tags beyond reason', () => {
  assert.throws(() => new FlvReader().push(Buffer.from('HTTP/1.1 404 Not Found\r\n')), FlvError);
  const huge = Buffer.concat([flvHeader(), Buffer.from([9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0])]);
  assert.throws(() => new FlvReader().push(huge), FlvError);
});

test('a reader survives any bytes', () => {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) & 0xff;
  for (let round = 0; round < 200; round += 1) {
    const reader = new FlvReader();
    const bytes = Buffer.concat([flvHeader(), Buffer.from(Array.from({ length: 200 }, random))]);
    try {
      for (const tag of reader.push(bytes)) {
        const { payload } = contentOf(tag);
        sizeOfConfig(payload);
        messagesOf(payload);
      }
    } catch (error) {
      assert.ok(error instanceof FlvError);
    }
    sizeOfConfig(Buffer.from(Array.from({ length: 40 }, random)));
    messagesOf(Buffer.from(Array.from({ length: 40 }, random)));
  }
});

test('the size of a picture is read from the sequence parameters', () => {
  assert.deepEqual(sizeOfConfig(videoConfig(SPS_368).subarray(5)), { width: 368, height: 640 });
  assert.equal(sizeOfConfig(Buffer.from([1, 0x42])), null);
});

test('a message comes out of a picture as it went in, zeros and all', () => {
  for (const text of ['hello', '\u0000\u0000\u0000\u0001', '中文'.repeat(200), 'x'.repeat(MAX_MESSAGE_BYTES)]) {
    const unit = Buffer.concat([messageUnit(text), picture(true, 1).subarray(5)]);
    assert.deepEqual(messagesOf(unit), [text]);
    const start = unit.subarray(4).indexOf(Buffer.from([0, 0, 1]));
    assert.ok(start < 0 || start >= unit.readUInt32BE(0), 'a start code within the message');
  }
  assert.throws(() => messageUnit(''), RangeError);
  assert.throws(() => messageUnit('x'.repeat(MAX_MESSAGE_BYTES + 1)), RangeError);
});

test('a stream begins at time 0 with the sequence headers, and pictures with a keyframe', () => {
  const joiner = new Joiner();
  joiner.push('video', videoConfig(SPS_368), 0);
  joiner.push('audio', AUDIO_CONFIG, 0);
  assert.deepEqual(joiner.push('video', picture(true, 0), 900), [], 'nothing is sent before it begins');
  joiner.begin(1000, { width: 368 });
  const tags = read([
    ...joiner.push('audio', sound(1), 990),
    ...joiner.push('audio', sound(2), 1010),
    ...joiner.push('video', picture(false, 1), 1020),
    ...joiner.push('video', picture(true, 2), 1086),
    ...joiner.push('video', picture(false, 3), 1153),
  ]);
  assert.deepEqual(
    tags.map((tag) => [tag.at, tag.kind, tag.part, tag.keyframe]),
    [
      [10, 'audio', 'config', false],
      [10, 'audio', 'frame', false],
      [86, 'video', 'config', false],
      [86, 'video', 'frame', true],
      [153, 'video', 'frame', false],
    ],
  );
});

test('another encoder goes on with the time and sends its sequence header before its keyframe', () => {
  const joiner = new Joiner();
  joiner.begin(0, {});
  joiner.push('video', videoConfig(SPS_368), 0);
  joiner.push('video', picture(true, 1), 100);
  const other = Buffer.from(SPS_368);
  other.writeUInt8(0x1e, 3);
  joiner.push('video', videoConfig(other), 0);
  const late = joiner.push('video', picture(false, 2), 150);
  assert.deepEqual(late, [], 'pictures that need the ones before are left out');
  const tags = read(joiner.push('video', picture(true, 3), 167));
  assert.deepEqual(tags.map((tag) => [tag.at, tag.part]), [[167, 'config'], [167, 'frame']]);
  assert.deepEqual(tags[0]?.data, videoConfig(other));
});

test('times of one kind never stand still or go back', () => {
  const joiner = new Joiner();
  joiner.begin(0, {});
  joiner.push('video', videoConfig(SPS_368), 0);
  const tags = [100, 100, 60, 101].flatMap((at, i) => joiner.push('video', picture(i === 0, i), at));
  assert.deepEqual(tags.map((tag) => tag.timestamp), [100, 100, 101, 102, 103]);
});

test('a new connection gets everything anew, with another time', () => {
  const joiner = new Joiner();
  joiner.begin(0, {});
  joiner.push('video', videoConfig(SPS_368), 0);
  joiner.push('video', picture(true, 1), 10);
  joiner.end();
  assert.deepEqual(joiner.push('video', picture(false, 2), 5000), []);
  joiner.begin(9000, {});
  assert.deepEqual(joiner.push('video', picture(false, 3), 9050), []);
  const tags = read(joiner.push('video', picture(true, 4), 9100));
  assert.deepEqual(tags.map((tag) => [tag.at, tag.part]), [[100, 'config'], [100, 'frame']]);
});

test('messages travel with the next picture, and only so many wait for it', () => {
  const joiner = new Joiner();
  joiner.begin(0, {});
  joiner.push('video', videoConfig(SPS_368), 0);
  let waiting = 0;
  while (waiting < 1000 && joiner.message(messageUnit(`m${waiting}`))) waiting += 1;
  assert.ok(waiting > 0 && waiting < 1000);
  const [, frame] = read(joiner.push('video', picture(true, 1), 10));
  assert.equal(messagesOf(frame?.payload ?? Buffer.alloc(0)).length, waiting);
  const [next] = read(joiner.push('video', picture(false, 2), 80));
  assert.deepEqual(messagesOf(next?.payload ?? Buffer.alloc(0)), []);
});
