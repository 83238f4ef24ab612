/** From a camera's clock to a player's eye, over loopback, with real encoders and decoders. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from '../tests/lib/chromium.mjs';
import { FlvPlayer } from '../tests/lib/flv.mjs';
import { IMPATIENT_INPUT, decodeFile, play } from '../tests/lib/player.mjs';
import { Scope, sleep, until } from '../tests/lib/scope.mjs';
import { startServer } from '../tests/lib/server.mjs';
import { FPS, pushCamera } from './lib/camera.mjs';
import { spread } from './lib/table.mjs';

/** Players and bandwidth estimates find their pace in this time. */
const SETTLE_S = 5;

/** @param {import('./lib/context.mjs').Context} context */
const seconds = ({ quick }) => (quick ? 10 : 40);

/**
 * Milliseconds from paint to player, of every picture that was shown.
 * @param {import('../tests/lib/recording.mjs').Recording} recording
 */
function delays(recording) {
  const seen = recording.skip(SETTLE_S).readable();
  const fresh = seen.filter((frame, i) => frame.number !== seen[i - 1]?.number);
  return fresh.map((frame) => (frame.seen % 2 ** 31) - frame.clock);
}

/** @param {import('./lib/context.mjs').Context} context @param {boolean} sound */
async function toChromium(context, sound) {
  const scope = new Scope();
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    pushCamera(scope, server.rtmpUrl('bench/a'), { sound });
    await sleep(1000);
    const viewer = await browser.watchWhenLive({ url: server.whepUrl('bench/a'), audio: sound });
    await viewer.firstFrame(5000);
    await sleep((SETTLE_S + seconds(context)) * 1000);
    const recording = await viewer.recording();
    await viewer.stop();
    return delays(recording);
  } finally {
    await scope.close();
  }
}

/** @type {Record<string, number>} */
const TAG_TYPES = { audio: 8, video: 9, script: 18 };

/** @param {import('../tests/lib/flv.mjs').Tag} tag */
function tagBytes({ type, timestamp, body }) {
  const bytes = Buffer.alloc(body.length + 15);
  bytes.writeUInt8(TAG_TYPES[type] ?? 0, 0);
  bytes.writeUIntBE(body.length, 1, 3);
  bytes.writeUIntBE(timestamp & 0xffffff, 4, 3);
  bytes.writeUInt8(timestamp >>> 24, 7);
  body.copy(bytes, 11);
  bytes.writeUInt32BE(body.length + 11, body.length + 11);
  return bytes;
}

/**
 * Milliseconds from paint to the arrival of each picture's tag: the clock is read from the very same tags afterwards.
 * @param {Scope} scope
 * @param {import('../tests/lib/flv.mjs').Tag[]} tags
 */
async function arrivals(scope, tags) {
  const path = join(scope.tempDir(), 'tags.flv');
  writeFileSync(path, Buffer.concat([Buffer.from('464c5601050000000900000000', 'hex'), ...tags.map(tagBytes)]));
  const { frames } = await decodeFile(scope, path);
  const pictures = tags.filter((tag) => tag.type === 'video' && !tag.header);
  if (frames.length !== pictures.length) throw new Error(`${frames.length} pictures of ${pictures.length} tags`);
  const late = frames.map((frame, i) => ({ frame, ms: ((pictures[i]?.seen ?? 0) % 2 ** 31) - frame.clock }));
  return late.filter(({ frame }, i) => i >= SETTLE_S * FPS && frame.number !== null).map(({ ms }) => ms);
}

/** @param {import('./lib/context.mjs').Context} context */
async function toRtmp(context) {
  const scope = new Scope();
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const publisher = await browser.publish({ url: server.whipUrl('bench/a') });
    await until('the browser is connected', 5000, async () => (await publisher.state()) === 'connected');
    await sleep(3000);
    const player = play(scope, server.rtmpUrl('bench/a'), { audio: false, input: IMPATIENT_INPUT });
    await sleep(1500);
    // Another player comes, so the browser makes a keyframe: `nobuffer` throws away the one that ffmpeg has probed.
    const tags = new FlvPlayer(scope, server.flvUrl('bench/a'));
    await player.firstFrame(8000);
    await sleep((SETTLE_S + seconds(context)) * 1000);
    const recording = await player.stop();
    const arrived = await tags.stop();
    await publisher.stop();
    return { shown: delays(recording), received: await arrivals(scope, arrived) };
  } finally {
    await scope.close();
  }
}

/** @param {import('./lib/context.mjs').Context} context */
export async function measure(context) {
  const pushed = 'ffmpeg 9, zerolatency, 360x640 at 15/s; frame painted to frame callback in the page';
  const { shown, received } = await toRtmp(context);
  return [
    spread('glass_to_chromium', await toChromium(context, false), `${pushed}; no sound track`),
    spread('glass_to_chromium_sound', await toChromium(context, true), `${pushed}; picture waits for sound`),
    spread('glass_to_rtmp', shown, 'canvas painted to decoded by ffmpeg 5.1, which holds one picture back'),
    spread('glass_to_rtmp_wire', received, 'canvas painted to the arrival of the FLV tag; decoded afterwards'),
  ];
}
