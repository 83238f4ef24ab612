import { uidKey } from '../core/room.js';
import { networkQuality } from './quality.js';
import { readStats } from './stats.js';

/** Figures are made new once a second, whoever asks how often: fast enough to follow, and cheap. */
const PERIOD_MS = 1_000;
/** Every second measurement is told to the server. */
const REPORT_EVERY = 2;
/** The most streams that one report may have (docs/signalling.md). */
const MAX_STREAMS = 64;

/** @typedef {import('./quality.js').Grade} Grade */

/** @type {import('./stats.js').Figures} */
const NOTHING = { local: new Map(), remote: new Map(), transport: {} };

/** The statistics of one stay in a room. */
export class Meter {
  #clock;
  #peer;
  #rttMs;
  #measured;
  #report;
  #failed;
  /** @type {unknown} */
  #timer = null;
  #turn = 0;
  #figures = NOTHING;
  /** @type {{ session: object, sample: import('./stats.js').Sample } | null} */
  #before = null;
  #startedAt = 0;

  /**
   * @param {object} options
   * @param {import('../core/ports.js').Clock} options.clock
   * @param {() => Pick<import('./peer.js').Peer, 'session' | 'healthy'> | null} options.peer
   * @param {() => number | null} options.rttMs of the signalling
   * @param {(uplink: Grade, downlink: Grade) => void} options.measured once a second
   * @param {(stats: import('../core/protocol.js').Request<'stats'>) => Promise<void>} options.report to the server
   * @param {(cause: unknown) => void} options.failed
   */
  constructor({ clock, peer, rttMs, measured, report, failed }) {
    this.#clock = clock;
    this.#peer = peer;
    this.#rttMs = rttMs;
    this.#measured = measured;
    this.#report = report;
    this.#failed = failed;
  }

  get figures() {
    return this.#figures;
  }

  /** Seconds since it was started. */
  get seconds() {
    return this.#timer === null ? 0 : Math.floor((this.#clock.now() - this.#startedAt) / 1000);
  }

  start() {
    this.#startedAt = this.#clock.now();
    this.#schedule();
  }

  stop() {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
    this.#figures = NOTHING;
    this.#before = null;
  }

  #schedule() {
    this.#timer = this.#clock.setTimer(() => {
      this.#schedule();
      this.#tick().catch(this.#failed);
    }, PERIOD_MS);
  }

  async #tick() {
    const peer = this.#peer();
    const session = peer?.session ?? null;
    if (session === null) this.#figures = NOTHING;
    else {
      const report = await session.connection.getStats();
      if (this.#timer === null || this.#peer()?.session !== session) return;
      const before = this.#before?.session === session ? this.#before.sample : null;
      /** @type {import('./stats.js').RawStat[]} */
      const stats = [];
      report.forEach((stat) => stats.push(stat));
      const { figures, sample } = readStats(stats, session.sections.all, before);
      this.#figures = figures;
      this.#before = { session, sample };
    }
    const { uplink, downlink, rttMs } = networkQuality(this.#figures, { rttMs: this.#rttMs(), healthy: peer?.healthy ?? null });
    this.#measured(uplink, downlink);
    this.#turn += 1;
    if (this.#turn % REPORT_EVERY !== 0) return;
    const streams = session === null ? [] : streamReports(session.sections.all, this.#figures);
    await this.#report({ uplink, downlink, ...(rttMs === undefined ? {} : { rtt_ms: Math.round(rttMs) }), streams });
  }
}

/**
 * One line for each stream: what of it came or was sent.
 *
 * @param {readonly import('./sections.js').Section[]} sections
 * @param {import('./stats.js').Figures} figures
 */
export function streamReports(sections, { local, remote }) {
  /** @type {Map<string, { uid: import('../core/protocol.js').Uid, stream: 'camera' | 'screen', kbps: number, fps?: number, loss_permille?: number, jitter_ms?: number }>} */
  const reports = new Map();
  for (const { key, uid, stream, kind } of sections) {
    const sent = local.get(key);
    const received = remote.get(key);
    if (sent === undefined && received === undefined) continue;
    const name = `${uidKey(uid)}/${stream}`;
    const report = reports.get(name) ?? { uid, stream, kbps: 0 };
    reports.set(name, report);
    report.kbps += Math.round((sent?.sendBitrate ?? received?.receiveBitrate ?? 0) / 1000);
    const fps = sent?.sendFrameRate ?? received?.decodeFrameRate;
    if (kind === 'video' && fps !== undefined) report.fps = Math.round(fps);
    const loss = sent?.sendLossRate ?? received?.packetLossRate;
    if (loss !== undefined) report.loss_permille = Math.max(report.loss_permille ?? 0, Math.round(loss * 10));
    const jitter = sent?.sendJitterMs ?? received?.jitterMs;
    if (jitter !== undefined) report.jitter_ms = Math.max(report.jitter_ms ?? 0, Math.round(jitter));
  }
  return [...reports.values()].slice(0, MAX_STREAMS);
}
