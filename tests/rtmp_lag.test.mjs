/** RTMP and HTTP-FLV players on paths that carry too little, or nothing for a while: they stay near live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOCK_MODULUS } from './lib/barcode.mjs';
import { faults, FlvPlayer, FlvReader } from './lib/flv.mjs';
import { startLink } from './lib/link.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { pushRtmp } from './lib/source.mjs';
import { suite } from './lib/suite.mjs';

const s = suite({ browser: false });

/** Bytes that the link holds beyond the conditions: the smallest buffer that the kernel grants, each way. */
const LINK_BUFFER = 2 * 4096;

/** Frames of AAC at 48 kHz are so far apart. */
const AUDIO_STEP = 1024 / 48;

/** H.264 of 600 kbit/s, as a camera's: what the plain picture does not need is filled up. A keyframe every two seconds. */
const CAMERA = [
  ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-profile:v', 'baseline', '-preset', 'veryfast', '-tune', 'zerolatency'],
  ['-g', '30', '-keyint_min', '30', '-sc_threshold', '0', '-threads', '1', '-nal-hrd', 'cbr'],
  ['-b:v', '600k', '-minrate', '600k', '-maxrate', '600k', '-bufsize', '200k'],
].flat();

/**
 * A publisher, and an RTMP player and an HTTP-FLV reader twice: behind a link each, and without, to compare with.
 * @param {import('./lib/scope.mjs').Scope} scope
 * @param {string} stream
 */
async function set(scope, stream) {
  pushRtmp(scope, s.server.rtmpUrl(stream), { videoCodec: CAMERA });
  const freeFlv = new FlvPlayer(scope, s.server.flvUrl(stream));
  // Who joins a stream without a picture takes it for sound alone.
  await until('the publisher sends', 10_000, () => freeFlv.tags.some((tag) => tag.keyframe && !tag.header));
  const links = await Promise.all(
    [s.server.rtmp, s.server.http].map((address) => startLink(scope, 'tcp', address)),
  );
  const [rtmpPort, httpPort] = links.map(({ port }) => `127.0.0.1:${port}`);
  const [rtmpUrl, flvUrl] = [s.server.rtmpUrl(stream), s.server.flvUrl(stream)];
  const players = {
    rtmp: play(scope, rtmpUrl.replace(s.server.rtmp, rtmpPort ?? '')),
    flv: new FlvPlayer(scope, flvUrl.replace(s.server.http, httpPort ?? '')),
    copied: copyRtmp(scope, rtmpUrl.replace(s.server.rtmp, rtmpPort ?? '')),
    freeFlv,
  };
  await players.rtmp.firstFrame(6000);
  await until('pictures', 6000, () => players.copied.tags.some((tag) => tag.keyframe && !tag.header));
  await sleep(3000);
  const recent = players.freeFlv.tags.filter((tag) => tag.seen > Date.now() - 2000);
  return {
    ...players,
    kbps: Math.round(recent.reduce((sum, tag) => sum + tag.body.length + 15, 0) / 250),
    /** @param {import('./lib/link.mjs').Conditions} conditions */
    link: (conditions) => Promise.all(links.map((link) => link.set({ down: conditions }))),
  };
}

/** @param {{ tags: import('./lib/flv.mjs').Tag[] }} reader */
const media = (reader) => reader.tags.filter((tag) => tag.type !== 'script' && !tag.header);

/**
 * How much later than at a player of the same kind without a link everything came.
 * @param {{ key: string | number, seen: number }[]} here
 * @param {{ key: string | number, seen: number }[]} free
 */
function lags(here, free) {
  const there = new Map(free.map(({ key, seen }) => [key, seen]));
  return here.flatMap(({ key, seen }) => {
    const other = there.get(key);
    return other === undefined ? [] : [{ seen, lag: seen - other }];
  });
}

/** @param {{ tags: import('./lib/flv.mjs').Tag[] }} reader */
const tagsOf = (reader) => media(reader).map(({ type, timestamp, seen }) => ({ key: `${type}${timestamp}`, seen }));

/**
 * Plays RTMP with ffmpeg, which passes on what it gets: decoders keep pictures to themselves until the next one comes.
 * @param {import('./lib/scope.mjs').Scope} scope @param {string} url
 */
function copyRtmp(scope, url) {
  const args = ['-loglevel', 'warning', '-fflags', 'nobuffer', '-analyzeduration', '500000', '-i', url];
  args.push('-map', '0:v', '-map', '0:a', '-c', 'copy', '-copyts', '-max_interleave_delta', '1');
  const child = scope.spawn('ffmpeg', [...args, '-flush_packets', '1', '-f', 'flv', 'pipe:1']);
  const reader = new FlvReader();
  child.reader(1).on('data', (bytes) => reader.push(bytes));
  return {
    get tags() {
      return reader.tags;
    },
    stop: () => child.stop('SIGINT'),
  };
}

/**
 * How old each picture was when it came out of the player.
 * @param {import('./lib/player.mjs').Player} player
 */
function ages(player) {
  return player.recording
    .readable()
    .map(({ seen, clock }) => ({ seen, age: (seen % CLOCK_MODULUS) - clock }));
}

/** @param {number[]} values */
const largest = (values) => values.reduce((a, b) => Math.max(a, b), 0);

/** @param {{ seen: number }[]} pictures */
const longestFreeze = (pictures) =>
  largest(pictures.slice(1).map((picture, i) => picture.seen - (pictures[i]?.seen ?? picture.seen)));

test('on a path of 70 % players stay within a second of live, with all the sound and a picture that moves', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const { rtmp, flv, copied, freeFlv, link, kbps } = await set(scope, 'limited/camera');
  t.diagnostic(`the stream has ${kbps} kbit/s`);
  const limited = Date.now();
  await link({ rate_kbps: Math.round(kbps * 0.7) });
  await sleep(12_000);
  const released = Date.now();
  await link({});
  await sleep(5000);
  await Promise.all([rtmp, flv, copied, freeFlv].map((player) => player.stop()));
  assert.deepEqual(faults(flv.tags), []);

  const sound = media(flv).filter((tag) => tag.type === 'audio');
  const holes = sound.slice(1).map((tag, i) => tag.timestamp - (sound[i]?.timestamp ?? 0));
  assert.ok(largest(holes) <= AUDIO_STEP + 2, `sound has a hole of ${largest(holes)} ms`);
  const heard = rtmp.recording.pcm().length / rtmp.recording.rate;
  const span = rtmp.recording.presented(heard) - rtmp.recording.presented(0);
  assert.ok(Math.abs(span - heard) < 0.1, `${heard} s of sound for ${span} s`);

  // What is in the kernel's buffers of the link has been acknowledged: the server takes it for received.
  const held = (LINK_BUFFER * 8) / (kbps * 0.7);
  for (const [name, late] of /** @type {const} */ ([
    ['HTTP-FLV', lags(tagsOf(flv), tagsOf(freeFlv))],
    ['RTMP', lags(tagsOf(copied), tagsOf(freeFlv))],
  ])) {
    const during = late.filter(({ seen }) => seen > limited);
    const worst = largest(during.map(({ lag }) => lag));
    const after = largest(during.filter(({ seen }) => seen > released + 3000).map(({ lag }) => lag));
    t.diagnostic(`${name}: at most ${worst} ms behind, ${after} ms after the release`);
    assert.ok(worst < 1000 + held, `${name}: ${worst} ms behind`);
    assert.ok(after < 300, `${name}: still ${after} ms behind after three seconds`);
  }
  const [shown, all] = [media(copied), media(freeFlv)].map((tags) =>
    tags.filter(({ type, seen }) => type === 'video' && seen > limited + 2000 && seen < released),
  );
  const freeze = longestFreeze(shown ?? []);
  t.diagnostic(`RTMP: ${shown?.length} of ${all?.length} pictures, longest freeze ${freeze} ms`);
  assert.ok((shown?.length ?? 0) > (all?.length ?? 0) * 0.3, 'few pictures');
  assert.ok(freeze < 2000, `a freeze of ${freeze} ms`);
});

test('a path that stood still for five seconds is live again within a second, without a hole in the timeline', {
  timeout: 60_000,
}, async (t) => {
  const scope = scopeOf(t);
  const { rtmp, flv, link } = await set(scope, 'still/camera');
  await link({ cut: true });
  await sleep(5000);
  const mended = Date.now();
  await link({});
  await until('pictures again', 3000, () => ages(rtmp).some(({ seen, age }) => seen > mended && age < 600));
  await sleep(4000);
  await rtmp.stop();
  await flv.stop();
  const tags = media(flv);
  assert.deepEqual(faults(flv.tags), []);

  const usual = ages(rtmp).filter(({ seen }) => seen < mended - 5000).at(-1)?.age ?? 0;
  const live = ages(rtmp).find(({ seen, age }) => seen > mended && age < usual + 300);
  assert.ok(live && live.seen < mended + 1000, `RTMP: live after ${(live?.seen ?? Infinity) - mended} ms`);
  const later = largest(ages(rtmp).filter(({ seen }) => seen > mended + 1500).map(({ age }) => age)) - usual;
  assert.ok(later < 300, `RTMP: ${later} ms behind after that`);
  const { anchors } = rtmp.recording;
  const jumps = anchors.slice(1).map(({ at, seconds }, i) => at - (anchors[i]?.at ?? at) - seconds + (anchors[i]?.seconds ?? 0));
  assert.ok(largest(jumps) < 0.2, `RTMP: the sound's time jumps by ${largest(jumps)} s`);

  for (const type of /** @type {const} */ (['audio', 'video'])) {
    const own = tags.filter((tag) => tag.type === type);
    const steps = own.slice(1).map((tag, i) => tag.timestamp - (own[i]?.timestamp ?? 0));
    assert.ok(largest(steps) < 200, `HTTP-FLV: ${type} has a hole of ${largest(steps)} ms`);
    // The quickest tell what live is on the timeline that was moved.
    const delays = own.filter((tag) => tag.seen > mended + 1000).map((tag) => tag.seen - tag.timestamp);
    assert.ok(largest(delays) - Math.min(...delays) < 300, `HTTP-FLV: ${type} is late`);
  }
  const offsets = /** @type {const} */ (['audio', 'video']).map((type) => {
    const end = tags.filter((tag) => tag.type === type && tag.seen > mended + 3000);
    return Math.min(...end.map((tag) => tag.seen - tag.timestamp));
  });
  assert.ok(Math.abs((offsets[0] ?? 0) - (offsets[1] ?? 0)) < 100, `sound and picture are apart: ${offsets}`);
  t.diagnostic(`RTMP: live ${live.seen - mended} ms after the path moved again`);
});
