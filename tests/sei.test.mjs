/** User data in pictures: out of an encoder's stream to participants, and from participants into players. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlvPlayer } from './lib/flv.mjs';
import { scopeOf, until } from './lib/scope.mjs';
import { Signaller } from './lib/signalling.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite({ browser: false });

const WAIT_MS = 10_000;
/** What x264 puts before its settings, which it sends with its first picture. */
const X264 = 'dc45e9bde6d948b7962cd820d923eeef';
/** What the server puts before what participants send (docs/signalling.md). */
const OWN = 'b1f0c0d25a5f4c0e9b4e9a7a3f6d1c58';
/** NAL units of this type are SEI. */
const SEI = 6;

/** The NAL units of a video tag. @param {Buffer} body */
function nalsOf(body) {
  /** @type {Buffer[]} */
  const nals = [];
  for (let at = 5; at + 4 < body.length;) {
    const size = body.readUInt32BE(at);
    nals.push(body.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return nals;
}

/** The pictures that have this in an SEI message. @param {FlvPlayer} player @param {Buffer} wanted */
function carrying(player, wanted) {
  const pictures = player.tags.filter(({ type, header }) => type === 'video' && !header);
  return pictures.filter(({ body }) => nalsOf(body).some((nal) => (nal.readUInt8(0) & 31) === SEI && nal.includes(wanted)));
}

test('user data goes into the next picture and comes out of an encoder', { timeout: 40_000 }, async (t) => {
  const scope = scopeOf(t);
  const { client: phone } = await Signaller.join(scope, s.server, 'sei', 'phone', { platform: 'miniprogram' });
  const { client: listener } = await Signaller.join(scope, s.server, 'sei', 'listener', { platform: 'miniprogram', capabilities: ['sei'] });
  const { client: other } = await Signaller.join(scope, s.server, 'sei', 'other', { platform: 'miniprogram' });
  const { rtmp } = await phone.request('publish', { stream: 'camera', audio: true, video: true });
  for (const client of [listener, other]) await client.request('subscribe', { uid: 'phone', stream: 'camera' });
  pushRtmp(scope, rtmp.replace(/^rtmp:\/\/[^/]+/, `rtmp://${s.server.rtmp}`));

  const settings = await listener.event('sei', WAIT_MS);
  assert.deepEqual([settings['uid'], settings['sei_type'], settings['uuid']], ['phone', 5, X264]);
  assert.match(settings['text'] ?? Buffer.from(settings['data'], 'base64').toString('latin1'), /^x264/);

  const player = new FlvPlayer(scope, s.server.flvUrl('sei/phone'));
  await until('pictures', WAIT_MS, () => player.tags.filter(({ type }) => type === 'video').length > 3);
  await phone.request('send_sei', { stream: 'camera', text: 'goal 你好' });
  await phone.request('send_sei', { stream: 'camera', sei_type: 242, data: 'AAAAAQAAAA==' });
  const text = Buffer.concat([Buffer.from(OWN, 'hex'), Buffer.from('goal 你好')]);
  await until('the text in a picture', WAIT_MS, () => carrying(player, text).length > 0);
  const zeros = Buffer.from([242, 7, 0, 0, 3, 0, 1, 0, 0, 3, 0, 0x80]);
  await until('the bytes in a picture, with emulation prevention', WAIT_MS, () => carrying(player, zeros).length > 0);
  assert.deepEqual([carrying(player, text).length, carrying(player, zeros).length], [1, 1]);
  const told = [await listener.event('sei'), await listener.event('sei')];
  assert.deepEqual(told.map((event) => [event['sei_type'], event['uuid'], event['text'] ?? event['data']]), [
    [5, OWN, 'goal 你好'], [242, undefined, 'AAAAAQAAAA=='],
  ]);
  assert.equal(other.inbox.some(({ event }) => event === 'sei'), false, 'who has not asked is not told');
  const refused = await phone.refusal('send_sei', { stream: 'screen', text: 'x' });
  assert.equal(refused['code'], 'not_published');
  await player.stop();
});
