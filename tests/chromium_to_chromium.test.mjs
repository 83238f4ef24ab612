/** Browser to browser: packets are forwarded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContent } from './lib/content.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

test('two browsers see and hear a third', { timeout: 60_000 }, async (t) => {
  scopeOf(t);
  const stream = 'browsers/camera';
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream) });
  const first = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  await first.firstFrame(5000);
  await sleep(4000);
  const second = await s.browser.watch({ url: s.server.whepUrl(stream) });
  const joined = await second.firstFrame(5000);
  t.diagnostic(`the second viewer waited ${joined} ms`);
  await sleep(7000);
  for (const viewer of [first, second]) {
    const recording = await viewer.recording();
    assertContent(t, recording, { seconds: 4.5, skip: 2, latency: 500 });
    await viewer.stop();
  }
  await publisher.stop();
});

test('a viewer is told by HTTP when the publisher has gone', { timeout: 30_000 }, async (t) => {
  scopeOf(t);
  const stream = 'gone/camera';
  const url = s.server.whepUrl(stream);
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream) });
  const viewer = await s.browser.watchWhenLive({ url });
  await viewer.firstFrame(5000);
  await publisher.stop();
  await until('404 for new viewers', 5000, () =>
    s.browser.watch({ url }).then(
      (late) => late.stop().then(() => false),
      (error) => /HTTP 404/.test(error.message),
    ),
  );
  await viewer.stop();
});

test('the server offers viewers H.264 and Opus only, with RTX', { timeout: 30_000 }, async (t) => {
  scopeOf(t);
  const stream = 'codecs/camera';
  const publisher = await s.browser.publish({ url: s.server.whipUrl(stream) });
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl(stream) });
  const { answer, status, location, etag } = await viewer.session();
  assert.equal(status, 201);
  assert.ok(location?.startsWith(`http://${s.server.http}/`), `Location ${location}`);
  assert.ok(etag, 'no ETag');
  const names = new Set([...answer.matchAll(/^a=rtpmap:\d+ ([^/\s]+)/gm)].map((match) => match[1]));
  assert.ok(names.has('H264') && names.has('opus') && names.has('rtx'), `codecs ${[...names]}`);
  for (const name of ['VP8', 'VP9', 'AV1', 'H265']) assert.ok(!names.has(name), `${name} in the answer`);
  await viewer.stop();
  await publisher.stop();
});
