/** What players of RTMP and HTTP-FLV get of a publisher that is muted: clocks that run, silence and black. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { Signaller } from './lib/signalling.mjs';
import { pitches } from './lib/sound.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const MUTED_SECONDS = 5;

const s = suite();

/** @typedef {import('./lib/flv.mjs').Tag} Tag */

/**
 * The longest step between two frames of a kind, in stream time and in real time, in milliseconds.
 * @param {Tag[]} tags @param {'audio' | 'video'} type
 */
function longestStep(tags, type) {
  const media = tags.filter((tag) => tag.type === type && !tag.header);
  const steps = media.slice(1).map((tag, i) => {
    const before = media[i] ?? tag;
    return { stamped: tag.timestamp - before.timestamp, waited: tag.seen - before.seen };
  });
  return {
    stamped: Math.max(...steps.map(({ stamped }) => stamped)),
    waited: Math.max(...steps.map(({ waited }) => waited)),
  };
}

/** @param {Tag[]} tags @param {'audio' | 'video'} type @param {number} from @param {number} to `Date.now()` */
function kilobits(tags, type, from, to) {
  const sent = tags.filter((tag) => tag.type === type && tag.seen >= from && tag.seen < to);
  return (sent.reduce((bytes, tag) => bytes + tag.body.length, 0) * 8) / (to - from);
}

/** @param {Signaller} admin @param {string} uid @param {boolean} muted */
async function mute(admin, uid, muted) {
  for (const kind of ['audio', 'video']) await admin.request('mute', { uid, stream: 'camera', kind, muted });
}

/**
 * Plays a stream by RTMP and HTTP-FLV while its publisher is muted for a while.
 * @param {import('node:test').TestContext} t @param {string} room
 */
async function throughMute(t, room) {
  const scope = scopeOf(t);
  const { client: admin } = await Signaller.join(scope, s.server, room, 'admin');
  const url = s.server.flvUrl(`${room}/camera`);
  const flv = new FlvPlayer(scope, url);
  const player = play(scope, s.server.rtmpUrl(`${room}/camera`));
  await player.firstFrame(8000);
  await sleep(3000);
  await mute(admin, 'camera', true);
  const mutedAt = Date.now();
  await sleep((MUTED_SECONDS * 1000) / 2);
  const late = new FlvPlayer(scope, url);
  await sleep((MUTED_SECONDS * 1000) / 2);
  const shown = player.recording.lastNumber();
  // The picture may be back before the answer is.
  const backAt = Date.now();
  await mute(admin, 'camera', false);
  await until('the picture is back', 5000, () => player.recording.lastNumber() > shown);
  const away = Date.now() - backAt;
  await sleep(4000);
  const [tags, lateTags, recording] = await Promise.all([flv.stop(), late.stop(), player.stop()]);
  return { tags, lateTags, lateAsked: late.asked, recording, mutedAt, backAt, away };
}

/** @param {import('node:test').TestContext} t @param {Awaited<ReturnType<typeof throughMute>>} seen */
function assertFilled(t, { tags, lateTags, lateAsked, recording, mutedAt, backAt, away }) {
  assert.deepEqual(faults(tags), []);
  const settled = tags.filter((tag) => tag.seen > mutedAt - 1500);
  const [sound, picture] = [longestStep(settled, 'audio'), longestStep(settled, 'video')];
  const rates = [kilobits(tags, 'audio', mutedAt + 1000, backAt), kilobits(tags, 'video', mutedAt + 1000, backAt)];
  t.diagnostic(
    `longest steps: sound ${sound.stamped} ms (waited ${sound.waited}), picture ${picture.stamped} ms ` +
      `(waited ${picture.waited}); ${rates.map((rate) => rate.toFixed(1)).join(' and ')} kbit/s; back after ${away} ms`,
  );
  assert.ok(sound.stamped < 150, `the clock of the sound stands still for ${sound.stamped} ms`);
  assert.ok(sound.waited < 600, `players wait ${sound.waited} ms for sound`);
  assert.ok(picture.stamped < 1500 && picture.waited < 2000, 'players wait for a picture');
  assert.ok(Math.max(...rates) < 5, `${rates} kbit/s are not negligible`);

  const heard = pitches(recording.pcm(), recording.rate);
  const silent = heard.filter((hertz) => hertz === 0).length / 10;
  assert.ok(Math.abs(silent - MUTED_SECONDS) < 1.5, `${silent} s are silent`);
  const black = recording.frames.filter(({ number, seen }) => number === null && seen > mutedAt && seen < backAt);
  assert.ok(black.length >= MUTED_SECONDS - 2, `${black.length} black pictures`);
  const leaked = recording.frames.filter(({ number, seen }) => number !== null && seen > mutedAt + 1500 && seen < backAt);
  assert.equal(leaked.length, 0, 'nothing of the camera is shown');
  assert.ok(away < 3000, `the picture is back after ${away} ms`);
  const after = report(recording.since(recording.frames.find(({ seen }) => seen > backAt + 1000)?.at ?? Infinity));
  const late = Math.max(...after.lipSync.map(Math.abs));
  t.diagnostic(`afterwards lips are ${(late * 1000).toFixed(0)} ms off at most`);
  assert.ok(after.lipSync.length > 0 && late < 0.15, `${after.lipSync} s`);

  assert.deepEqual(faults(lateTags), []);
  for (const type of ['audio', 'video']) {
    const first = lateTags.find((tag) => tag.type === type && !tag.header);
    assert.ok(first && first.seen - lateAsked < 1000, `who joins waits for ${type}`);
  }
}

test('a browser that is muted is silent and black to players of RTMP and HTTP-FLV, and comes back', {
  timeout: 60_000,
}, async (t) => {
  const tab = await s.browser.publish({ url: s.server.whipUrl('browser/camera') });
  await until('the browser is connected', 5000, async () => (await tab.state()) === 'connected');
  assertFilled(t, await throughMute(t, 'browser'));
  await tab.stop();
});

test('a mini-program that is muted is silent and black likewise', { timeout: 60_000 }, async (t) => {
  const pusher = pushRtmp(scopeOf(t), s.server.rtmpUrl('phone/camera'));
  assertFilled(t, await throughMute(t, 'phone'));
  await pusher.stop();
});

test('a publisher whose sound was announced and does not come leaves players with a clock that runs', {
  timeout: 30_000,
}, async (t) => {
  const scope = scopeOf(t);
  const { client: admin } = await Signaller.join(scope, s.server, 'quiet', 'admin');
  pushRtmp(scope, s.server.rtmpUrl('quiet/camera'));
  await admin.event('stream_published');
  await admin.request('mute', { uid: 'camera', stream: 'camera', kind: 'audio', muted: true });
  const flv = new FlvPlayer(scope, s.server.flvUrl('quiet/camera'));
  await sleep(4000);
  const tags = await flv.stop();
  assert.deepEqual(faults(tags), []);
  const { stamped, waited } = longestStep(tags, 'audio');
  t.diagnostic(`longest step ${stamped} ms, waited ${waited} ms`);
  assert.ok(stamped < 150 && waited < 600);
});
