/** From the statistics of a PeerConnection (W3C webrtc-stats) to those of Agora's Web SDK. Pure. */

/** @typedef {import('./sections.js').Section} Section */

/**
 * A member of an RTCStatsReport. Which numbers it has depends on its type and the browser.
 *
 * @typedef {Readonly<Record<string, unknown>> & { readonly id: string, readonly type: string, readonly timestamp: number }} RawStat
 */

/**
 * Totals of one section at one moment, and what they count.
 *
 * @typedef {{ key: string, id: string, atMs: number, totals: Record<string, number> }} Totals by the id of the statistic
 */

/**
 * @typedef {object} Sample to measure the next report against
 * @property {Map<string, Totals>} rtp what is sent and received, by the id of the statistic
 * @property {Totals | null} transport
 */

/**
 * @typedef {object} LocalAudioStats
 * @property {string} [codecType]
 * @property {number} [sendBitrate] bit/s
 * @property {number} [sendBytes]
 * @property {number} [sendPackets]
 * @property {number} [sendPacketsLost]
 * @property {number} [sendLossRate] 0 to 100, as the server last reported
 * @property {number} [sendRttMs]
 * @property {number} [sendJitterMs]
 * @property {number} [sendVolumeLevel] 0 to 1
 */

/**
 * @typedef {object} LocalVideoStats
 * @property {string} [codecType]
 * @property {number} [sendBitrate] bit/s
 * @property {number} [sendBytes]
 * @property {number} [sendPackets]
 * @property {number} [sendPacketsLost]
 * @property {number} [sendLossRate] 0 to 100, as the server last reported
 * @property {number} [sendRttMs]
 * @property {number} [sendJitterMs]
 * @property {number} [sendFrameRate]
 * @property {number} [sendResolutionWidth]
 * @property {number} [sendResolutionHeight]
 * @property {number} [captureFrameRate]
 * @property {number} [captureResolutionWidth]
 * @property {number} [captureResolutionHeight]
 * @property {number} [encodeDelay] ms
 * @property {number} [targetSendBitrate] bit/s
 * @property {LayerStats[]} [layers] where it is sent in several sizes: each, from the smallest
 */

/**
 * One of the sizes in which pictures are sent.
 *
 * @typedef {object} LayerStats
 * @property {string} layer `l`, `m` or `h`
 * @property {boolean} active whether it is wanted
 * @property {number} [sendBitrate] bit/s
 * @property {number} [sendFrameRate]
 * @property {number} [sendResolutionWidth]
 * @property {number} [sendResolutionHeight]
 */

/**
 * @typedef {object} RemoteAudioStats
 * @property {string} [codecType]
 * @property {number} [receiveBitrate] bit/s
 * @property {number} [receiveBytes]
 * @property {number} [receivePackets]
 * @property {number} [receivePacketsLost]
 * @property {number} [packetLossRate] 0 to 100
 * @property {number} [jitterMs]
 * @property {number} [receiveDelay] ms in the jitter buffer
 * @property {number} [end2EndDelay] ms from capture to playing
 * @property {number} [receiveLevel] 0 to 1
 * @property {number} [concealedRate] 0 to 100, of the samples that were made up
 */

/**
 * @typedef {object} RemoteVideoStats
 * @property {string} [codecType]
 * @property {number} [receiveBitrate] bit/s
 * @property {number} [receiveBytes]
 * @property {number} [receivePackets]
 * @property {number} [receivePacketsLost]
 * @property {number} [packetLossRate] 0 to 100
 * @property {number} [jitterMs]
 * @property {number} [receiveDelay] ms in the jitter buffer
 * @property {number} [end2EndDelay] ms from capture to showing
 * @property {number} [receiveFrameRate]
 * @property {number} [decodeFrameRate]
 * @property {number} [renderFrameRate]
 * @property {number} [receiveResolutionWidth]
 * @property {number} [receiveResolutionHeight]
 * @property {number} [freezeRate] 0 to 1, of the last second
 * @property {number} [totalFreezeTime] s
 */

/**
 * @typedef {object} TransportStats
 * @property {number} [sendBitrate] bit/s
 * @property {number} [sendBytes]
 * @property {number} [receiveBitrate] bit/s
 * @property {number} [receiveBytes]
 * @property {number} [rttMs]
 * @property {number} [availableSendBitrate] bit/s
 */

/** @typedef {LocalAudioStats & LocalVideoStats} LocalStats */
/** @typedef {RemoteAudioStats & RemoteVideoStats} RemoteStats */

/**
 * @typedef {object} Figures
 * @property {Map<string, LocalStats>} local by the key of the section
 * @property {Map<string, RemoteStats>} remote
 * @property {TransportStats} transport
 */

/** Seconds from 1900, where NTP begins, to 1970. */
const NTP_TO_UNIX_S = 2_208_988_800;
/** How much too early the server's sender reports place what was captured (`WALLCLOCK_MARGIN` in src/rtc/track.rs). */
const CAPTURE_MARGIN_MS = 2_000;
/** Beyond this it is no delay but a clock that nobody set. */
const MAX_DELAY_MS = 60_000;

/**
 * @param {Iterable<RawStat>} report
 * @param {readonly Section[]} sections
 * @param {Sample | null} before of the same PeerConnection
 * @returns {{ figures: Figures, sample: Sample }}
 */
export function readStats(report, sections, before) {
  const stats = [...report];
  const byId = new Map(stats.map((stat) => [stat.id, stat]));
  const transport = readTransport(stats, byId, before?.transport ?? null);
  /** @type {Figures} */
  const figures = { local: new Map(), remote: new Map(), transport: transport.figures };
  /** @type {Sample} */
  const sample = { rtp: new Map(), transport: transport.totals };
  for (const section of sections) {
    /** @param {RawStat} rtp */
    const changeOf = (rtp) => {
      const totals = { key: section.key, id: rtp.id, atMs: rtp.timestamp, totals: numbers(rtp) };
      sample.rtp.set(rtp.id, totals);
      const then = before?.rtp.get(rtp.id);
      // What the section carried before counts as somebody else's.
      return new Change(totals, then?.key === section.key ? then : null);
    };
    const received = stats.find(({ type, mid }) => type === 'inbound-rtp' && mid === section.mid);
    if (received !== undefined) {
      figures.remote.set(section.key, readInbound(received, byId, changeOf(received), transport.figures.rttMs));
      continue;
    }
    const sent = stats.filter(({ type, mid }) => type === 'outbound-rtp' && mid === section.mid);
    const layers = sent.map((rtp) => ({ rtp, local: readOutbound(rtp, stats, byId, changeOf(rtp)) }));
    if (layers.length > 0) figures.local.set(section.key, together(layers));
  }
  return { figures, sample };
}

/** From the smallest. @type {readonly unknown[]} */
const LAYERS = ['l', 'm', 'h'];

/**
 * What is sent of one track, in one size or in several: all of it, and the largest that flows.
 *
 * @param {{ rtp: RawStat, local: LocalStats }[]} sent not empty
 * @returns {LocalStats}
 */
function together(sent) {
  const [first] = sent;
  if (first === undefined || sent.length === 1) return first?.local ?? {};
  const layers = [...sent].sort((one, other) => LAYERS.indexOf(one.rtp['rid']) - LAYERS.indexOf(other.rtp['rid']));
  const largest = layers.findLast(({ local }) => (local.sendFrameRate ?? 0) > 0) ?? layers.at(-1) ?? first;
  /** @param {'sendBitrate' | 'sendBytes' | 'sendPackets' | 'sendPacketsLost' | 'targetSendBitrate'} name */
  const sum = (name) => {
    const known = layers.flatMap(({ local }) => local[name] ?? []);
    return known.length === 0 ? undefined : known.reduce((total, value) => total + value, 0);
  };
  return defined({
    ...largest.local,
    sendBitrate: sum('sendBitrate'),
    sendBytes: sum('sendBytes'),
    sendPackets: sum('sendPackets'),
    sendPacketsLost: sum('sendPacketsLost'),
    targetSendBitrate: sum('targetSendBitrate'),
    layers: layers.map(({ rtp, local }) => defined({
      layer: String(rtp['rid']),
      active: rtp['active'] !== false,
      sendBitrate: local.sendBitrate,
      sendFrameRate: local.sendFrameRate,
      sendResolutionWidth: local.sendResolutionWidth,
      sendResolutionHeight: local.sendResolutionHeight,
    })),
  });
}

/** What has been added to totals between two moments. */
class Change {
  #now;
  #before;

  /**
   * @param {Totals} now
   * @param {Totals | null} before
   */
  constructor(now, before) {
    this.#now = now;
    this.#before = before;
  }

  /** Milliseconds; undefined without an earlier moment. */
  get ms() {
    const ms = this.#before === null ? 0 : this.#now.atMs - this.#before.atMs;
    return ms > 0 ? ms : undefined;
  }

  /** @param {string} name @returns {number | undefined} */
  of(name) {
    const now = this.#now.totals[name];
    if (now === undefined || this.#before === null) return undefined;
    return Math.max(now - (this.#before.totals[name] ?? 0), 0);
  }

  /** @param {string} name @param {number} [factor] */
  perSecond(name, factor = 1) {
    return ratio(scaled(this.of(name), 1000 * factor), this.ms);
  }

  /** @param {string} part @param {string} whole @param {number} [factor] */
  ratio(part, whole, factor = 1) {
    return ratio(scaled(this.of(part), factor), this.of(whole));
  }
}

/**
 * @param {RawStat} rtp
 * @param {readonly RawStat[]} stats
 * @param {Map<string, RawStat>} byId
 * @param {Change} change
 * @returns {LocalStats}
 */
function readOutbound(rtp, stats, byId, change) {
  const remote = stats.find(({ type, localId }) => type === 'remote-inbound-rtp' && localId === rtp.id);
  const source = linked(byId, rtp, 'mediaSourceId');
  /** @type {LocalStats} */
  const common = {
    codecType: codecOf(rtp, byId),
    sendBitrate: rounded(change.perSecond('bytesSent', 8)),
    sendBytes: number(rtp, 'bytesSent'),
    sendPackets: number(rtp, 'packetsSent'),
    sendPacketsLost: remote && number(remote, 'packetsLost'),
    sendLossRate: remote && scaled(number(remote, 'fractionLost'), 100),
    sendRttMs: remote && scaled(number(remote, 'roundTripTime'), 1000),
    sendJitterMs: remote && scaled(number(remote, 'jitter'), 1000),
  };
  if (rtp['kind'] === 'audio') return defined({ ...common, sendVolumeLevel: source && number(source, 'audioLevel') });
  return defined({
    ...common,
    sendFrameRate: number(rtp, 'framesPerSecond') ?? change.perSecond('framesSent'),
    sendResolutionWidth: number(rtp, 'frameWidth'),
    sendResolutionHeight: number(rtp, 'frameHeight'),
    captureFrameRate: source && number(source, 'framesPerSecond'),
    captureResolutionWidth: source && number(source, 'width'),
    captureResolutionHeight: source && number(source, 'height'),
    encodeDelay: change.ratio('totalEncodeTime', 'framesEncoded', 1000),
    targetSendBitrate: number(rtp, 'targetBitrate'),
  });
}

/**
 * @param {RawStat} rtp
 * @param {Map<string, RawStat>} byId
 * @param {Change} change
 * @param {number | undefined} rttMs
 * @returns {RemoteStats}
 */
function readInbound(rtp, byId, change, rttMs) {
  const lost = change.of('packetsLost');
  const expected = lost === undefined ? undefined : lost + (change.of('packetsReceived') ?? 0);
  /** @type {RemoteStats} */
  const common = {
    codecType: codecOf(rtp, byId),
    receiveBitrate: rounded(change.perSecond('bytesReceived', 8)),
    receiveBytes: number(rtp, 'bytesReceived'),
    receivePackets: number(rtp, 'packetsReceived'),
    receivePacketsLost: number(rtp, 'packetsLost'),
    packetLossRate: ratio(scaled(lost, 100), expected),
    jitterMs: scaled(number(rtp, 'jitter'), 1000),
    receiveDelay: change.ratio('jitterBufferDelay', 'jitterBufferEmittedCount', 1000),
    end2EndDelay: end2EndDelay(rtp, linked(byId, rtp, 'remoteId'), rttMs),
  };
  if (rtp['kind'] === 'audio') {
    return defined({
      ...common,
      receiveLevel: number(rtp, 'audioLevel'),
      concealedRate: change.ratio('concealedSamples', 'totalSamplesReceived', 100),
    });
  }
  const shown = change.of('framesDecoded');
  return defined({
    ...common,
    receiveFrameRate: change.perSecond('framesReceived'),
    decodeFrameRate: number(rtp, 'framesPerSecond') ?? change.perSecond('framesDecoded'),
    renderFrameRate: shown === undefined ? undefined : ratio((shown - (change.of('framesDropped') ?? 0)) * 1000, change.ms),
    receiveResolutionWidth: number(rtp, 'frameWidth'),
    receiveResolutionHeight: number(rtp, 'frameHeight'),
    freezeRate: clamped(ratio(scaled(change.of('totalFreezesDuration'), 1000), change.ms), 1),
    totalFreezeTime: number(rtp, 'totalFreezesDuration'),
  });
}

/**
 * What is played now was captured at `estimatedPlayoutTimestamp`, by the clock that the sender reports carry. The last
 * report was sent at `remoteTimestamp` by that clock and came half a round trip later, which places the clock.
 *
 * @param {RawStat} rtp
 * @param {RawStat | undefined} report
 * @param {number} [rttMs]
 * @returns {number | undefined} milliseconds, of a delay that makes sense
 */
function end2EndDelay(rtp, report, rttMs = 0) {
  const playout = number(rtp, 'estimatedPlayoutTimestamp');
  const sentAt = report && number(report, 'remoteTimestamp');
  if (playout === undefined || report === undefined || sentAt === undefined) return undefined;
  const offsetMs = report.timestamp - rttMs / 2 - unixMs(sentAt);
  const delayMs = rtp.timestamp - (unixMs(playout) + CAPTURE_MARGIN_MS + offsetMs);
  return delayMs >= 0 && delayMs < MAX_DELAY_MS ? Math.round(delayMs) : undefined;
}

/** @param {number} timestamp in milliseconds since 1900 or 1970: browsers differ */
function unixMs(timestamp) {
  const startOfNtpMs = NTP_TO_UNIX_S * 1000;
  return timestamp > startOfNtpMs ? timestamp - startOfNtpMs : timestamp;
}

/**
 * @param {readonly RawStat[]} stats
 * @param {Map<string, RawStat>} byId
 * @param {Totals | null} before
 * @returns {{ figures: TransportStats, totals: Totals | null }}
 */
function readTransport(stats, byId, before) {
  const transport = stats.find(({ type }) => type === 'transport');
  const selected = transport && linked(byId, transport, 'selectedCandidatePairId');
  const pair = selected ?? stats.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated === true && state === 'succeeded');
  const counted = transport?.['bytesSent'] === undefined ? pair : transport;
  if (counted === undefined) return { figures: {}, totals: null };
  const totals = { key: '', id: counted.id, atMs: counted.timestamp, totals: numbers(counted) };
  const change = new Change(totals, before?.id === counted.id ? before : null);
  const figures = defined({
    sendBitrate: rounded(change.perSecond('bytesSent', 8)),
    sendBytes: number(counted, 'bytesSent'),
    receiveBitrate: rounded(change.perSecond('bytesReceived', 8)),
    receiveBytes: number(counted, 'bytesReceived'),
    rttMs: pair && scaled(number(pair, 'currentRoundTripTime'), 1000),
    availableSendBitrate: pair && number(pair, 'availableOutgoingBitrate'),
  });
  return { figures, totals };
}

/**
 * @param {RawStat} stat
 * @param {Map<string, RawStat>} byId
 */
function codecOf(stat, byId) {
  const mimeType = linked(byId, stat, 'codecId')?.['mimeType'];
  return typeof mimeType === 'string' ? mimeType.split('/')[1]?.toUpperCase() : undefined;
}

/**
 * @param {Map<string, RawStat>} byId
 * @param {RawStat} stat
 * @param {string} name of the member that has the other's id
 */
function linked(byId, stat, name) {
  const id = stat[name];
  return typeof id === 'string' ? byId.get(id) : undefined;
}

/**
 * @param {RawStat} stat
 * @param {string} name
 * @returns {number | undefined}
 */
function number(stat, name) {
  const value = stat[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** @param {RawStat} stat */
function numbers(stat) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const [name, value] of Object.entries(stat)) if (typeof value === 'number') found[name] = value;
  return found;
}

/**
 * @param {number | undefined} part
 * @param {number | undefined} whole
 */
function ratio(part, whole) {
  return part === undefined || whole === undefined || whole === 0 ? undefined : part / whole;
}

/**
 * @param {number | undefined} value
 * @param {number} factor
 */
function scaled(value, factor) {
  return value === undefined ? undefined : value * factor;
}

/** @param {number | undefined} value */
function rounded(value) {
  return value === undefined ? undefined : Math.round(value);
}

/**
 * @param {number | undefined} value
 * @param {number} max
 */
function clamped(value, max) {
  return value === undefined ? undefined : Math.min(value, max);
}

/**
 * Without the members that nobody knows.
 *
 * @template {object} T
 * @param {T} object
 * @returns {T}
 */
function defined(object) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}
