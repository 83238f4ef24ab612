/** Rooms in a browser: how long a newcomer waits for a picture, and what is seen of cut connections. */
import { launch } from '../tests/lib/chromium.mjs';
import { startLink } from '../tests/lib/link.mjs';
import { Scope, sleep, until } from '../tests/lib/scope.mjs';
import { startServer } from '../tests/lib/server.mjs';
import { clock, frames, join, leave, openPage, publishInto } from './lib/room.mjs';
import { spread } from './lib/table.mjs';

const GOP_MS = 3000;
/** How long the signalling stays away. */
const SIGNAL_CUT_MS = 1500;
/** How long the media stay away. */
const MEDIA_CUT_MS = 3000;

/** @param {import('./lib/context.mjs').Context} context */
export async function chromiumJoinsRoom(context) {
  const scope = new Scope();
  const waits = [];
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const room = await publishInto(scope, server, 'join');
    const page = await openPage(browser, `http://${server.http}`);
    for (let i = 0; i < (context.quick ? 10 : 40); i += 1) {
      await sleep(500 + Math.random() * GOP_MS);
      waits.push(await join(page, room));
      await leave(page);
    }
  } finally {
    await scope.close();
  }
  // The first join also compiles and warms what all others find ready, as the first visit of anybody does.
  return [spread('join_picture', waits, 'client.join of the SDK to the frame callback of a WebRTC publisher’s picture')];
}

/** The longest wait for a picture, in milliseconds. @param {number[]} shown @param {number} from @param {number} to */
function longestWait(shown, from, to) {
  const within = shown.filter((at) => at >= from && at <= to);
  return Math.max(...[...within, to].map((at, i) => at - (within[i - 1] ?? from)));
}

/** @param {import('./lib/context.mjs').Context} context */
export async function signallingCut(context) {
  const scope = new Scope();
  const extra = [];
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const room = await publishInto(scope, server, 'signal');
    const relay = await startLink(scope, 'tcp', server.http);
    const page = await openPage(browser, `http://127.0.0.1:${relay.port}`);
    await join(page, room);
    await sleep(2000);
    for (let i = 0; i < (context.quick ? 4 : 20); i += 1) {
      const before = await clock(page);
      await sleep(SIGNAL_CUT_MS + 1000);
      const cut = await clock(page);
      await relay.refuse();
      await sleep(SIGNAL_CUT_MS);
      await relay.accept();
      await until('the signalling is back', 10_000, async () => (await relay.passed()).open > 0);
      await sleep(1000);
      const after = await clock(page);
      const shown = await frames(page);
      extra.push(Math.max(0, longestWait(shown, cut, after) - longestWait(shown, before, cut)));
    }
  } finally {
    await scope.close();
  }
  const note = 'longest wait for a picture from the cut to a second after the resumption, beyond that of the time before it';
  return [spread('signal_cut', extra, note)];
}

/** @param {import('./lib/context.mjs').Context} context */
export async function mediaCut(context) {
  const scope = new Scope();
  const waits = [];
  try {
    const server = await startServer(scope);
    const browser = await launch(scope);
    const room = await publishInto(scope, server, 'media');
    const relay = await startLink(scope, 'udp', server.rtc);
    const page = await openPage(browser, `http://${server.http}`);
    const port = { server: server.rtc.split(':').at(-1) ?? '', relay: relay.port };
    await page.evaluate((ports) => {
      // Whatever the server offers leads through the relay.
      const prototype = RTCPeerConnection.prototype;
      const original = prototype.setRemoteDescription;
      prototype.setRemoteDescription = function through(description) {
        const sdp = description.sdp?.replaceAll(` ${ports.server} typ host`, ` ${ports.relay} typ host`);
        return Reflect.apply(original, this, [{ type: description.type, sdp: sdp ?? '' }]);
      };
    }, port);
    await join(page, room);
    for (let i = 0; i < (context.quick ? 4 : 20); i += 1) {
      await sleep(3000 + Math.random() * GOP_MS);
      await relay.cut();
      await sleep(MEDIA_CUT_MS);
      await relay.mend({ rebind: true });
      const back = await clock(page);
      const first = await until('the picture is back', 30_000, async () => {
        return (await frames(page)).find((at) => at > back) ?? null;
      });
      waits.push(first - back);
    }
  } finally {
    await scope.close();
  }
  const note = 'from the moment at which UDP passes again, from another port, to the next picture; cut for 3 s';
  return [spread('media_cut', waits, note)];
}
