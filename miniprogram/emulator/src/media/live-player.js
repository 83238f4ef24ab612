/**
 * The native component live-player: RTMP or HTTP-FLV to a screen and a speaker.
 */
import { withDefaults } from './attributes.js';
import { PLAYS, PullCarrier } from './carrier.js';
import { FAILURE } from './codes.js';
import { PICTURE, SOUND_RATE } from './decoders.js';
import { shown } from './ffmpeg-log.js';
import { contentOf, FlvReader } from './flv.js';
import { messagesOf, sizeOfConfig } from './h264.js';
import { callMethod, Reporter, TemporaryFiles } from './host.js';
import { Meter, NETSTATUS_MS } from './netstatus.js';
import { Playback } from './playback.js';
import { PlayerMachine } from './player-machine.js';

/** Attributes of live-player that change what is played, with their defaults. */
export const PLAYER_DEFAULTS = Object.freeze({
  src: '',
  mode: 'live',
  autoplay: false,
  muted: false,
  muteAudio: false,
  muteVideo: false,
  orientation: 'vertical',
  objectFit: 'contain',
  soundMode: 'speaker',
  minCache: 1,
  maxCache: 3,
  autoPauseIfNavigate: true,
  autoPauseIfOpenNative: true,
  enableRecvMessage: false,
});

/** Bounds of the buffer in mode RTC where the page does not give others, in seconds. */
const RTC_CACHE = Object.freeze({ minCache: 0.2, maxCache: 0.8 });

/** @typedef {import('./host.js').Widened<typeof PLAYER_DEFAULTS>} PlayerAttributes */

/**
 * What a player is at.
 * @typedef {object} PlayerState
 * @property {import('./player-machine.js').PlayerPhase} phase
 * @property {string} src without its query
 * @property {number} width of the picture as it came, 0 before the first
 * @property {number} height
 * @property {number} framesShown
 * @property {number} secondsPlayed of sound that was heard
 * @property {boolean} muted whether no sound is heard
 * @property {boolean} hidden
 * @property {boolean} background
 * @property {boolean} fullScreen
 * @property {string} orientation
 * @property {string} objectFit
 * @property {string} soundMode
 */

/** @typedef {import('./decoders.js').Picture} Picture @typedef {import('./decoders.js').SoundTime} SoundTime */

export class LivePlayer {
  #host;
  /** @type {PlayerAttributes} */
  #attributes;
  #report;
  #machine;
  #files = new TemporaryFiles();
  #reader = new FlvReader();
  /** @type {PullCarrier | null} */
  #carrier = null;
  /** @type {Playback | null} */
  #playback = null;
  #meter = new Meter(0);
  #hidden = false;
  #background = false;
  /** Whether sound goes on in the background. */
  #backgroundPlayback = false;
  #fullScreen = false;
  #framesShown = 0;
  #secondsPlayed = 0;
  #size = { width: 0, height: 0 };
  /** @type {Picture | null} */
  #picture = null;
  /** Time in the stream of what was last shown and heard. */
  #played = { video: NaN, audio: NaN };
  #closed = false;
  /** @type {Set<(picture: Picture) => void>} */
  #frameListeners = new Set();
  /** @type {Set<(samples: Buffer, time: SoundTime) => void>} */
  #soundListeners = new Set();
  /** @type {NodeJS.Timeout | undefined} */
  #wake;
  /** @type {NodeJS.Timeout | undefined} */
  #netstatus;
  /** Processes that are on their way out. @type {Set<Promise<void>>} */
  #leaving = new Set();

  /**
   * @param {import('./host.js').MediaHost} host
   * @param {Partial<PlayerAttributes> & Record<string, unknown>} attributes in camelCase; what is missing has its
   *   default
   */
  constructor(host, attributes) {
    this.#host = host;
    this.#attributes = withDefaults(PLAYER_DEFAULTS, attributes);
    this.#report = new Reporter(host, 'player');
    const { retries, retryDelayMs } = host.device;
    this.#machine = new PlayerMachine({ retries, retryDelayMs });
    // The page hears of what follows only after its element is there.
    queueMicrotask(() => {
      if (this.#attributes.autoplay && this.#attributes.src && !this.#closed) this.#start();
    });
  }

  /** @returns {PlayerState} */
  get state() {
    const { src, orientation, objectFit, soundMode } = this.#attributes;
    return {
      phase: this.#machine.phase,
      src: shown(src),
      ...this.#size,
      framesShown: this.#framesShown,
      secondsPlayed: this.#secondsPlayed,
      muted: !this.#audible,
      hidden: this.#hidden,
      background: this.#background,
      fullScreen: this.#fullScreen,
      orientation,
      objectFit,
      soundMode,
    };
  }

  /**
   * Attributes have changed, as by `setData`.
   * @param {Partial<PlayerAttributes> & Record<string, unknown>} changes
   */
  set(changes) {
    if (this.#closed) return;
    const before = this.#attributes;
    this.#attributes = withDefaults(PLAYER_DEFAULTS, { ...before, ...changes });
    const after = this.#attributes;
    this.#playback?.bounds(this.#bounds());
    const moved = after.src !== before.src;
    const restart = moved && this.#machine.running;
    if (restart) this.#stop();
    const wanted = after.autoplay && (moved || !before.autoplay);
    if (after.src && (restart || wanted)) this.#start();
  }

  /**
   * A method of LivePlayerContext.
   * @param {string} method
   * @param {unknown} [options] without the callbacks
   * @returns {Promise<import('./host.js').CallResult>} rejects with `{ errMsg }`
   */
  call(method, options) {
    if (this.#closed) return Promise.reject({ errMsg: 'operateLivePlayer:fail the player is gone' });
    return callMethod('operateLivePlayer', this.#methods, method, options);
  }

  /**
   * The mini-program goes to the background, or comes back: nothing is seen meanwhile, nor heard
   * unless the page has asked for it; the stream goes on.
   * @param {boolean} on
   */
  background(on) {
    this.#background = on;
  }

  /**
   * Another page covers this one, or no longer does.
   * @param {boolean} on
   */
  hidden(on) {
    if (this.#hidden === on) return;
    this.#hidden = on;
    if (!this.#attributes.autoPauseIfNavigate) return;
    if (on) this.#machine.pause();
    else this.#machine.resume();
  }

  /** The network is gone at once: the component notices that it is lost. */
  lose() {
    if (this.#carrier) void this.#carrier.cut();
  }

  /**
   * Pictures as they are shown, scaled to 180 x 320.
   * @param {(picture: Picture) => void} listener
   * @returns {() => void} stops it
   */
  onFrame(listener) {
    this.#frameListeners.add(listener);
    return () => this.#frameListeners.delete(listener);
  }

  /**
   * Sound as it is heard: 16-bit samples, little-endian, 48000 a second, one channel. None while muted.
   * @param {(samples: Buffer, time: SoundTime) => void} listener
   * @returns {() => void} stops it
   */
  onSound(listener) {
    this.#soundListeners.add(listener);
    return () => this.#soundListeners.delete(listener);
  }

  /** The element has been removed. Resolves when no process and no timer is left. */
  async close() {
    if (!this.#closed) {
      this.#stop();
      this.#closed = true;
      this.#report.close();
      clearTimeout(this.#wake);
      this.#frameListeners.clear();
      this.#soundListeners.clear();
    }
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
    this.#files.close();
  }

  /** @type {Record<string, (options: Record<string, unknown>) => object | void>} */
  #methods = {
    play: () => {
      if (!PLAYS.test(this.#attributes.src)) throw new Error('src is neither an rtmp nor an flv address');
      this.#start();
    },
    stop: () => this.#stop(),
    pause: () => this.#machine.pause(),
    resume: () => this.#machine.resume(),
    mute: () => {
      this.#attributes.muted = !this.#attributes.muted;
    },
    snapshot: () => {
      if (!this.#picture) throw new Error('there is no picture');
      const { plane, width, height } = this.#picture;
      return { tempImagePath: this.#files.picture(plane, width, height), width, height };
    },
    requestFullScreen: ({ direction }) => this.#fill(true, typeof direction === 'number' ? direction : 0),
    exitFullScreen: () => this.#fill(false, 0),
    requestBackgroundPlayback: () => {
      this.#backgroundPlayback = true;
    },
    exitBackgroundPlayback: () => {
      this.#backgroundPlayback = false;
    },
  };

  get #audible() {
    const { muted, muteAudio } = this.#attributes;
    const covered = this.#background && !this.#backgroundPlayback;
    return !muted && !muteAudio && !covered && !this.#machine.paused;
  }

  get #visible() {
    return !this.#attributes.muteVideo && !this.#background && !this.#machine.paused;
  }

  /** What is held back, in milliseconds. */
  #bounds() {
    const { mode } = this.#attributes;
    let { minCache, maxCache } = this.#attributes;
    if (mode === 'RTC' && minCache === PLAYER_DEFAULTS.minCache) minCache = RTC_CACHE.minCache;
    if (mode === 'RTC' && maxCache === PLAYER_DEFAULTS.maxCache) maxCache = RTC_CACHE.maxCache;
    return { minMs: minCache * 1000, maxMs: maxCache * 1000 };
  }

  /** @param {boolean} on @param {number} direction degrees */
  #fill(on, direction) {
    this.#fullScreen = on;
    this.#report.event('fullscreenchange', { fullScreen: on, direction });
  }

  #start() {
    this.#drive(() => this.#machine.start());
  }

  #stop() {
    this.#drive(() => this.#machine.stop());
  }

  #connect() {
    const { src } = this.#attributes;
    if (!PLAYS.test(src)) {
      queueMicrotask(() => this.#drive(() => this.#machine.lost(FAILURE.CONNECT, performance.now())));
      return;
    }
    this.#host.log('info', `playing ${shown(src)}`);
    this.#reader = new FlvReader();
    this.#playback = new Playback({
      ffmpeg: this.#host.ffmpeg,
      bounds: this.#bounds(),
      now: () => performance.now(),
      events: {
        picture: (picture) => this.#show(picture),
        sound: (samples, time) => this.#hear(samples, time),
        dry: () => this.#drive(() => this.#machine.starved()),
        undecodable: (code) => this.#drive(() => this.#machine.undecodable(code)),
      },
    });
    this.#meter = new Meter(performance.now());
    this.#carrier = new PullCarrier(this.#host.ffmpeg, src, {
      connected: () => this.#drive(() => this.#machine.connected()),
      open: () => this.#drive(() => this.#machine.pulling()),
      lost: (code) => this.#drive(() => this.#machine.lost(code, performance.now())),
      refused: (reason) => this.#host.log('warn', `the server says: ${reason}`),
      data: (chunk) => this.#onData(chunk),
    });
    clearInterval(this.#netstatus);
    this.#netstatus = setInterval(() => this.#tellNetstatus(), NETSTATUS_MS);
  }

  #disconnect() {
    clearInterval(this.#netstatus);
    if (this.#carrier) this.#leave(this.#carrier.close());
    if (this.#playback) this.#leave(this.#playback.close());
    this.#carrier = null;
    this.#playback = null;
  }

  /** @param {Buffer} chunk */
  #onData(chunk) {
    const now = performance.now();
    let tags;
    try {
      tags = this.#reader.push(chunk);
    } catch {
      this.#drive(() => this.#machine.lost(FAILURE.BROKEN, now));
      return;
    }
    for (const tag of tags) {
      const content = contentOf(tag);
      if (content.kind === 'other' || content.part === 'other') continue;
      const { kind, keyframe, payload } = content;
      const config = content.part === 'config';
      const { timestamp, data } = tag;
      if (!config) this.#meter.add(kind, data.length, now, { keyframe, timestamp });
      this.#announce(kind, config, keyframe, payload);
      this.#playback?.push({ kind, timestamp, config, keyframe, data });
    }
    this.#playback?.play();
  }

  /** @param {'video' | 'audio'} kind @param {boolean} config @param {boolean} keyframe @param {Buffer} payload */
  #announce(kind, config, keyframe, payload) {
    if (kind === 'audio') {
      this.#drive(() => this.#machine.sound());
      return;
    }
    const size = config ? sizeOfConfig(payload) : null;
    if (size) this.#drive(() => this.#machine.videoConfig(size));
    if (keyframe) this.#drive(() => this.#machine.keyframe());
    if (config || !this.#attributes.enableRecvMessage) return;
    for (const text of messagesOf(payload)) this.#report.code(2012, text);
  }

  /** @param {Picture} picture */
  #show(picture) {
    if (!this.#visible) return;
    this.#framesShown += 1;
    this.#meter.frame();
    this.#size = picture.coded;
    this.#picture = picture;
    this.#played.video = picture.atMs;
    this.#drive(() => this.#machine.shown());
    for (const listener of this.#frameListeners) listener(picture);
  }

  /** @param {Buffer} samples @param {SoundTime} time */
  #hear(samples, time) {
    this.#played.audio = time.atMs;
    this.#drive(() => this.#machine.heard());
    if (!this.#audible) return;
    this.#secondsPlayed += samples.length / 2 / SOUND_RATE;
    for (const listener of this.#soundListeners) listener(samples, time);
  }

  #tellNetstatus() {
    const skew = this.#played.video - this.#played.audio;
    this.#report.netstatus({
      ...this.#meter.read(performance.now()),
      videoWidth: this.#size.width,
      videoHeight: this.#size.height,
      avPlayInterval: Number.isFinite(skew) ? Math.round(skew) : 0,
      ...this.#playback?.figures(),
    });
  }

  /** Lets the machine hear of something and does what it says. @param {() => void} event */
  #drive(event) {
    if (this.#closed) return;
    event();
    for (const action of this.#machine.take()) {
      if (action.type === 'connect') this.#connect();
      else if (action.type === 'disconnect') this.#disconnect();
      else this.#report.code(action.code);
    }
    clearTimeout(this.#wake);
    const { deadline } = this.#machine;
    if (deadline === null) return;
    const ms = Math.max(0, deadline - performance.now());
    this.#wake = setTimeout(() => this.#drive(() => this.#machine.wake(performance.now())), Math.ceil(ms));
  }

  /** @param {Promise<void>} leaving */
  #leave(leaving) {
    this.#leaving.add(leaving);
    void leaving.then(() => this.#leaving.delete(leaving));
  }
}

/** The size of the pictures that `onFrame` gives. */
export { PICTURE };
