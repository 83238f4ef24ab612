/** The emulator's live-pusher and live-player, against the server and a browser. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LivePlayer } from '../miniprogram/emulator/src/media/live-player.js';
import { LivePusher } from '../miniprogram/emulator/src/media/live-pusher.js';
import { readPlane } from './lib/barcode.mjs';
import { assertContent, median, report, summary } from './lib/content.mjs';
import { startLink } from './lib/link.mjs';
import { phoneCamera } from './lib/phone.mjs';
import { Recording } from './lib/recording.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { pitches } from './lib/sound.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

const FPS = 15;
const RATE = 48_000;
/** How long anything may take: several ffmpegs and a browser start at once on a machine that may be busy. */
const WAIT_MS = 20_000;
/** Codes by which the components come to work, in order. */
const PUSHED = [1005, 1003, 1007, 1008, 1001, 1002];
const PLAYED = [2001, 2002, 2008, 2003, 2009, 2004];

/** @param {number} tone hertz */
const camera = (tone = 440) => phoneCamera({ firstNumber: 0, tone });

/** Where a component lives: what it reports is kept. */
class Place {
  /** @type {number[]} */
  codes = [];
  /** @type {Record<string, number | undefined>[]} */
  infos = [];
  ffmpeg = 'ffmpeg';

  /**
   * @param {Partial<import('../miniprogram/emulator/src/media/host.js').Device>} device
   * @param {'android' | 'ios'} platform
   */
  constructor(device = {}, platform = 'android') {
    this.device = { camera: camera(), ...device };
    this.platform = platform;
  }

  /** @param {string} event @param {any} detail */
  emit(event, detail) {
    if (event === 'statechange') this.codes.push(detail.code);
    if (event === 'netstatus') this.infos.push(detail.info);
  }

  /** @param {string} path */
  resolveFile(path) {
    return path;
  }

  log() {}

  /** Waits for a code, the n-th of its kind. @param {number} code @param {number} [times] @param {number} [ms] */
  reported(code, times = 1, ms = WAIT_MS) {
    const enough = () => this.codes.filter((one) => one === code).length >= times;
    return until(`code ${code}, ${times} times`, ms, enough).catch((error) => {
      throw new Error(`${error.message}; there were ${this.codes.join(' ')}`);
    });
  }

  /** @param {number} code */
  count(code) {
    return this.codes.filter((one) => one === code).length;
  }
}

/**
 * @param {import('./lib/scope.mjs').Scope} scope @param {string} url
 * @param {object} [attributes] @param {Place} [place]
 */
function push(scope, url, attributes = {}, place = new Place()) {
  const pusher = new LivePusher(place, { url, autopush: true, mode: 'RTC', ...attributes });
  scope.defer(() => pusher.close());
  return { pusher, place };
}

/** @param {import('./lib/scope.mjs').Scope} scope @param {string} src @param {Place} [place] */
function play(scope, src, place = new Place()) {
  const player = new LivePlayer(place, { src, autoplay: true, mode: 'RTC' });
  scope.defer(() => player.close());
  const recording = new Recording();
  let seconds = 0;
  player.onFrame(({ plane, width, height, atMs, seenMs, coded }) => {
    const code = readPlane(plane, width, height);
    const { number, clock, flash } = code ?? { number: null, clock: 0, flash: false };
    recording.frames.push({ number, clock, flash, at: atMs / 1000, seen: seenMs });
    recording.sizes.add(`${coded.width}x${coded.height}`);
  });
  player.onSound((samples, { atMs }) => {
    recording.anchors.push({ seconds, at: atMs / 1000 });
    recording.sound.push(samples);
    seconds += samples.length / 2 / RATE;
  });
  return { player, place, recording };
}

/**
 * Waits until the last second of what was heard is one tone, or silence.
 * @param {Recording} recording @param {number} hertz 0 for silence
 */
async function hears(recording, hertz) {
  const start = recording.pcm().length;
  /** @type {number[]} */
  let tones = [];
  const holds = () => {
    const pcm = recording.pcm();
    if (pcm.length < start + RATE) return false;
    tones = pitches(pcm.subarray(-RATE), RATE).map(Math.round);
    return tones.filter((tone) => Math.abs(tone - hertz) > 5).length <= 1;
  };
  await until(`a second of ${hertz} Hz`, WAIT_MS, holds).catch((error) => {
    throw new Error(`${error.message}; it is ${tones.join(' ')}`);
  });
}

/** Waits until no picture has come for a second. @param {Recording} recording */
async function stops(recording) {
  const last = () => recording.frames.at(-1)?.seen ?? 0;
  await until('an end of the pictures', WAIT_MS, () => Date.now() - last() > 1000);
}

/** Waits for bar codes of a second from now on. @param {Recording} recording */
async function moves(recording) {
  const number = recording.lastNumber();
  await until('pictures of the camera', WAIT_MS, () => recording.lastNumber() > number + FPS);
}

/** How many ffmpegs this process has as children. */
function ffmpegs() {
  const own = readdirSync('/proc').filter((name) => {
    try {
      return new RegExp(`^\\d+ \\(ffmpeg\\) \\S ${process.pid} `).test(readFileSync(`/proc/${name}/stat`, 'utf8'));
    } catch {
      // Not a process, or one that has just ended.
      return false;
    }
  });
  return own.length;
}

test('a player and a browser see and hear what a pusher captures, and a player what a browser does', {
  timeout: 120_000,
}, async (t) => {
  const scope = scopeOf(t);
  const url = s.server.rtmpUrl('native/phone');
  const phone = push(scope, url);
  await phone.place.reported(1002);
  assert.deepEqual(phone.place.codes, PUSHED);
  const near = play(scope, url);
  await near.place.reported(2004);
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl('native/phone') });
  const tab = await s.browser.publish({ url: s.server.whipUrl('native/tab'), tone: 660 });
  const far = play(scope, s.server.flvUrl('native/tab'));
  await viewer.firstFrame(WAIT_MS);
  await far.place.reported(2004);
  // What starts takes the processor from what plays.
  await sleep(2000);
  const nearStart = near.recording.frames.at(-1)?.at ?? 0;
  const farStart = far.recording.frames.at(-1)?.at ?? 0;
  await sleep(6500);
  const seen = await viewer.recording();
  await far.player.close();
  await near.player.close();
  await tab.stop();
  await viewer.stop();
  // A busy machine may make a player wait for more later on, which it tells with 2007 and 2004.
  for (const { place } of [near, far]) assert.deepEqual(place.codes.slice(0, PLAYED.length), PLAYED);
  assert.deepEqual(phone.place.codes, PUSHED);
  assertContent(t, near.recording.since(nearStart), { name: 'player', seconds: 5, latency: 1500 });
  // How well a browser plays RTMP is for other tests: it starts here together with much else.
  const r = report(seen.skip(3));
  t.diagnostic(`browser: ${summary(r)}`);
  assert.ok(r.last - r.first > 4 * FPS && r.backward === 0 && r.unreadable === 0, summary(r));
  assert.ok(Math.abs(r.hertz - 440) < 5 && r.steady > 0.9, summary(r));
  const tabbed = far.recording.since(farStart);
  assertContent(t, tabbed, { name: 'player of the tab', seconds: 5, tone: 660, latency: 1500 });
  assert.deepEqual([...near.recording.sizes, ...seen.sizes], ['368x640', '368x640']);
  const [info] = phone.place.infos.filter(({ videoFPS }) => Math.abs(Number(videoFPS) - FPS) <= 2);
  assert.deepEqual([info?.['videoWidth'], info?.['videoHeight']], [368, 640]);
  assert.equal(near.place.infos.at(-1)?.['netQualityLevel'], undefined);
});

test('camera, microphone and rotation change in mid-stream without a reconnect', { timeout: 120_000 }, async (t) => {
  const scope = scopeOf(t);
  const url = s.server.rtmpUrl('changes/phone');
  const phone = push(scope, url);
  await phone.place.reported(1002);
  const { recording, place } = play(scope, url);
  await place.reported(2004);
  const viewer = await s.browser.watchWhenLive({ url: s.server.whepUrl('changes/phone') });
  await viewer.firstFrame(WAIT_MS);

  phone.pusher.set({ enableCamera: false });
  await stops(recording);
  await hears(recording, 440);
  await stops(recording);
  phone.pusher.set({ enableCamera: true });
  await moves(recording);
  assert.equal(phone.place.count(1003), 2);

  phone.pusher.set({ enableMic: false });
  await hears(recording, 0);
  phone.pusher.set({ enableMic: true });
  await hears(recording, 440);

  phone.pusher.set({ orientation: 'horizontal' });
  await place.reported(2009, 2);
  await until('a horizontal picture', WAIT_MS, () => recording.sizes.has('640x368'));
  const number = recording.lastNumber();
  await moves(recording);
  const turned = async () => (await viewer.recording()).sizes.has('640x368');
  await until('a horizontal picture in the browser', WAIT_MS, turned);
  const seen = await viewer.recording();
  assert.ok(seen.lastNumber() > number);
  await viewer.stop();
  assert.deepEqual([phone.place.count(1001), place.count(2001), place.count(2103)], [1, 1, 0]);
});

test('in the background a pusher sends its waiting image and silence, and then goes on', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const url = s.server.rtmpUrl('background/phone');
  const phone = push(scope, url);
  await phone.place.reported(1002);
  const { recording, place } = play(scope, url);
  await place.reported(2004);
  phone.pusher.background(true);
  await hears(recording, 0);
  await sleep(2000);
  const waiting = recording.frames.filter(({ number }) => number === null).map(({ at }) => at);
  const gaps = waiting.slice(1).map((at, i) => at - (waiting[i] ?? 0));
  assert.ok(gaps.length >= 8 && Math.abs(median(gaps) - 0.2) < 0.02, `pictures at ${waiting.join(' ')}`);
  assert.equal(recording.frames.at(-1)?.number, null, 'the camera is seen in the background');
  phone.pusher.background(false);
  await moves(recording);
  await hears(recording, 440);
  assert.deepEqual([phone.place.count(1001), place.count(2001)], [1, 1]);
});

test('components that lose the server come back when it does, and give up after three attempts', {
  timeout: 90_000,
}, async (t) => {
  const scope = scopeOf(t);
  const relay = await startLink(scope, 'tcp', s.server.rtmp);
  const url = `rtmp://127.0.0.1:${relay.port}/demo/lost/phone`;
  const phone = push(scope, url, {}, new Place({ retryDelayMs: 500 }));
  await phone.place.reported(1002);
  const { player, place, recording } = play(scope, url, new Place({ retryDelayMs: 500 }));
  await place.reported(2004);
  await relay.refuse();
  await phone.place.reported(1102);
  await place.reported(2103);
  await relay.accept();
  await phone.place.reported(1002, 2);
  await place.reported(2004, 2);
  await moves(recording);

  phone.place.codes = [];
  place.codes = [];
  await relay.refuse();
  await phone.place.reported(-1307);
  await place.reported(-2301);
  // Each attempt ends at once: the relay takes the connection and drops it.
  const failures = phone.place.codes.filter((code) => code > 0 && code !== 1102);
  assert.ok(failures.every((code) => code >= 3002 && code <= 3005), phone.place.codes.join(' '));
  assert.deepEqual(phone.place.codes.filter((code) => code < 3000), [1102, 1102, 1102, -1307]);
  assert.deepEqual(place.codes.filter((code) => code < 3000), [2103, 2103, 2103, -2301]);
  assert.deepEqual([phone.pusher.state.phase, player.state.phase], ['failed', 'failed']);
});

test('a refused push says so, tries again and fails', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const url = s.server.rtmpUrl('refused/phone', { app: 'nosuchapp' });
  const { place } = push(scope, url, { enableCamera: false }, new Place({ retryDelayMs: 100 }));
  await place.reported(-1307);
  const attempt = [1001, 3004, 1102];
  assert.deepEqual(place.codes, [...attempt, ...attempt, ...attempt, 1001, 3004, -1307]);
});

test('components that are closed at any moment leave no process and no timer', { timeout: 60_000 }, async (t) => {
  const scope = scopeOf(t);
  const left = () => {
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    return { ffmpegs: ffmpegs(), timers };
  };
  const before = left();
  assert.equal(before.ffmpegs, 0);
  const url = s.server.rtmpUrl('closing/phone');
  for (const ms of [0, 50, 400, 1500]) {
    const { pusher, place } = push(scope, url);
    const { player, place: other } = play(scope, url);
    await sleep(ms);
    if (ms > 0) assert.notEqual(ffmpegs(), 0);
    await Promise.all([pusher.close(), player.close()]);
    assert.deepEqual(left(), before, `after ${ms} ms`);
    const codes = [...place.codes, ...other.codes];
    await sleep(100);
    assert.deepEqual([...place.codes, ...other.codes], codes, 'something is reported after the end');
    await assert.rejects(pusher.call('start'), { errMsg: /fail/ });
  }
});
