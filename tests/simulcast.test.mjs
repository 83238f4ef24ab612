/** A browser sends its pictures in three sizes, and everybody gets the one that they want and that their path carries. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sizeOfConfig } from '../miniprogram/emulator/src/media/h264.js';
import { report, summary } from './lib/content.mjs';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { Member } from './lib/member.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { Signaller } from './lib/signalling.mjs';
import { steps } from './lib/steps.mjs';
import { suite } from './lib/suite.mjs';

/** Large enough for Chromium to make three of it, and small enough for a machine that also encodes and decodes them. */
const PICTURE = { width: 960, height: 540, fps: 15, layers: /** @type {const} */ (3), kbps: 1200 };
const [LARGE, MIDDLE, SMALL] = [960, 480, 240];
/** When a layer that is wanted has to be shown: an event, an encoder that starts, a keyframe. */
const SOON = 10_000;
/** A change that waits for its keyframe with nothing to show would take longer on a busy machine. */
const FREEZE_S = 1;

const s = suite();

/** The widths of the pictures in an FLV stream, in their order. @param {import('./lib/flv.mjs').Tag[]} tags */
function widths(tags) {
  const headers = tags.filter(({ type, header }) => type === 'video' && header);
  return headers.map(({ body }) => sizeOfConfig(body.subarray(5))?.width);
}

/** @param {import('./lib/recording.mjs').Recording} recording @param {number} since in seconds */
function longestPause({ frames }, since = 0) {
  const times = frames.map(({ at }) => at).filter((at) => at >= since);
  return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)));
}

test('everybody gets the layer that they need, and no other is sent', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const alice = await Member.join(s, scope, 'layers', 'alice');
  await alice.publish(PICTURE);
  const step = steps(t, async () => JSON.stringify(await alice.sent()));
  /** @param {Record<string, number>} expected */
  const sends = (expected) => until(`${JSON.stringify(expected)} is sent`, SOON, async () => {
    return JSON.stringify(await alice.sent()) === JSON.stringify(expected);
  });
  const bob = await Member.join(s, scope, 'layers', 'bob');
  /** @param {number} width */
  const bobSees = (width) => until(`bob sees ${width}`, SOON, async () => (await bob.width('alice')) === width);

  await step('who watches in full gets the full picture, and it alone is sent', async () => {
    await bob.watch('alice');
    await bobSees(LARGE);
    await sends({ h: LARGE });
  });

  await step('who shows it small gets it small, without a pause, and the full one is no longer sent', async (t) => {
    await bob.limit('alice', 'l');
    await bobSees(SMALL);
    await sends({ l: SMALL });
    await bob.limit('alice', 'h');
    await bobSees(LARGE);
    const seen = await bob.seen('alice');
    const all = report(seen.skip(1));
    t.diagnostic(`${summary(all)}, longest pause ${(longestPause(seen) * 1000).toFixed()} ms`);
    assert.equal(all.backward, 0);
    assert.ok(longestPause(seen, (seen.frames[0]?.at ?? 0) + 2) < FREEZE_S, 'the picture stood still at a change');
  });

  await step('a phone and an FLV player get layers of their own at the same time', async () => {
    const { client: phone } = await Signaller.join(scope, s.server, 'layers', 'phone', { platform: 'miniprogram' });
    const { flv } = await phone.request('subscribe', { uid: 'alice', stream: 'camera', max_layer: 'm' });
    const small = new FlvPlayer(scope, flv);
    const large = new FlvPlayer(scope, s.server.flvUrl('layers/alice'));
    await bob.limit('alice', 'l');
    await until('the phone gets the middle', SOON, () => widths(small.tags).at(-1) === MIDDLE);
    await until('the encoder gets all', SOON, () => widths(large.tags).at(-1) === LARGE);
    await sends({ l: SMALL, m: MIDDLE, h: LARGE });
    await sleep(1000);
    for (const tags of [await small.stop(), await large.stop()]) assert.deepEqual(faults(tags), []);
  });

  await step('what nobody needs any longer is not sent any longer', async () => {
    await sends({ l: SMALL });
    await bob.leave();
  });
});
