import assert from 'node:assert/strict';
import test from 'node:test';
import { ffmpegLine, ffplayLine, flvUrl, obsFields, rtmpUrl } from '../page/commands.js';

const server = { origin: 'http://127.0.0.1:8080', hostname: '127.0.0.1', rtmpPort: 1935 };
const address = { app: 'demo', room: 'lobby', uid: 'web-4821' };
const withToken = { ...address, token: 'a.b/c+d' };

test('a stream has one address per protocol', () => {
  assert.equal(rtmpUrl(server, address), 'rtmp://127.0.0.1:1935/demo/lobby/web-4821');
  assert.equal(flvUrl(server, address), 'http://127.0.0.1:8080/flv/demo/lobby/web-4821.flv');
});

test('a token stands in the query, encoded', () => {
  assert.equal(rtmpUrl(server, withToken), 'rtmp://127.0.0.1:1935/demo/lobby/web-4821?token=a.b%2Fc%2Bd');
  assert.equal(flvUrl(server, withToken), 'http://127.0.0.1:8080/flv/demo/lobby/web-4821.flv?token=a.b%2Fc%2Bd');
});

test('what OBS joins with a slash is the RTMP address', () => {
  for (const stream of [address, withToken]) {
    const { server: base, key } = obsFields(server, stream);
    assert.equal(`${base}/${key}`, rtmpUrl(server, stream));
  }
});

test('the ffmpeg line sends what a mini-program sends: baseline, no B-frames, AAC 48 kHz mono', () => {
  const line = ffmpegLine(server, address);
  for (const part of ['-c:v libx264', '-profile:v baseline', '-tune zerolatency', '-bf 0', '-c:a aac -ar 48000 -ac 1', '-f flv']) {
    assert.ok(line.includes(part), part);
  }
  assert.ok(line.endsWith(' "rtmp://127.0.0.1:1935/demo/lobby/web-4821"'), line);
});

test('the ffplay line does not buffer', () => {
  const line = ffplayLine(server, address);
  assert.ok(line.includes('-fflags nobuffer'), line);
  assert.ok(line.includes('-flags low_delay'), line);
});

test('no name can end the quotes of a line or reach the shell', () => {
  const line = ffmpegLine(server, { app: 'demo', room: 'a"; rm -rf $HOME; `id` !!', uid: '房间/1', token: '"$x"' });
  const quoted = /"([^"]*)"$/.exec(line)?.[1] ?? '';
  assert.equal(line.split('"').length, 3);
  assert.doesNotMatch(quoted, /[\s$`\\!]/);
  assert.ok(quoted.includes('/%E6%88%BF%E9%97%B4%2F1?'), quoted);
});
