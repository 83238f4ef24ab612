/**
 * The native component live-pusher: camera and microphone to an RTMP server.
 */
import { withDefaults } from './attributes.js';
import { PUSHES, PushCarrier } from './carrier.js';
import { FAILURE } from './codes.js';
import { DelayLine } from './delay-line.js';
import { shown } from './ffmpeg-log.js';
import { messageUnit } from './h264.js';
import { callMethod, Reporter, TemporaryFiles } from './host.js';
import { Music } from './music.js';
import { Meter, NETSTATUS_MS } from './netstatus.js';
import { rateBounds, sizeOnWire } from './picture-size.js';
import { Pipeline } from './pipeline.js';
import { PusherMachine } from './pusher-machine.js';
import { Uplink } from './uplink.js';
import { decodeImage, WaitingImage } from './waiting-image.js';

/** Pictures a second while the waiting image is sent. */
const WAITING_FPS = 5;
const MAX_FPS = 30;
/** Where the zoom of the camera ends. */
const MAX_ZOOM = 10;
/** Samples per second of `audio-quality`. */
const RATES = { high: 48_000, low: 16_000 };

/** Attributes of live-pusher that change what is sent, with their defaults. */
export const PUSHER_DEFAULTS = Object.freeze({
  url: '',
  mode: 'RTC',
  autopush: false,
  muted: false,
  enableCamera: true,
  enableMic: true,
  orientation: 'vertical',
  aspect: '9:16',
  minBitrate: 200,
  maxBitrate: 1000,
  videoWidth: 360,
  videoHeight: 640,
  fps: 15,
  audioQuality: 'high',
  waitingImage: '',
  mirror: false,
  remoteMirror: false,
  devicePosition: 'front',
  zoom: false,
});

/** @typedef {import('./host.js').Widened<typeof PUSHER_DEFAULTS>} PusherAttributes */

/**
 * What a pusher is at.
 * @typedef {object} PusherState
 * @property {import('./pusher-machine.js').PusherPhase} phase
 * @property {string} url without its query
 * @property {number} width of the picture on the wire, 0 without one
 * @property {number} height
 * @property {number} fps
 * @property {number} kbps what the encoder may use
 * @property {boolean} camera whether the camera is on
 * @property {boolean} microphone whether the microphone is heard
 * @property {boolean} background whether the waiting image is sent
 * @property {boolean} previewing
 * @property {string} devicePosition
 * @property {boolean} torch
 * @property {number} zoom
 * @property {number} picturesSent
 */

export class LivePusher {
  #host;
  /** @type {PusherAttributes} */
  #attributes;
  #report;
  #machine;
  #music;
  #files = new TemporaryFiles();
  #uplink = new Uplink();
  #waiting;
  /** @type {Pipeline | null} */
  #pipeline = null;
  /** @type {PushCarrier | null} */
  #carrier = null;
  #meter = new Meter(0);
  /** Sound on its way to the connection. @type {DelayLine<import('./joiner.js').JoinedTag>} */
  #soundLine = new DelayLine();
  /** Whether pictures are left out until the next keyframe. */
  #skipping = false;
  #background = false;
  #paused = false;
  #interrupted = false;
  #previewing = false;
  #torch = false;
  #zoom = 1;
  #picturesSent = 0;
  #size = { width: 0, height: 0 };
  #closed = false;
  /** @type {NodeJS.Timeout | undefined} */
  #wake;
  /** @type {NodeJS.Timeout | undefined} */
  #netstatus;
  /** Processes that are on their way out. @type {Set<Promise<void>>} */
  #leaving = new Set();

  /**
   * @param {import('./host.js').MediaHost} host
   * @param {Partial<PusherAttributes> & Record<string, unknown>} attributes in camelCase; what is missing has its
   *   default
   */
  constructor(host, attributes) {
    this.#host = host;
    this.#attributes = withDefaults(PUSHER_DEFAULTS, attributes);
    this.#report = new Reporter(host, 'pusher');
    this.#music = new Music(host, this.#report);
    const { retries, retryDelayMs, backgroundPushMs: backgroundMs } = host.device;
    this.#machine = new PusherMachine({ platform: host.platform, retries, retryDelayMs, backgroundMs });
    this.#waiting = new WaitingImage(
      async (path, width, height) => decodeImage(host.ffmpeg, await host.resolveFile(path), width, height),
      (failed) => this.#onWaitingImage(failed),
    );
    // The page hears of what follows only after its element is there.
    queueMicrotask(() => {
      if (this.#attributes.autopush && this.#attributes.url && !this.#closed) this.#start();
    });
  }

  /** @returns {PusherState} */
  get state() {
    const form = this.#form();
    return {
      phase: this.#machine.phase,
      url: shown(this.#attributes.url),
      width: this.#machine.running && form ? form.width : 0,
      height: this.#machine.running && form ? form.height : 0,
      fps: form?.fps ?? 0,
      kbps: this.#uplink.kbps,
      camera: form !== null && !this.#covered,
      microphone: !this.#silent,
      background: this.#background,
      previewing: this.#previewing,
      devicePosition: this.#attributes.devicePosition,
      torch: this.#torch,
      zoom: this.#zoom,
      picturesSent: this.#picturesSent,
    };
  }

  /**
   * Attributes have changed, as by `setData`.
   * @param {Partial<PusherAttributes> & Record<string, unknown>} changes
   */
  set(changes) {
    if (this.#closed) return;
    const before = this.#attributes;
    this.#attributes = withDefaults(PUSHER_DEFAULTS, { ...before, ...changes });
    const after = this.#attributes;
    if (after.enableMic !== before.enableMic) this.#drive(() => this.#machine.switched(4998));
    if (after.muted !== before.muted) this.#drive(() => this.#machine.switched(4999));
    const restart = after.url !== before.url && this.#machine.running;
    if (restart) this.#stop();
    const wanted = after.autopush && (after.url !== before.url || !before.autopush);
    if (after.url && !this.#machine.running && (restart || wanted)) this.#start();
    else this.#apply();
  }

  /**
   * A method of LivePusherContext.
   * @param {string} method
   * @param {unknown} [options] without the callbacks
   * @returns {Promise<import('./host.js').CallResult>} rejects with `{ errMsg }`
   */
  call(method, options) {
    if (this.#closed) return Promise.reject({ errMsg: 'operateLivePusher:fail the pusher is gone' });
    return callMethod('operateLivePusher', { ...this.#music.methods, ...this.#methods }, method, options);
  }

  /**
   * The mini-program goes to the background, or comes back.
   * @param {boolean} on
   */
  background(on) {
    if (this.#closed || this.#background === on) return;
    this.#background = on;
    this.#drive(() => this.#machine.background(on, performance.now()));
    this.#apply();
  }

  /**
   * A phone call takes the microphone, or gives it back.
   * @param {boolean} on
   */
  interrupt(on) {
    if (this.#closed || this.#interrupted === on) return;
    this.#interrupted = on;
    if (on) this.#drive(() => this.#machine.interrupted());
    this.#apply();
  }

  /** The network is gone at once: the server hears no goodbye, and the component notices that it is lost. */
  lose() {
    if (this.#carrier) void this.#carrier.cut();
  }

  /** The element has been removed. Resolves when no process and no timer is left. */
  async close() {
    if (!this.#closed) {
      this.#stop();
      this.#closed = true;
      this.#report.close();
      this.#music.stop();
      clearTimeout(this.#wake);
      this.#previewing = false;
      this.#apply();
    }
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
    this.#files.close();
  }

  /** @type {Record<string, (options: Record<string, unknown>) => object | void>} */
  #methods = {
    start: () => {
      if (!PUSHES.test(this.#attributes.url)) throw new Error('url is not an rtmp address');
      this.#start();
    },
    stop: () => this.#stop(),
    pause: () => this.#pause(true),
    resume: () => this.#pause(false),
    startPreview: () => this.#preview(true),
    stopPreview: () => this.#preview(false),
    switchCamera: () => {
      this.#attributes.devicePosition = this.#attributes.devicePosition === 'front' ? 'back' : 'front';
    },
    toggleTorch: () => {
      this.#torch = !this.#torch;
    },
    setZoom: ({ zoom }) => {
      if (typeof zoom !== 'number' || !(zoom >= 1 && zoom <= MAX_ZOOM)) throw new Error(`zoom is 1 to ${MAX_ZOOM}`);
      this.#zoom = zoom;
      return { zoom };
    },
    getMaxZoom: () => ({ maxZoom: MAX_ZOOM }),
    snapshot: () => this.#snapshot(),
    sendMessage: ({ msg }) => {
      if (!this.#pipeline?.message(messageUnit(String(msg ?? '')))) throw new Error('nothing is being pushed');
    },
  };

  get #covered() {
    return this.#background || this.#paused;
  }

  get #silent() {
    const { enableMic, muted } = this.#attributes;
    const taken = this.#covered || this.#interrupted || this.#host.device.denied?.microphone === true;
    return !enableMic || muted || taken;
  }

  /** What the encoder makes of pictures; null without a camera. */
  #form() {
    const attributes = this.#attributes;
    if (!attributes.enableCamera || this.#host.device.denied?.camera) return null;
    const fps = this.#covered ? WAITING_FPS : Math.min(MAX_FPS, Math.max(1, Math.round(attributes.fps)));
    return { ...sizeOnWire(attributes, this.#uplink.kbps), fps, kbps: this.#uplink.kbps };
  }

  #start() {
    if (this.#machine.running) return;
    this.#paused = false;
    const { denied } = this.#host.device;
    if (denied?.camera && this.#attributes.enableCamera) this.#report.error(10001);
    if (denied?.microphone && this.#attributes.enableMic) this.#report.error(10002);
    this.#uplink.kbps = rateBounds(this.#attributes).max;
    this.#uplink.bounds(rateBounds(this.#attributes));
    this.#drive(() => {
      this.#machine.start({ camera: this.#form() !== null });
      if (this.#background) this.#machine.background(true, performance.now());
    });
    this.#apply();
  }

  #stop() {
    this.#drive(() => this.#machine.stop());
    this.#apply();
  }

  /** @param {boolean} on */
  #pause(on) {
    if (!this.#machine.running) throw new Error('nothing is being pushed');
    this.#paused = on;
    this.#apply();
  }

  /** @param {boolean} on */
  #preview(on) {
    this.#previewing = on;
    this.#apply();
  }

  #snapshot() {
    const form = this.#form();
    if (!form || this.#covered) throw new Error('the camera is off');
    const { camera } = this.#host.device;
    const plane = camera.frame(0, Date.now(), form);
    const { width, height } = form;
    return { tempImagePath: this.#files.picture(plane, width, height), width, height };
  }

  /** Brings camera, encoders and timers in line with attributes and state. */
  #apply() {
    const running = this.#machine.running;
    this.#uplink.bounds(rateBounds(this.#attributes));
    const form = this.#form();
    this.#drive(() => this.#machine.camera(form !== null && (running || this.#previewing)));
    if (!running && !this.#previewing) {
      if (this.#pipeline) this.#leave(this.#pipeline.close());
      this.#pipeline = null;
      return;
    }
    const image = form && running ? this.#waiting.plane(this.#attributes.waitingImage, form) : null;
    this.#pipeline ??= this.#openPipeline();
    this.#pipeline.configure({
      video: form,
      still: this.#covered ? image : null,
      mirrored: this.#attributes.remoteMirror || this.#attributes.mirror,
      outRate: this.#attributes.audioQuality === 'low' ? RATES.low : RATES.high,
      silent: this.#silent,
      sound: this.#attributes.enableMic || this.#host.device.microphoneOff !== 'stop',
      encode: running,
    });
  }

  #openPipeline() {
    /** @type {Pipeline} */
    const pipeline = new Pipeline({
      ffmpeg: this.#host.ffmpeg,
      camera: this.#host.device.camera,
      mixer: this.#music.mixer,
      now: () => performance.now(),
      wallNow: () => Date.now(),
      events: {
        captured: () => this.#drive(() => this.#machine.captured()),
        encoded: (size) => {
          this.#size = size;
          this.#drive(() => this.#machine.encoded(size));
        },
        output: (kind, tag) => this.#output(kind, tag),
        failed: (kind, worked, reason) => this.#onEncoderFailed(kind, worked, reason),
        cameraFailed: () => this.#drive(() => this.#machine.broken(-1301)),
      },
    });
    return pipeline;
  }

  /** @param {'video' | 'audio'} kind @param {boolean} worked @param {string} reason */
  #onEncoderFailed(kind, worked, reason) {
    this.#host.log('warn', `the encoder of ${kind} ended by itself: ${reason}`);
    if (worked && kind === 'video') this.#drive(() => this.#machine.encoderRestarted());
    else if (!worked) this.#drive(() => this.#machine.broken(kind === 'video' ? -1303 : -1304));
  }

  /** @param {boolean} failed */
  #onWaitingImage(failed) {
    if (this.#closed) return;
    if (failed) this.#report.error(10004);
    this.#apply();
  }

  /** @param {'video' | 'audio'} kind @param {import('./joiner.js').JoinedTag} tag */
  #output(kind, tag) {
    const now = performance.now();
    if (kind === 'video') {
      this.#send(kind, tag, now);
      return;
    }
    const lags = this.#picturesSent > 0 && !this.#attributes.enableCamera;
    this.#soundLine.delay(lags ? (this.#host.device.cameraOffDelayMs ?? 0) : 0);
    for (const sound of this.#soundLine.push(tag, now)) this.#send(kind, sound, now);
  }

  /** @param {'video' | 'audio'} kind @param {import('./joiner.js').JoinedTag} tag @param {number} now */
  #send(kind, { bytes, config, keyframe, timestamp }, now) {
    const carrier = this.#carrier;
    if (!carrier || !this.#machine.published) return;
    if (kind === 'video' && !config) {
      this.#skipping = this.#uplink.dropping || (this.#skipping && !keyframe);
      this.#follow(carrier.backlog, now);
      if (this.#skipping) return;
      this.#picturesSent += 1;
      this.#meter.frame();
    }
    carrier.write(bytes);
    if (!config) this.#meter.add(kind, bytes.length, now, { keyframe, timestamp });
  }

  /** @param {number} backlog bytes @param {number} now */
  #follow(backlog, now) {
    const { weak, changed } = this.#uplink.update(backlog, now);
    if (weak) this.#drive(() => this.#machine.uplink(1101));
    if (!changed) return;
    this.#drive(() => this.#machine.uplink(1006));
    // Not from within the output of an encoder that this may end.
    queueMicrotask(() => this.#apply());
  }

  #connect() {
    const { url } = this.#attributes;
    if (!PUSHES.test(url)) {
      queueMicrotask(() => this.#drive(() => this.#machine.lost(FAILURE.CONNECT, performance.now())));
      return;
    }
    this.#host.log('info', `pushing to ${shown(url)}`);
    /** @type {PushCarrier} */
    const carrier = new PushCarrier(this.#host.ffmpeg, url, {
      connected: () => this.#drive(() => this.#machine.connected()),
      open: () => this.#onPublishing(carrier),
      lost: (code) => this.#drive(() => this.#machine.lost(code ?? FAILURE.BROKEN, performance.now())),
      refused: (reason) => this.#host.log('warn', `the server says: ${reason}`),
    });
    this.#carrier = carrier;
  }

  /** @param {PushCarrier} carrier */
  #onPublishing(carrier) {
    const now = performance.now();
    this.#drive(() => this.#machine.publishing());
    this.#skipping = false;
    this.#soundLine.clear();
    this.#meter = new Meter(now);
    if (this.#pipeline) carrier.write(this.#pipeline.begin());
    clearInterval(this.#netstatus);
    this.#netstatus = setInterval(() => this.#tellNetstatus(), NETSTATUS_MS);
  }

  #disconnect() {
    clearInterval(this.#netstatus);
    this.#pipeline?.end();
    if (this.#carrier) this.#leave(this.#carrier.close());
    this.#carrier = null;
  }

  #tellNetstatus() {
    const shows = this.#attributes.enableCamera || this.#host.platform === 'ios';
    this.#report.netstatus({
      ...this.#meter.read(performance.now()),
      videoWidth: shows ? this.#size.width : 0,
      videoHeight: shows ? this.#size.height : 0,
      videoCache: this.#pipeline?.inside ?? 0,
      audioCache: 0,
    });
  }

  /** Lets the machine hear of something and does what it says. @param {() => void} event */
  #drive(event) {
    if (this.#closed) return;
    event();
    let ended = false;
    for (const action of this.#machine.take()) {
      if (action.type === 'connect') this.#connect();
      else if (action.type === 'disconnect') this.#disconnect();
      else this.#report.code(action.code);
      ended ||= !this.#machine.running;
    }
    clearTimeout(this.#wake);
    const { deadline } = this.#machine;
    if (deadline !== null) {
      const ms = Math.max(0, deadline - performance.now());
      this.#wake = setTimeout(() => this.#drive(() => this.#machine.wake(performance.now())), Math.ceil(ms));
    }
    if (ended) queueMicrotask(() => this.#apply());
  }

  /** @param {Promise<void>} leaving */
  #leave(leaving) {
    this.#leaving.add(leaving);
    void leaving.then(() => this.#leaving.delete(leaving));
  }
}
