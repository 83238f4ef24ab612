/** Back ends that make tokens with Agora's own generators: their users get in, with the rights that the tokens give. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { scopeOf } from './lib/scope.mjs';
import { appConfig, makeToken } from './lib/server.mjs';
import { Signaller } from './lib/signalling.mjs';
import { suite } from './lib/suite.mjs';

/** @typedef {'agora-006' | 'agora-007'} Format */

/** The generators have no types, but for some of them. @type {(module: string) => any} */
const load = createRequire(import.meta.url);
const { AccessToken2, ServiceRtc } = load('agora-token/src/AccessToken2.js');
const { AccessToken } = load('agora-token/src/AccessToken.js');
const { RtcTokenBuilder: Builder006, Role } = load('agora-token/src/RtcTokenBuilder.js');
const { RtcTokenBuilder: Builder007 } = load('agora-token');

const APP = 'b1946ac92492d2347c6235b4d2611184';
const CERTIFICATE = '591785b794601e212b260e25925636fd';
const OPEN_APP = '8cfa2282b17de0a598c010f5f0109e7d';
const HOUR = 3600;

/** @type {Format[]} */
const FORMATS = ['agora-006', 'agora-007'];
const CONFIG = `${appConfig(APP, CERTIFICATE)}[[apps]]\nid = "${OPEN_APP}"\nopen = true\n`;

const s = suite({ browser: false, config: CONFIG });

const now = () => Math.floor(Date.now() / 1000);

/**
 * A token as the generators make it.
 * @param {Format} format
 * @param {{ channel?: string, uid?: string | number, role?: number, seconds?: number, certificate?: string }} [options]
 */
function build(format, { channel = 'r1', uid = 42, role = Role.PUBLISHER, seconds = HOUR, certificate = CERTIFICATE } = {}) {
  return format === 'agora-006'
    ? Builder006.buildTokenWithAccount(APP, certificate, channel, uid, role, now() + seconds)
    : Builder007.buildTokenWithUserAccount(APP, certificate, channel, uid, role, seconds, seconds);
}

/** A token that ended an hour ago. @param {Format} format */
function expired(format) {
  if (format === 'agora-006') return build(format, { seconds: -HOUR });
  // The builder of 007 counts from now; what it is made of takes any time.
  const token = new AccessToken2(APP, CERTIFICATE, now() - 2 * HOUR, HOUR);
  const rtc = new ServiceRtc('r1', 42);
  rtc.add_privilege(ServiceRtc.kPrivilegeJoinChannel, 0);
  token.add_service(rtc);
  return token.build();
}

/** @param {import('./lib/signalling.mjs').Message} fields */
const join = (fields) => ({ version: 1, app: APP, room: 'r1', uid: 42, platform: 'miniprogram', ...fields });

for (const format of FORMATS) {
  test(`${format}: a publisher joins and publishes under its uid`, async (t) => {
    const { client, joined } = await Signaller.join(scopeOf(t), s.server, 'r1', 42, join({ token: build(format) }));
    assert.deepEqual([joined['role'], joined['admin']], ['host', false]);
    const left = joined['token_expires'] - now();
    assert.ok(left > HOUR - 60 && left <= HOUR, `the token holds for ${left} s`);
    const published = await client.request('publish', { stream: 'camera', audio: true, video: true });
    assert.match(published['rtmp'], new RegExp(`/${APP}/r1/42\\?ticket=`));
  });

  test(`${format}: a subscriber joins as audience, may not publish and cannot become a host`, async (t) => {
    const token = build(format, { uid: 'eve', role: Role.SUBSCRIBER });
    const { client, joined } = await Signaller.join(scopeOf(t), s.server, 'r1', 'eve', join({ uid: 'eve', token }));
    assert.equal(joined['role'], 'audience');
    const refused = await client.refusal('publish', { stream: 'camera', audio: true, video: true });
    assert.equal(refused['code'], 'not_host');
    assert.equal((await client.refusal('set_role', { role: 'host' }))['code'], 'role_not_allowed');
    await client.request('renew_token', { token: build(format, { uid: 'eve' }) });
    assert.deepEqual(await client.request('set_role', { role: 'host' }), { role: 'host' });
  });

  test(`${format}: a token for uid 0 is for whatever uid its bearer takes`, async (t) => {
    const token = build(format, { uid: 0 });
    for (const uid of [7, 'bob']) {
      const { joined } = await Signaller.join(scopeOf(t), s.server, 'r1', uid, join({ uid, token }));
      assert.equal(joined['uid'], uid);
    }
  });

  test(`${format}: what is wrong with a token is said by name`, async (t) => {
    const client = await Signaller.open(scopeOf(t), s.server);
    /** @type {[import('./lib/signalling.mjs').Message, string][]} */
    const cases = [
      [{ token: expired(format) }, 'token_expired'],
      [{ token: build(format), uid: 43 }, 'wrong_uid'],
      [{ token: build(format), room: 'r2' }, 'wrong_room'],
      [{ token: build(format, { certificate: OPEN_APP }) }, 'bad_signature'],
      [{ token: build(format), app: OPEN_APP }, 'bad_signature'],
      [{ token: build(format).slice(0, -8) }, 'malformed_token'],
      [{ token: `${format.slice(-3)}${'A'.repeat(4096)}` }, 'token_too_large'],
      [{ token: APP }, 'malformed_token'],
      [{}, 'missing_token'],
    ];
    for (const [fields, code] of cases) {
      const refused = await client.refusal('join', join(fields));
      assert.equal(refused['code'], code, JSON.stringify(refused));
      assert.ok(!fields['token'] || !refused['message'].includes(fields['token'].slice(3, 20)), refused['message']);
    }
  });

  test(`${format}: a token opens WHIP as Bearer and, escaped, in the query`, async () => {
    const url = s.server.whipUrl('r1/42', APP);
    /** @param {string} target @param {Record<string, string>} [headers] */
    const code = async (target, headers = {}) => {
      const type = { 'content-type': 'application/sdp' };
      const response = await fetch(target, { method: 'POST', headers: { ...type, ...headers }, body: 'v=0' });
      return (await response.json()).error.code;
    };
    // Past the door, it is the offer that is wrong.
    assert.equal(await code(url, { authorization: `Bearer ${build(format)}` }), 'bad_sdp');
    assert.equal(await code(`${url}?token=${encodeURIComponent(build(format))}`), 'bad_sdp');
    assert.equal(await code(`${url}?token=${encodeURIComponent(build(format, { uid: 43 }))}`), 'wrong_uid');
  });

  test(`${format}: what queqiao token makes is what Agora's parser reads`, async (t) => {
    const made = await makeToken(scopeOf(t), CONFIG, { app: APP, room: 'r1', uid: '42', role: 'host', format });
    const expires = now() + HOUR;
    if (format === 'agora-007') {
      const parsed = new AccessToken2('', '', 0, 0);
      assert.ok(parsed.from_string(made) && parsed.verifySignature(CERTIFICATE));
      const [rtc] = parsed.services;
      assert.deepEqual([parsed.appId, rtc.__channel_name, rtc.__uid].map(String), [APP, 'r1', '42']);
      assert.deepEqual(Object.keys(rtc.__privileges), ['1', '2', '3', '4']);
      assert.ok(Math.abs(parsed.issueTs + parsed.expire - expires) < 60);
    } else {
      const parsed = new AccessToken('', CERTIFICATE, 'r1', '42');
      assert.ok(parsed.fromString(made));
      assert.equal(parsed.appID, APP);
      assert.ok(Math.abs(parsed.messages[1] - expires) < 60);
      // The same fields signed by the generator give the same token.
      assert.equal(parsed.build(), made);
    }
  });
}

test('a token for messages as well as a channel opens the channel', async (t) => {
  const token = Builder007.buildTokenWithRtm(APP, CERTIFICATE, 'r1', '44', Role.PUBLISHER, HOUR, HOUR);
  const { joined } = await Signaller.join(scopeOf(t), s.server, 'r1', 44, join({ uid: 44, token }));
  assert.equal(joined['role'], 'host');
});

test('a right to publish that is over leaves an audience', async (t) => {
  const token = new AccessToken2(APP, CERTIFICATE, now() - 600, HOUR);
  const rtc = new ServiceRtc('r1', 45);
  rtc.add_privilege(ServiceRtc.kPrivilegeJoinChannel, HOUR);
  rtc.add_privilege(ServiceRtc.kPrivilegePublishVideoStream, 300);
  token.add_service(rtc);
  const { joined } = await Signaller.join(scopeOf(t), s.server, 'r1', 45, join({ uid: 45, token: token.build() }));
  assert.equal(joined['role'], 'audience');
});

test('an open app takes its id or nothing for a token, and is warned of', async (t) => {
  await s.server.logged(/WARN.*open apps/);
  for (const [uid, fields] of /** @type {[string, object][]} */ ([['a', { token: OPEN_APP }], ['b', {}]])) {
    const { joined } = await Signaller.join(scopeOf(t), s.server, 'r1', uid, join({ app: OPEN_APP, uid, ...fields }));
    assert.deepEqual([joined['role'], joined['admin'], joined['token_expires']], ['host', false, undefined]);
  }
  assert.ok(!s.server.log.includes(CERTIFICATE));
});
