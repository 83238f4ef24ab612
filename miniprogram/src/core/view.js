import { isPublished } from '../../../web-client/core/protocol.js';
import { NETWORK_LOST, SUSPENDED } from './component.js';
import { rotationOf } from './client.js';
import { streamKey } from './addresses.js';
import { bitratesWithin } from './bitrates.js';

/** @typedef {import('../../../web-client/core/protocol.js').Uid} Uid */
/** @typedef {import('../../../web-client/core/protocol.js').StreamName} StreamName */
/** @typedef {import('../../../web-client/core/protocol.js').ReceivedName} ReceivedName */
/** @typedef {import('../../../web-client/core/protocol.js').TrackState} TrackState */
/** @typedef {import('./component.js').Phase} Phase */

/** Phones play five to six streams at once; beyond that Android shows black pictures without a word. */
const MAX_PLAYERS = 6;
/** A component that has given up has tried for nine seconds: the first restart comes at once, later ones ever later. */
const RESTART_MS = [500, 2_000, 4_000, 8_000];
/** After as long without a failure the next one counts as the first. */
const STABLE_MS = 30_000;
const LIVE = /** @type {const} */ ('live');
const ABSENT = /** @type {const} */ ('absent');

/**
 * One `live-pusher` as data of a page.
 *
 * @typedef {object} PusherItem
 * @property {string} key another one when the component has to be built anew: use it as `wx:key`
 * @property {StreamName} stream
 * @property {string} url
 * @property {Phase} phase
 * @property {number} minBitrate for `min-bitrate`
 * @property {number} maxBitrate for `max-bitrate`: what the page wants, or less while the others' networks carry less.
 *   The size of the picture follows by itself, as WeChat chooses it by the rate
 */

/**
 * One `live-player` as data of a page.
 *
 * @typedef {object} PlayerItem
 * @property {string} key another one when the component has to be built anew: use it as `wx:key`
 * @property {string} id for the element, the same for as long as the stream is shown
 * @property {Uid} uid
 * @property {ReceivedName} stream
 * @property {string} url
 * @property {Phase} phase
 * @property {TrackState} audio
 * @property {TrackState} video
 * @property {'vertical' | 'horizontal'} orientation
 */

/**
 * What a page or component is to a view.
 *
 * @typedef {object} DataOwner
 * @property {(data: Record<string, unknown>) => void} setData
 */

/**
 * @typedef {object} ViewOptions
 * @property {string} [pushers] field of `data` that holds a list of at most one PusherItem
 * @property {string} [players] field of `data` that holds a list of PlayerItems
 * @property {{ min?: number, max?: number }} [bitrate] what the page wants of its pusher, kbit/s: 200 to 1000, as WeChat
 *   has it, if absent
 * @property {boolean} [steer] false: pushers are given what the page wants, whatever the others' networks carry
 * @property {number} [maxPlayers] how many streams are received at once; further ones wait until one ends
 * @property {(uid: Uid, stream: StreamName) => boolean} [wanted] which streams are received at all; every one if absent
 */

/**
 * Keeps two fields of a page's data as the call is: subscribes to what the others publish, gives components their
 * addresses, and builds those anew that have given up.
 */
export class View {
  #client;
  #clock;
  #owner;
  #options;
  /** Listeners, to take them away again. @type {[name: string, listener: () => void][]} */
  #listeners = [];
  /** Addresses are secrets, so that keys are made up. @type {Map<string, string>} */
  #keys = new Map();
  #nextKey = 1;
  /** Streams that are being subscribed to. @type {Set<string>} */
  #subscribing = new Set();
  /** Streams that the server did not give, until they are asked for once more. @type {Set<string>} */
  #refused = new Set();
  /** @type {Map<string, { count: number, at: number, timer: unknown }>} */
  #failures = new Map();
  /** @type {unknown} */
  #flushTimer = null;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('../../../web-client/core/ports.js').Clock} clock
   * @param {DataOwner} owner
   * @param {ViewOptions} options
   */
  constructor(client, clock, owner, options) {
    this.#client = client;
    this.#clock = clock;
    this.#owner = owner;
    this.#options = options;
    const names = /** @type {const} */ ([
      'stream-added', 'stream-removed', 'track-state', 'rotation', 'push-url', 'play-url', 'push-ended', 'play-ended', 'state',
      'publish-limits',
    ]);
    for (const name of names) this.#on(name, () => this.#schedule());
    this.#on('push-state', (stream, { phase, code }) => {
      // Tried in the background it only fails again, and is tried again after a longer wait.
      if (phase === 'failed' && (code === NETWORK_LOST.pusher || code === SUSPENDED)) this.#restart(`push/${stream}`, () => this.#pushAgain(stream));
      this.#schedule();
    });
    this.#on('play-state', (uid, stream, { phase }) => {
      if (phase === 'failed') this.#restart(`play/${streamKey(uid, stream)}`, () => this.#playAgain(uid, stream));
      this.#schedule();
    });
    this.#schedule();
  }

  /** `bindstatechange` or `binderror` of the pusher, whose element has `data-stream`. @param {unknown} event */
  pusherState(event) {
    this.#client.pusherState(event, datasetOf(event).stream);
  }

  /** `bindnetstatus` of the pusher. @param {unknown} event */
  pusherNetStatus(event) {
    this.#client.pusherNetStatus(event, datasetOf(event).stream);
  }

  /** `bindstatechange` of a player, whose element has `data-uid` and `data-stream`. @param {unknown} event */
  playerState(event) {
    const { uid, stream } = datasetOf(event);
    if (uid !== undefined) this.#client.playerState(uid, event, stream);
  }

  /** `bindnetstatus` of a player. @param {unknown} event */
  playerNetStatus(event) {
    const { uid, stream } = datasetOf(event);
    if (uid !== undefined) this.#client.playerNetStatus(uid, event, stream);
  }

  /** The page is gone: nothing is written to it any more. */
  release() {
    for (const [name, listener] of this.#listeners) this.#client.off(/** @type {'state'} */ (name), listener);
    this.#listeners = [];
    if (this.#flushTimer !== null) this.#clock.clearTimer(this.#flushTimer);
    this.#flushTimer = null;
    for (const { timer } of this.#failures.values()) if (timer !== null) this.#clock.clearTimer(timer);
    this.#failures.clear();
    this.#refused.clear();
  }

  /**
   * @template {keyof import('./client.js').ClientEvents} Name
   * @param {Name} name
   * @param {(...args: import('./client.js').ClientEvents[Name]) => void} listener
   */
  #on(name, listener) {
    this.#client.on(name, listener);
    this.#listeners.push([name, /** @type {() => void} */ (listener)]);
  }

  /** Many events come together; the page is written once for all of them. */
  #schedule() {
    this.#flushTimer ??= this.#clock.setTimer(() => {
      this.#flushTimer = null;
      this.#flush();
    }, 0);
  }

  #flush() {
    this.#subscribeMore();
    const { pushers = 'pushers', players = 'players' } = this.#options;
    const data = { [pushers]: this.#pushers(), [players]: this.#players() };
    this.#forgetKeys();
    this.#owner.setData(data);
  }

  /** @returns {PusherItem[]} */
  #pushers() {
    const streams = /** @type {const} */ (['camera', 'screen']);
    return streams.flatMap((stream) => {
      const url = this.#client.pushUrl(stream);
      const { phase } = this.#client.pusher(stream);
      return url === undefined ? [] : [{ key: this.#key(url), stream, url, phase, ...this.#bitrates(stream) }];
    });
  }

  /** @param {StreamName} stream */
  #bitrates(stream) {
    const { bitrate = {}, steer = true } = this.#options;
    return bitratesWithin(bitrate, steer ? this.#client.publishLimits(stream) : null);
  }

  /** @returns {PlayerItem[]} */
  #players() {
    return this.#client.plays.flatMap(({ uid, stream: name, url }) => {
      const stream = this.#client.stream(uid, name);
      const shown = isPublished(name) ? stream : { audio: LIVE, video: name === 'mix' ? ABSENT : LIVE };
      if (shown === undefined) return [];
      const { audio, video } = shown;
      const { phase } = this.#client.player(uid, name);
      const orientation = stream === undefined || rotationOf(stream) % 180 === 0 ? /** @type {const} */ ('vertical') : /** @type {const} */ ('horizontal');
      return [{ key: this.#key(url), id: `player-${uid}-${name}`, uid, stream: name, url, phase, audio, video, orientation }];
    });
  }

  #subscribeMore() {
    const { maxPlayers = MAX_PLAYERS, wanted = () => true } = this.#options;
    for (const { uid, stream } of this.#client.streams) {
      const key = streamKey(uid, stream);
      if (this.#client.plays.length + this.#subscribing.size >= maxPlayers) return;
      const busy = this.#client.play(uid, stream) !== undefined || this.#subscribing.has(key) || this.#refused.has(key);
      if (!busy && wanted(uid, stream)) this.#subscribe(uid, stream, key);
    }
  }

  /** @param {Uid} uid @param {StreamName} stream @param {string} key */
  #subscribe(uid, stream, key) {
    this.#subscribing.add(key);
    this.#client.subscribe(uid, { stream }).catch((cause) => {
      this.#report(cause);
      if (this.#listeners.length === 0) return;
      this.#refused.add(key);
      this.#restart(`subscribe/${key}`, () => {
        this.#refused.delete(key);
        this.#schedule();
      });
    }).then(() => {
      this.#subscribing.delete(key);
      if (this.#listeners.length > 0) this.#schedule();
    });
  }

  /** @param {StreamName} stream */
  #pushAgain(stream) {
    // The page may have asked for another address itself.
    if (this.#client.pusher(stream).phase !== 'failed') return;
    this.#client.publishAgain(stream).catch((cause) => this.#report(cause));
  }

  /** @param {Uid} uid @param {ReceivedName} stream */
  #playAgain(uid, stream) {
    if (this.#client.player(uid, stream).phase !== 'failed') return;
    this.#client.subscribe(uid, { stream }).catch((cause) => this.#report(cause));
  }

  /** @param {string} key @param {() => void} act */
  #restart(key, act) {
    const now = this.#clock.now();
    const before = this.#failures.get(key);
    if (before !== undefined && before.timer !== null) return;
    const count = before === undefined || now - before.at > STABLE_MS ? 0 : before.count + 1;
    const failure = { count, at: now, timer: /** @type {unknown} */ (null) };
    failure.timer = this.#clock.setTimer(() => {
      failure.timer = null;
      failure.at = this.#clock.now();
      act();
    }, RESTART_MS[Math.min(count, RESTART_MS.length - 1)] ?? 0);
    this.#failures.set(key, failure);
  }

  /** @param {string} url */
  #key(url) {
    const known = this.#keys.get(url);
    if (known !== undefined) return known;
    const key = String(this.#nextKey);
    this.#nextKey += 1;
    this.#keys.set(url, key);
    return key;
  }

  #forgetKeys() {
    const urls = new Set([this.#client.pushUrl('camera'), this.#client.pushUrl('screen'), ...this.#client.plays.map(({ url }) => url)]);
    for (const url of [...this.#keys.keys()]) if (!urls.has(url)) this.#keys.delete(url);
  }

  /** A stream may end, and a stay too, while something is asked about it. @param {unknown} cause */
  #report(cause) {
    if (this.#listeners.length > 0 && this.#client.state !== 'DISCONNECTED') this.#client.emit('exception', cause);
  }
}

/**
 * @param {unknown} event
 * @returns {{ uid?: Uid, stream?: StreamName }} what the element of the event stands for
 */
function datasetOf(event) {
  if (typeof event !== 'object' || event === null) return {};
  const { currentTarget } = /** @type {{ currentTarget?: { dataset?: { uid?: unknown, stream?: unknown } } }} */ (event);
  const { uid, stream } = currentTarget?.dataset ?? {};
  return {
    ...(typeof uid === 'string' || typeof uid === 'number' ? { uid } : {}),
    ...(stream === 'camera' || stream === 'screen' ? { stream } : {}),
  };
}
