/** How good the network is, in Agora's grades. Pure. */

/** 0 unknown, 1 excellent, 2 good, 3 fair, 4 poor, 5 very poor, 6 down. @typedef {0 | 1 | 2 | 3 | 4 | 5 | 6} Grade */

/**
 * @typedef {object} Conditions
 * @property {number} [lossRate] 0 to 100
 * @property {number} [rttMs]
 * @property {number} [jitterMs]
 */

/**
 * The most that a grade allows. The worst of the three counts.
 *
 * @type {readonly { grade: Grade, lossRate: number, rttMs: number, jitterMs: number }[]}
 */
const GRADES = [
  { grade: 1, lossRate: 1, rttMs: 100, jitterMs: 20 },
  { grade: 2, lossRate: 3, rttMs: 200, jitterMs: 40 },
  { grade: 3, lossRate: 8, rttMs: 400, jitterMs: 80 },
  { grade: 4, lossRate: 15, rttMs: 800, jitterMs: 150 },
];

/**
 * @param {Conditions} conditions
 * @returns {Grade} 0 if nothing is known
 */
export function grade(conditions) {
  const { lossRate, rttMs, jitterMs } = conditions;
  if (lossRate === undefined && rttMs === undefined && jitterMs === undefined) return 0;
  const fits = GRADES.find((limits) =>
    (lossRate ?? 0) <= limits.lossRate && (rttMs ?? 0) <= limits.rttMs && (jitterMs ?? 0) <= limits.jitterMs);
  return fits?.grade ?? 5;
}

/**
 * @param {import('./stats.js').Figures} figures
 * @param {{ rttMs: number | null, healthy: boolean | null }} connection of the signalling, and whether media can flow
 *   (null while there are none)
 * @returns {{ uplink: Grade, downlink: Grade, rttMs: number | undefined }}
 */
export function networkQuality({ local, remote, transport }, { rttMs: signallingRttMs, healthy }) {
  if (healthy === false) return { uplink: 6, downlink: 6, rttMs: undefined };
  const rttMs = transport.rttMs ?? signallingRttMs ?? undefined;
  const sent = [...local.values()];
  const received = [...remote.values()];
  const lostAbove = worst(sent.map(({ sendLossRate }) => sendLossRate));
  const lostBelow = worst(received.map(({ packetLossRate }) => packetLossRate));
  return {
    uplink: grade({ lossRate: lostAbove, rttMs, jitterMs: worst(ofSound(local).map(({ sendJitterMs }) => sendJitterMs)) }),
    downlink: grade({ lossRate: lostBelow, rttMs, jitterMs: worst(ofSound(remote).map(({ jitterMs }) => jitterMs)) }),
    rttMs,
  };
}

/**
 * Pictures are sent in bursts, which look like jitter.
 *
 * @template T
 * @param {ReadonlyMap<string, T>} figures
 */
function ofSound(figures) {
  return [...figures].filter(([key]) => key.endsWith('/audio')).map(([, figure]) => figure);
}

/** @param {(number | undefined)[]} values */
function worst(values) {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
