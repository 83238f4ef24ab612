/** Live figures of a connection from two of its statistics reports (W3C webrtc-stats). */

/** How often figures are made new: fast enough to follow, slow enough to read. */
const PERIOD_MS = 1000;

/**
 * The members of RTCStats dictionaries that are read here. Each is absent until the browser knows it.
 *
 * @typedef {object} RawStat
 * @property {string} type
 * @property {number} timestamp milliseconds
 * @property {string} [kind]
 * @property {number} [frameWidth]
 * @property {number} [frameHeight]
 * @property {number} [framesSent]
 * @property {number} [framesDecoded]
 * @property {number} [bytesSent]
 * @property {number} [bytesReceived]
 * @property {number} [packetsLost]
 * @property {number} [roundTripTime] seconds
 * @property {number} [currentRoundTripTime] seconds
 * @property {boolean} [nominated]
 * @property {string} [state]
 */

/**
 * Running totals at one moment.
 *
 * @typedef {object} Sample
 * @property {number} atMs
 * @property {number} frames sent or decoded
 * @property {number} bytes of media
 */

/**
 * Null where nothing is known yet.
 *
 * @typedef {object} Figures
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} fps
 * @property {number | null} bitrateBps audio and video together
 * @property {number | null} packetsLost since the connection began
 * @property {number | null} roundTripMs
 */

/**
 * @param {Iterable<RawStat>} report
 * @param {Sample | null} previous of the same connection
 * @returns {{ figures: Figures, sample: Sample }}
 */
export function summarize(report, previous) {
  const stats = [...report];
  const media = stats.filter(({ type }) => type === 'outbound-rtp' || type === 'inbound-rtp');
  const video = media.find(({ kind }) => kind === 'video');
  const sample = {
    atMs: Math.max(0, ...media.map(({ timestamp }) => timestamp)),
    frames: video?.framesSent ?? video?.framesDecoded ?? 0,
    bytes: sum(media, (stat) => stat.bytesSent ?? stat.bytesReceived) ?? 0,
  };
  const figures = {
    width: video?.frameWidth ?? null,
    height: video?.frameHeight ?? null,
    fps: video ? perSecond(sample, previous, 'frames') : null,
    bitrateBps: scaled(perSecond(sample, previous, 'bytes'), 8),
    // A sender learns of losses from the far end's reports.
    packetsLost: sum(
      stats.filter(({ type }) => type === 'inbound-rtp' || type === 'remote-inbound-rtp'),
      (stat) => stat.packetsLost,
    ),
    roundTripMs: scaled(roundTrip(stats), 1000),
  };
  return { figures, sample };
}

/**
 * @param {readonly RawStat[]} stats
 * @param {(stat: RawStat) => number | undefined} pick
 * @returns {number | null} null when no report has the member
 */
function sum(stats, pick) {
  const values = stats.map(pick).filter((value) => value !== undefined);
  return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
}

/**
 * @param {Sample} now
 * @param {Sample | null} before
 * @param {'frames' | 'bytes'} member
 */
function perSecond(now, before, member) {
  if (before === null || now.atMs <= before.atMs || now[member] < before[member]) return null;
  return ((now[member] - before[member]) * 1000) / (now.atMs - before.atMs);
}

/**
 * @param {number | null} value
 * @param {number} factor
 */
function scaled(value, factor) {
  return value === null ? null : value * factor;
}

/**
 * Seconds, from the path in use, else from the far end's reports.
 *
 * @param {readonly RawStat[]} stats
 */
function roundTrip(stats) {
  const pair = stats.find(
    ({ type, nominated, state }) => type === 'candidate-pair' && nominated === true && state === 'succeeded',
  );
  const remote = stats.find(({ type, roundTripTime }) => type === 'remote-inbound-rtp' && roundTripTime !== undefined);
  return pair?.currentRoundTripTime ?? remote?.roundTripTime ?? null;
}

/** Reads a connection once a second and hands out its figures, null while there is no connection. */
export class StatsMeter {
  #peerNow;
  #onFigures;
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /** @type {Sample | null} */
  #sample = null;

  /**
   * @param {() => RTCPeerConnection | null} peerNow
   * @param {(figures: Figures | null) => void} onFigures
   */
  constructor(peerNow, onFigures) {
    this.#peerNow = peerNow;
    this.#onFigures = onFigures;
  }

  start() {
    setInterval(() => void this.#tick(), PERIOD_MS);
  }

  async #tick() {
    const peer = this.#peerNow();
    if (peer !== this.#peer) {
      this.#peer = peer;
      this.#sample = null;
    }
    if (peer === null) return this.#onFigures(null);
    const report = await peer.getStats();
    if (peer !== this.#peerNow()) return;
    const { figures, sample } = summarize(report.values(), this.#sample);
    this.#sample = sample;
    this.#onFigures(figures);
  }
}
