/**
 * How good the network is, from what the components say: WeChat gives no level for plain RTMP.
 * 0 unknown, 1 best to 6 unusable, as in Agora's SDKs.
 */

/** How long a warning counts. */
const WARNING_MS = 6_000;
/** At most so many warnings are remembered; more of them say no more. */
const MAX_WARNINGS = 32;

/** The uplink is too weak; the arrival is unstable; playing stuttered. */
const UPLINK_WARNINGS = [1101];
const DOWNLINK_WARNINGS = [2104, 2105];

/** Frames that wait to be sent, beyond which the level is 2, 3, 4 and 5: at 15 frames a second 0.2 s, 0.5 s, 1 s and 2 s. */
const QUEUE_STEPS = [3, 8, 15, 30];
/** Milliseconds of jitter with the same meaning. The player's buffer in mode RTC has 200 to 800 ms. */
const JITTER_STEPS = [50, 120, 300, 600];
/** Warnings within WARNING_MS with the same meaning. */
const WARNING_STEPS = [0, 1, 3, 6];

/** The warnings of one direction, and the level that follows from them and the figures. */
export class Quality {
  #codes;
  /** @type {number[]} */
  #warnings = [];

  /** @param {'uplink' | 'downlink'} direction */
  constructor(direction) {
    this.#codes = direction === 'uplink' ? UPLINK_WARNINGS : DOWNLINK_WARNINGS;
  }

  /**
   * @param {number} code of `bindstatechange`
   * @param {number} now milliseconds
   */
  code(code, now) {
    if (!this.#codes.includes(code)) return;
    this.#warnings.push(now);
    if (this.#warnings.length > MAX_WARNINGS) this.#warnings.shift();
  }

  /**
   * @param {import('./component.js').Phase} phase
   * @param {import('./netstatus.js').NetInfo} info of a pusher, whose cache is in frames, or of a player
   * @param {number} now milliseconds
   * @returns {number}
   */
  level(phase, info, now) {
    if (phase === 'retrying' || phase === 'failed') return 6;
    if (phase !== 'live') return 0;
    this.#warnings = this.#warnings.filter((at) => now - at < WARNING_MS);
    const levels = [step(this.#warnings.length, WARNING_STEPS), step(info.netJitter ?? 0, JITTER_STEPS)];
    if (this.#codes === UPLINK_WARNINGS) levels.push(step(info.videoCache ?? 0, QUEUE_STEPS));
    return Math.max(...levels);
  }
}

/**
 * @param {number[]} levels
 * @returns {number} the worst that is known, or 0
 */
export function worst(levels) {
  return Math.max(0, ...levels);
}

/**
 * @param {number} value
 * @param {readonly number[]} steps rising
 * @returns {number} 1 to 5
 */
function step(value, steps) {
  return 1 + steps.filter((bound) => value > bound).length;
}
