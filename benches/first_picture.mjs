/** How long newcomers wait for a picture, with a browser on one side. */
import { launch } from '../tests/lib/chromium.mjs';
import { Scope, sleep, until } from '../tests/lib/scope.mjs';
import { startServer } from '../tests/lib/server.mjs';
import { pushCamera } from './lib/camera.mjs';
import { load } from './lib/context.mjs';
import { spread } from './lib/table.mjs';

const GOP_MS = 3000;

/** @param {import('./lib/context.mjs').Context} context */
export async function chromiumJoins(context) {
  const scope = new Scope();
  const fromClick = [];
  const fromPost = [];
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    pushCamera(scope, server.rtmpUrl('bench/a'), { sound: true });
    await sleep(5000);
    const url = server.whepUrl('bench/a');
    for (let i = 0; i < (context.quick ? 10 : 40); i += 1) {
      await sleep(Math.random() * GOP_MS);
      const viewer = await browser.watch({ url });
      await viewer.firstFrame(10_000);
      const { started, frames } = await viewer.recording();
      const seen = frames.find((frame) => frame.number !== null)?.seen ?? Infinity;
      const posted = await viewer.page.evaluate((address) => {
        const [post] = performance.getEntriesByName(address);
        return performance.timeOrigin + (post?.startTime ?? 0);
      }, url);
      fromClick.push(seen - started);
      fromPost.push(seen - posted);
      await viewer.stop();
    }
  } finally {
    await scope.close();
  }
  const note = 'to the frame callback of the first picture, at any point of a 3 s GOP, with sound';
  return [
    spread('first_webrtc', fromPost, `POST ${note}`),
    spread('first_webrtc_click', fromClick, `new RTCPeerConnection, which first gathers candidates, ${note}`),
  ];
}

/** @param {import('./lib/context.mjs').Context} context */
export async function rtmpJoins(context) {
  const scope = new Scope();
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const publisher = await browser.publish({ url: server.whipUrl('bench/a') });
    await until('the browser is connected', 5000, async () => (await publisher.state()) === 'connected');
    await sleep(5000);
    const rows = await load(context, 'join-rtmp', server.rtmpUrl('bench/a'));
    await publisher.stop();
    return rows;
  } finally {
    await scope.close();
  }
}
