/** From a camera's clock to a player's eye, over loopback, with real encoders and decoders. */
import { launch } from '../tests/lib/chromium.mjs';
import { play } from '../tests/lib/player.mjs';
import { Scope, sleep, until } from '../tests/lib/scope.mjs';
import { startServer } from '../tests/lib/server.mjs';
import { pushCamera } from './lib/camera.mjs';
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

/** @param {import('./lib/context.mjs').Context} context */
async function toRtmp(context) {
  const scope = new Scope();
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const publisher = await browser.publish({ url: server.whipUrl('bench/a') });
    await until('the browser is connected', 5000, async () => (await publisher.state()) === 'connected');
    await sleep(3000);
    const player = play(scope, server.rtmpUrl('bench/a'), { audio: false });
    await player.firstFrame(8000);
    await sleep((SETTLE_S + seconds(context)) * 1000);
    const recording = await player.stop();
    await publisher.stop();
    return delays(recording);
  } finally {
    await scope.close();
  }
}

/** @param {import('./lib/context.mjs').Context} context */
export async function measure(context) {
  const pushed = 'ffmpeg 9, zerolatency, 360x640 at 15/s; frame painted to frame callback in the page';
  return [
    spread('glass_to_chromium', await toChromium(context, false), `${pushed}; no sound track`),
    spread('glass_to_chromium_sound', await toChromium(context, true), `${pushed}; picture waits for sound`),
    spread('glass_to_rtmp', await toRtmp(context), 'canvas painted to ffmpeg 5.1 (low_delay) decoded; the sound is sent, not played'),
  ];
}
