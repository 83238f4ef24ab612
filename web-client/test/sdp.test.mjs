import assert from 'node:assert/strict';
import test from 'node:test';
import { applyRestart, askForStereo, h264First, iceCredentials, restartFragment } from '../src/sdp.js';

/** @param {string[]} lines */
const sdp = (...lines) => lines.map((line) => `${line}\r\n`).join('');

const OFFER = sdp(
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:newU',
  'a=ice-pwd:newPasswordOfTwentyTwo',
  'a=mid:0',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'a=fmtp:63 111/111',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:newU',
  'a=ice-pwd:newPasswordOfTwentyTwo',
  'a=mid:1',
  'a=rtpmap:96 H264/90000',
  'a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
);

const ANSWER = sdp(
  'v=0',
  'o=- 3 4 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=ice-lite',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:oldU',
  'a=ice-pwd:oldPassword',
  'a=candidate:1 1 udp 2130706431 127.0.0.1 7800 typ host',
  'a=end-of-candidates',
  'a=mid:0',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:oldU',
  'a=ice-pwd:oldPassword',
  'a=mid:1',
);

test('H.264 is offered alone with RTX, mode 1 only, constrained baseline first', () => {
  const codecs = [
    { mimeType: 'video/VP8' },
    { mimeType: 'video/rtx' },
    { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=64001f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=f4001f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f' },
    { mimeType: 'video/AV1' },
  ];
  assert.deepEqual(
    h264First(codecs).map((codec) => codec.sdpFmtpLine?.slice(-6) ?? codec.mimeType),
    ['42e01f', '64001f', 'f4001f', 'video/rtx'],
  );
});

test('a browser without H.264 is told apart by an empty offer', () => {
  assert.deepEqual(h264First([{ mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }]), []);
});

test('stereo is asked for on Opus alone, and once', () => {
  const once = askForStereo(OFFER);
  assert.match(once, /^a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r$/m);
  assert.match(once, /^a=fmtp:63 111\/111\r$/m);
  assert.match(once, /^a=fmtp:96 .*42e01f\r$/m);
  assert.equal(askForStereo(once), once);
});

test('a restart fragment carries the new credentials under the first section', () => {
  assert.equal(
    restartFragment(OFFER),
    sdp(
      'a=ice-options:trickle ice2',
      'a=group:BUNDLE 0 1',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111 63',
      'a=mid:0',
      'a=ice-ufrag:newU',
      'a=ice-pwd:newPasswordOfTwentyTwo',
    ),
  );
  assert.equal(restartFragment('v=0\r\n'), null);
});

test('a restart replaces credentials in every section and the candidates, and nothing else', () => {
  const fragment = sdp(
    'a=ice-lite',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:0',
    'a=ice-ufrag:freshU',
    'a=ice-pwd:freshPassword',
    'a=candidate:9 1 udp 2130706431 127.0.0.1 7801 typ host',
  );
  const restarted = applyRestart(ANSWER, fragment) ?? '';
  assert.equal(restarted.match(/^a=ice-ufrag:freshU\r$/gm)?.length, 2);
  assert.equal(restarted.match(/^a=ice-pwd:freshPassword\r$/gm)?.length, 2);
  assert.doesNotMatch(restarted, /oldU|oldPassword|7800|end-of-candidates/);
  assert.match(restarted, /127\.0\.0\.1 7801 typ host\r$/m);
  assert.deepEqual(iceCredentials(restarted), { ufrag: 'freshU', pwd: 'freshPassword' });
  const rest = (/** @type {string} */ text) => text.split('\r\n').filter((line) => !/^a=(ice-(ufrag|pwd)|candidate|end-of)/.test(line));
  assert.deepEqual(rest(restarted), rest(ANSWER));
});

test('a restart without candidates keeps those of the answer', () => {
  const restarted = applyRestart(ANSWER, 'a=ice-ufrag:freshU\na=ice-pwd:freshPassword\n') ?? '';
  assert.match(restarted, /127\.0\.0\.1 7800 typ host/);
  assert.match(restarted, /a=ice-ufrag:freshU\r\n/);
});

test('a fragment without credentials restarts nothing', () => {
  assert.equal(applyRestart(ANSWER, 'a=candidate:9 1 udp 1 127.0.0.1 7801 typ host\r\n'), null);
});
