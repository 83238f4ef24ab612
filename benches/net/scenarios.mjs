/**
 * What the network does, and what people may notice of it.
 *
 * Seconds count from the moment at which the measurement begins, when everybody has been connected for a while under the
 * conditions of `links`. Rates of `share` are a share of what the direction carried until then.
 */

/**
 * @typedef {import('../../tests/lib/link.mjs').Conditions & { share?: number }} Conditions
 * @typedef {{ both?: Conditions, up?: Conditions, down?: Conditions }} Directions
 * @typedef {'publisher' | 'viewer'} Leg
 */

/**
 * @typedef {object} Step
 * @property {number} at seconds
 * @property {Leg} leg
 * @property {Directions} [set] the conditions from then on
 * @property {boolean} [cut] nothing passes from then on, and nobody is told
 * @property {boolean} [mend] everything passes again
 */

/**
 * @typedef {object} Goal a limit of a figure; `least` and `most` are inclusive
 * @property {keyof import('./measure.mjs').Figures} figure
 * @property {number} [most]
 * @property {number} [least]
 */

/**
 * @typedef {object} Scenario
 * @property {string} id
 * @property {string} what
 * @property {'browser' | 'rtmp' | 'phone'} from who publishes; a phone has the SDK, and no bad network of its own
 * @property {'browser' | 'rtmp'} to who watches
 * @property {number} seed
 * @property {Partial<Record<Leg, Directions>>} [links] from before the first packet on
 * @property {Step[]} [steps]
 * @property {number} [seconds] how long it is measured at least
 * @property {{ from: number, lag: number }} [recover] the moment from which on recovery is waited for, and the delay in
 * milliseconds, beyond that before the first step, with which it counts as such
 * @property {string} [reference] the scenario whose sound this one's is held against
 * @property {Goal[]} goals
 */

const UP = /** @type {const} */ ({ from: 'browser', to: 'rtmp' });
const DOWN = /** @type {const} */ ({ from: 'rtmp', to: 'browser' });

/** @param {Directions} conditions on the leg of the browser that publishes */
const published = (conditions) => ({ ...UP, links: { publisher: conditions } });
/** @param {Directions} conditions on the leg of the browser that watches */
const watched = (conditions) => ({ ...DOWN, links: { viewer: conditions } });

/** @param {number} loss */
const lossy = (loss) => ({ both: { loss, delay_ms: 50, jitter_ms: 10 } });

/** Losses that come in rows, as when somebody walks past the antenna: as many as by chance in `lossy(0.05)`. */
const BURSTS = { both: { burst: { share: 0.05, length: 8 }, delay_ms: 50, jitter_ms: 10 } };
const DISORDER = { both: { delay_ms: 30, reorder: 0.03, reorder_ms: 25, duplicate: 0.02 } };
const WIFI = { both: { delay_ms: 10, jitter_ms: 10, spike: { every_ms: 2500, ms: 200 } } };

/** @type {Goal[]} */
const LOSS_5 = [
  { figure: 'freeze', most: 1 },
  { figure: 'drop', most: 0.3 },
  { figure: 'lip', most: 40 },
];
/** @type {Goal[]} */
const LOSS_15 = [
  { figure: 'freeze', most: 5 },
  { figure: 'gap', most: 100 },
];
/** @type {Goal[]} */
const NARROW = [
  { figure: 'recover', most: 5 },
  { figure: 'gap', most: 100 },
  { figure: 'max', most: 1000 },
];

/** A queue as long as those of mobile networks. */
const NARROW_STEPS = /** @type {const} */ ({ at: 4, set: { both: { share: 0.6, queue_ms: 300, delay_ms: 20 } } });

/** @type {Scenario[]} */
export const SCENARIOS = [
  {
    id: 'clean_up',
    what: 'browser to RTMP, nothing lost',
    ...UP,
    seed: 1,
    goals: [
      { figure: 'freeze', most: 1 },
      { figure: 'lip', most: 40 },
    ],
  },
  {
    id: 'clean_down',
    what: 'RTMP to browser, nothing lost',
    ...DOWN,
    seed: 2,
    goals: [
      { figure: 'freeze', most: 1 },
      { figure: 'lip', most: 40 },
    ],
  },
  {
    id: 'loss5_up',
    what: 'browser to RTMP, 5 % lost, 50 ms, 10 ms jitter',
    ...published(lossy(0.05)),
    seed: 3,
    reference: 'clean_up',
    goals: LOSS_5,
  },
  {
    id: 'loss5_down',
    what: 'RTMP to browser, 5 % lost, 50 ms, 10 ms jitter',
    ...watched(lossy(0.05)),
    seed: 4,
    reference: 'clean_down',
    goals: LOSS_5,
  },
  {
    id: 'loss15_up',
    what: 'browser to RTMP, 15 % lost',
    ...published(lossy(0.15)),
    seed: 5,
    reference: 'clean_up',
    goals: LOSS_15,
  },
  {
    id: 'loss15_down',
    what: 'RTMP to browser, 15 % lost',
    ...watched(lossy(0.15)),
    seed: 6,
    reference: 'clean_down',
    goals: LOSS_15,
  },
  {
    id: 'bursts_up',
    what: 'browser to RTMP, 5 % lost in rows of 8',
    ...published(BURSTS),
    seed: 7,
    reference: 'clean_up',
    goals: [{ figure: 'freeze', most: 5 }],
  },
  {
    id: 'bursts_down',
    what: 'RTMP to browser, 5 % lost in rows of 8',
    ...watched(BURSTS),
    seed: 8,
    reference: 'clean_down',
    goals: [{ figure: 'freeze', most: 5 }],
  },
  {
    id: 'disorder_up',
    what: 'browser to RTMP, 3 % out of order, 2 % twice',
    ...published(DISORDER),
    seed: 9,
    reference: 'clean_up',
    goals: [
      { figure: 'freeze', most: 1 },
      { figure: 'drop', most: 0.3 },
      { figure: 'gap', most: 40 },
    ],
  },
  {
    id: 'disorder_down',
    what: 'RTMP to browser, 3 % out of order, 2 % twice',
    ...watched(DISORDER),
    seed: 10,
    reference: 'clean_down',
    goals: [
      { figure: 'freeze', most: 1 },
      { figure: 'drop', most: 0.3 },
      { figure: 'gap', most: 40 },
    ],
  },
  {
    id: 'wifi_up',
    what: 'browser to RTMP, Wi-Fi that stops for 200 ms',
    ...published(WIFI),
    seed: 11,
    reference: 'clean_up',
    goals: [
      { figure: 'freeze', most: 2 },
      { figure: 'drop', most: 0.5 },
    ],
  },
  {
    id: 'wifi_down',
    what: 'RTMP to browser, Wi-Fi that stops for 200 ms',
    ...watched(WIFI),
    seed: 12,
    reference: 'clean_down',
    goals: [
      { figure: 'freeze', most: 2 },
      { figure: 'drop', most: 0.5 },
    ],
  },
  {
    id: 'narrow_up',
    what: 'browser to RTMP, UDP at 60 % from second 4',
    ...UP,
    seed: 13,
    steps: [{ ...NARROW_STEPS, leg: 'publisher' }],
    recover: { from: 4, lag: 700 },
    reference: 'clean_up',
    goals: NARROW,
  },
  {
    id: 'narrow_down',
    what: 'RTMP to browser, UDP at 60 % from second 4',
    ...DOWN,
    seed: 14,
    steps: [{ ...NARROW_STEPS, leg: 'viewer' }],
    recover: { from: 4, lag: 700 },
    reference: 'clean_down',
    goals: NARROW,
  },
  {
    id: 'narrow_phone',
    what: 'phone with the SDK to browser, UDP at 60 % from second 4',
    from: 'phone',
    to: 'browser',
    seed: 20,
    steps: [{ ...NARROW_STEPS, leg: 'viewer' }],
    recover: { from: 4, lag: 700 },
    goals: NARROW,
  },
  {
    id: 'player_narrow',
    what: 'RTMP player’s TCP at 70 % for 30 s, then free',
    from: 'rtmp',
    to: 'rtmp',
    seed: 15,
    seconds: 44,
    steps: [
      { at: 4, leg: 'viewer', set: { both: { delay_ms: 20 }, down: { share: 0.7, queue_ms: 100, delay_ms: 20 } } },
      { at: 34, leg: 'viewer', set: { both: { delay_ms: 20 } } },
    ],
    recover: { from: 34, lag: 150 },
    goals: [
      { figure: 'max', most: 1000 },
      { figure: 'recover', most: 3 },
    ],
  },
  {
    id: 'pusher_stalls',
    what: 'RTMP to browser, the pusher stalls 5 s, then bursts',
    ...DOWN,
    seed: 16,
    seconds: 24,
    steps: [
      { at: 4, leg: 'publisher', cut: true },
      { at: 9, leg: 'publisher', mend: true },
    ],
    recover: { from: 9, lag: 150 },
    goals: [
      { figure: 'recover', most: 1 },
      { figure: 'growth', most: 20 },
    ],
  },
  {
    id: 'pusher_stalls_rtmp',
    what: 'RTMP to RTMP, the pusher stalls 5 s, then bursts',
    from: 'rtmp',
    to: 'rtmp',
    seed: 17,
    seconds: 24,
    steps: [
      { at: 4, leg: 'publisher', cut: true },
      { at: 9, leg: 'publisher', mend: true },
    ],
    recover: { from: 9, lag: 150 },
    goals: [
      { figure: 'recover', most: 1 },
      { figure: 'growth', most: 20 },
    ],
  },
  {
    id: 'lost_up',
    what: 'browser to RTMP, no UDP for 3 s',
    ...UP,
    seed: 18,
    steps: [
      { at: 4, leg: 'publisher', cut: true },
      { at: 7, leg: 'publisher', mend: true },
    ],
    recover: { from: 7, lag: 150 },
    goals: [{ figure: 'recover', most: 3 }],
  },
  {
    id: 'lost_down',
    what: 'RTMP to browser, no UDP for 3 s',
    ...DOWN,
    seed: 19,
    steps: [
      { at: 4, leg: 'viewer', cut: true },
      { at: 7, leg: 'viewer', mend: true },
    ],
    recover: { from: 7, lag: 150 },
    goals: [{ figure: 'recover', most: 3 }],
  },
];
