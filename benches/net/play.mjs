/** Carries out a scenario: clients, links and their changes. */
import { readFileSync } from 'node:fs';
import { launch } from '../../tests/lib/chromium.mjs';
import { startLink } from '../../tests/lib/link.mjs';
import { phoneCamera, startPhone } from '../../tests/lib/phone.mjs';
import { play } from '../../tests/lib/player.mjs';
import { Scope, sleep } from '../../tests/lib/scope.mjs';
import { pushCamera } from '../lib/camera.mjs';
import { measure, SPEECH } from './measure.mjs';

/** ffmpeg's AAC at the rate that phones use, 48 kbit/s, costs speech more than all that is measured here. */
const AUDIO_RATE = '96k';

/** How long clients have to show a first picture. */
const FIRST_MS = 20_000;
/** What jitter buffers, bandwidth estimates and encoders get to find their pace in, in seconds. */
const SETTLE_S = { quick: 6, full: 12 };
/** How long it is measured where the scenario does not say, in seconds. */
const SECONDS = { quick: 16, full: 30 };

/**
 * @typedef {import('./scenarios.mjs').Scenario} Scenario
 * @typedef {import('./scenarios.mjs').Directions} Directions
 * @typedef {import('./scenarios.mjs').Leg} Leg
 * @typedef {Awaited<ReturnType<typeof startLink>>} Link
 * @typedef {import('../../tests/lib/link.mjs').Passed} Passed
 */

/** Speech as it is sent: 48 kHz, one channel. */
function speech() {
  return readFileSync(SPEECH);
}

/**
 * @param {Scope} scope @param {Scenario} scenario @param {import('./servers.mjs').Running} server
 * @param {Record<Leg, Link>} links
 */
async function startClients(scope, scenario, server, links) {
  const browser = scenario.from === 'browser' || scenario.to === 'browser' ? await launch(scope) : null;
  const sound = speech();
  const samples = new Int16Array(sound.buffer, sound.byteOffset, sound.length / 2);
  if (scenario.from === 'browser') {
    const viaPort = links.publisher.port;
    await browser?.publish({ url: server.whip, viaPort, textured: true, speech: sound.toString('base64') });
  } else if (scenario.from === 'phone') {
    if (!server.call) throw new Error('there is no SDK for phones');
    const camera = phoneCamera({ firstNumber: 0, tone: 0, textured: true, speech: samples });
    await startPhone(scope, { ...server.call, camera });
  } else {
    const url = server.rtmpUrl(`127.0.0.1:${links.publisher.port}`);
    pushCamera(scope, url, { sound: true, ffmpeg: 'ffmpeg', audioRate: AUDIO_RATE, textured: true, speech: samples });
  }
  if (scenario.to === 'browser') {
    const viewer = await browser?.watchWhenLive({ url: server.whep, viaPort: links.viewer.port }, FIRST_MS);
    if (!viewer) throw new Error('no browser');
    await viewer.firstFrame(FIRST_MS);
    return { recording: () => viewer.recording() };
  }
  // A player that finds neither picture nor sound while it probes gives up: it comes when both flow.
  await sleep(2000);
  const player = play(scope, server.rtmpUrl(`127.0.0.1:${links.viewer.port}`));
  await player.firstFrame(FIRST_MS);
  return { recording: async () => player.recording };
}

/** @param {Scope} scope @param {Scenario} scenario @param {import('./servers.mjs').Running} server */
async function startLinks(scope, scenario, server) {
  /** @param {Leg} leg @param {Scenario['from']} client */
  const start = (leg, client) => {
    const conditions = /** @type {import('../../tests/lib/link.mjs').Directions} */ (scenario.links?.[leg] ?? {});
    const [kind, address] = client === 'browser' ? /** @type {const} */ (['udp', server.rtc]) : /** @type {const} */ (['tcp', server.rtmp]);
    return startLink(scope, kind, address, { seed: scenario.seed, ...conditions });
  };
  return { publisher: await start('publisher', scenario.from), viewer: await start('viewer', scenario.to) };
}

/**
 * Bits a millisecond that each direction of a link carries.
 * @param {Link} link @param {number} ms
 */
async function rates(link, ms) {
  const before = await link.passed();
  await sleep(ms);
  const after = await link.passed();
  return { up: ((after.up.bytes - before.up.bytes) * 8) / ms, down: ((after.down.bytes - before.down.bytes) * 8) / ms };
}

/**
 * Conditions whose rate is known.
 * @param {Directions} directions @param {{ up: number, down: number }} carried kbit/s
 */
function known({ both, up = both, down = both }, carried) {
  /** @param {import('./scenarios.mjs').Conditions | undefined} conditions @param {number} kbps */
  const absolute = (conditions, kbps) => {
    if (!conditions) return {};
    const { share, ...rest } = conditions;
    // The direction that carries only feedback is not what is narrow.
    const narrow = share !== undefined && kbps > 100;
    return narrow ? { ...rest, rate_kbps: Math.round(share * kbps) } : rest;
  };
  return { up: absolute(up, carried.up), down: absolute(down, carried.down) };
}

/**
 * @param {Scenario} scenario @param {Record<Leg, Link>} links @param {Record<Leg, { up: number, down: number }>} carried
 * @param {number} begin
 */
async function takeSteps(scenario, links, carried, begin) {
  for (const { at, leg, set, cut, mend } of scenario.steps ?? []) {
    await sleep(begin + at * 1000 - Date.now());
    if (set) await links[leg].set(known(set, carried[leg]));
    if (cut) await links[leg].cut();
    if (mend) await links[leg].mend();
  }
}

/**
 * Plays a scenario against a server.
 * @param {Scenario} scenario
 * @param {import('./servers.mjs').Kind} kind
 * @param {'quick' | 'full'} mode
 */
export async function playScenario(scenario, kind, mode) {
  const scope = new Scope();
  const results = new Scope();
  try {
    const server = await kind.start(scope);
    const links = await startLinks(scope, scenario, server);
    const client = await startClients(scope, scenario, server, links);
    const settle = SETTLE_S[mode] * 1000;
    await sleep(settle / 2);
    const [publisher, viewer] = await Promise.all([rates(links.publisher, settle / 2), rates(links.viewer, settle / 2)]);
    const begin = Date.now();
    const seconds = Math.max(scenario.seconds ?? 0, SECONDS[mode]);
    await takeSteps(scenario, links, { publisher, viewer }, begin);
    await sleep(begin + seconds * 1000 - Date.now());
    const end = Date.now();
    const recording = await client.recording();
    const passed = { publisher: await links.publisher.passed(), viewer: await links.viewer.passed() };
    // The judgement must not find the machine busy with what is judged.
    await scope.close();
    return { ...(await measure(results, scenario, recording, begin, end)), carried: { publisher, viewer }, links: passed };
  } finally {
    await scope.close();
    await results.close();
  }
}
