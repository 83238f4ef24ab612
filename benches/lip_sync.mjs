/** How far sound and picture are apart after a minute: a flash and a beep of the same instant, once a second. */
import { clientOf, launch, toRecording } from '../tests/lib/chromium.mjs';
import { median, report } from '../tests/lib/content.mjs';
import { play } from '../tests/lib/player.mjs';
import { Scope, sleep, until } from '../tests/lib/scope.mjs';
import { startServer } from '../tests/lib/server.mjs';
import { pushCamera } from './lib/camera.mjs';
import { spread } from './lib/table.mjs';

/** @param {import('./lib/context.mjs').Context} context */
const spans = ({ quick }) => (quick ? { before: 8, measured: 12 } : { before: 60, measured: 40 });

/**
 * @param {string} id
 * @param {import('../tests/lib/recording.mjs').Recording} recording
 * @param {number} before seconds to leave out
 */
function errors(id, recording, before) {
  const late = report(recording.skip(before)).lipSync.map((seconds) => seconds * 1000);
  const note = `after ${before} s; the sound is late by ${median(late).toFixed(1)} ms at the median`;
  return spread(id, late.map(Math.abs), note);
}

/** @param {import('./lib/context.mjs').Context} context */
async function toChromium(context) {
  const { before, measured } = spans(context);
  const scope = new Scope();
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    pushCamera(scope, server.rtmpUrl('bench/a'), { sound: true });
    await sleep(1000);
    const viewer = await browser.watchWhenLive({ url: server.whepUrl('bench/a') });
    await viewer.firstFrame(5000);
    await sleep((before + measured) * 1000);
    const recording = await viewer.recording();
    await viewer.stop();
    return errors('lip_to_chromium', recording, before);
  } finally {
    await scope.close();
  }
}

/** @param {import('./lib/context.mjs').Context} context */
async function toRtmp(context) {
  const { before, measured } = spans(context);
  const scope = new Scope();
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const publisher = await browser.publish({ url: server.whipUrl('bench/a') });
    await until('the browser is connected', 5000, async () => (await publisher.state()) === 'connected');
    const player = play(scope, server.rtmpUrl('bench/a'));
    await player.firstFrame(8000);
    await sleep((before + measured) * 1000);
    const recording = await player.stop();
    await publisher.stop();
    return errors('lip_to_rtmp', recording, before);
  } finally {
    await scope.close();
  }
}

/** What the page's own clocks and buffers do to the figure, without a server. */
async function floor() {
  const scope = new Scope();
  try {
    const browser = await launch(scope);
    const page = await browser.tab();
    const options = { tone: 440, fps: 15, width: 360, height: 640, firstNumber: 0 };
    const handle = await (await clientOf(page)).evaluateHandle((client, o) => client.loop(o), options);
    await sleep(15_000);
    const recording = toRecording(await handle.evaluate((client) => client.collect()));
    return errors('lip_floor', recording, 3);
  } finally {
    await scope.close();
  }
}

/** @param {import('./lib/context.mjs').Context} context */
export async function measure(context) {
  return [await toChromium(context), await toRtmp(context), await floor()];
}
