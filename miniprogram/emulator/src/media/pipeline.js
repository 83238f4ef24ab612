/**
 * Camera and microphone, the encoders behind them, and the one stream that comes out.
 */
import { sizeOfConfig } from './h264.js';
import { contentOf, TAG } from './flv.js';
import { AudioEncoder, VideoEncoder } from './encoders.js';
import { Joiner } from './joiner.js';

/** How often it looks what is due, in milliseconds. */
const TICK_MS = 10;
/** Sound is handed on in blocks of no less than this, in seconds. */
const BLOCK_SECONDS = 0.01;
/** Sound that is further behind than this, in seconds, starts anew instead of being made up for. */
const MAX_BEHIND_SECONDS = 1.5;
/** Two grids of time may differ by rounding, in milliseconds. */
const SAME_PICTURE_MS = 0.01;
/** Encoders that still give the rest of what they were given, besides the one at work. */
const MAX_FINISHING = 3;
/** What an encoder gives while the one before it has not finished: a second or two of pictures. */
const MAX_HELD_TAGS = 64;

/**
 * What is to be sent.
 * @typedef {object} Plan
 * @property {import('./encoders.js').VideoForm | null} video null for no pictures
 * @property {Uint8Array | null} still a picture to send instead of the camera's, of the size of `video`
 * @property {boolean} mirrored whether left and right of the camera's picture are exchanged
 * @property {number} outRate of the sound, samples per second
 * @property {boolean} silent silence is sent instead of the microphone's sound
 * @property {boolean} sound whether sound is sent at all
 * @property {boolean} encode false for a preview
 */

/**
 * @typedef {object} PipelineEvents
 * @property {() => void} captured the camera has given a picture
 * @property {(size: { width: number, height: number }) => void} encoded
 * @property {(kind: 'video' | 'audio', tag: import('./joiner.js').JoinedTag) => void} output a tag to send
 * @property {(kind: 'video' | 'audio', worked: boolean, reason: string) => void} failed an encoder ended by itself;
 *   `worked` tells whether anything had come out of it
 * @property {() => void} cameraFailed the camera threw
 */

/** @param {Uint8Array} plane @param {number} width */
function mirror(plane, width) {
  const out = new Uint8Array(plane);
  for (let at = 0; at < out.length; at += width) out.subarray(at, at + width).reverse();
  return out;
}

/** An encoder with what came out before its turn. */
class Stage {
  /** @type {{ data: Buffer, atMs: number }[]} */
  held = [];
  worked = false;
  /** @type {VideoEncoder | null} */
  encoder = null;
}

/** Runs from its first plan until it is closed. */
export class Pipeline {
  #ffmpeg;
  #camera;
  #mixer;
  #events;
  #now;
  #wallNow;
  #joiner = new Joiner();
  #epoch;
  /** @type {Plan | null} */
  #plan = null;
  /** Encoders in the order of their pictures: only the first one's output is passed on. @type {Stage[]} */
  #stages = [];
  /** Whether the last stage takes pictures. */
  #feeding = false;
  /** @type {AudioEncoder | null} */
  #audio = null;
  /** Position of the next sample, per channel, from the epoch. */
  #sample = 0;
  #lastPictureMs = -Infinity;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** Processes that have been told to end. @type {Set<Promise<void>>} */
  #leaving = new Set();

  /**
   * @param {object} options
   * @param {string} options.ffmpeg
   * @param {import('./camera.js').Camera} options.camera
   * @param {import('./mixer.js').Mixer} options.mixer of the sound
   * @param {PipelineEvents} options.events
   * @param {() => number} options.now milliseconds, never backwards
   * @param {() => number} options.wallNow milliseconds since 1970
   */
  constructor({ ffmpeg, camera, mixer, events, now, wallNow }) {
    this.#ffmpeg = ffmpeg;
    this.#camera = camera;
    this.#mixer = mixer;
    this.#events = events;
    this.#now = now;
    this.#wallNow = wallNow;
    this.#epoch = now();
  }

  /** Pictures that wait in the encoder. */
  get inside() {
    return this.#stages.reduce((sum, stage) => sum + (stage.encoder?.inside ?? 0), 0);
  }

  /** @param {Plan} plan takes effect with the next picture and sample */
  configure(plan) {
    const before = this.#plan;
    this.#plan = plan;
    const form = plan.encode ? plan.video : null;
    const old = before?.encode ? before.video : null;
    if (JSON.stringify(form) !== JSON.stringify(old) || Boolean(plan.still) !== Boolean(before?.still)) {
      this.#retire();
      if (form) this.#employ(form);
    }
    if (!plan.encode || !plan.sound || (this.#audio && this.#audio.outRate !== plan.outRate)) this.#endSound();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /** A connection is ready: what is captured from now on is sent, beginning with a keyframe. */
  begin() {
    const form = this.#plan?.encode ? this.#plan.video : null;
    const metadata = {
      ...(form ? { width: form.width, height: form.height, framerate: form.fps, videodatarate: form.kbps } : {}),
      ...(form ? { videocodecid: 7 } : {}),
      ...(this.#plan?.sound ? { audiocodecid: 10, audiosamplerate: this.#plan.outRate, stereo: false } : {}),
    };
    if (form) {
      this.#retire();
      this.#employ(form);
    }
    const now = this.#now();
    // The first picture is one of this connection: it is the keyframe that all others need.
    this.#lastPictureMs = Math.max(this.#lastPictureMs, now);
    return this.#joiner.begin(now, metadata);
  }

  /** The connection is gone. Capture goes on. */
  end() {
    this.#joiner.end();
  }

  /** @param {Buffer} unit an SEI unit for the next picture @returns {boolean} */
  message(unit) {
    return this.#joiner.open && this.#joiner.message(unit);
  }

  /** Stops everything. */
  async close() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#plan = null;
    this.#joiner.end();
    for (const stage of this.#stages) if (stage.encoder) this.#leave(stage.encoder.kill());
    this.#stages = [];
    if (this.#audio) this.#leave(this.#audio.kill());
    this.#audio = null;
    await Promise.all(this.#leaving);
  }

  #tick() {
    const plan = this.#plan;
    if (!plan) return;
    const seconds = (this.#now() - this.#epoch) / 1000;
    if (plan.video) this.#capture(plan, plan.video, seconds);
    if (plan.encode && plan.sound) this.#listen(plan, seconds);
  }

  // A picture whose time has passed is not caught up with: a camera gives the present one.
  /** @param {Plan} plan @param {import('./encoders.js').VideoForm} form @param {number} seconds */
  #capture(plan, { width, height, fps }, seconds) {
    const number = Math.floor(seconds * fps);
    const atMs = this.#epoch + (number * 1000) / fps;
    if (atMs <= this.#lastPictureMs + SAME_PICTURE_MS) return;
    this.#lastPictureMs = atMs;
    let plane = plan.still;
    if (!plane) {
      const index = Math.floor((number * this.#camera.fps) / fps + 1e-6);
      try {
        plane = this.#camera.frame(index, this.#wallNow(), { width, height });
        if (plan.mirrored) plane = mirror(plane, width);
      } catch {
        this.#events.cameraFailed();
        return;
      }
    }
    this.#events.captured();
    if (this.#feeding) this.#stages.at(-1)?.encoder?.write(plane, atMs);
  }

  /** @param {Plan} plan @param {number} seconds */
  #listen(plan, seconds) {
    const { rate, channels } = this.#camera;
    const due = Math.floor(seconds * rate);
    this.#audio ??= this.#hear({ rate, channels, outRate: plan.outRate });
    if (!this.#audio.ready) return;
    if (!this.#audio.started) {
      this.#sample = due;
      this.#audio.start(this.#epoch + (due * 1000) / rate);
    }
    if (Math.max((due - this.#sample) / rate, this.#audio.behind) > MAX_BEHIND_SECONDS) {
      this.#endSound();
      return;
    }
    const count = due - this.#sample;
    if (count < BLOCK_SECONDS * rate) return;
    const mixed = this.#mixer.mix(this.#camera.samples(this.#sample, count), channels);
    this.#sample = due;
    this.#audio.write(plan.silent ? new Int16Array(count * channels) : mixed);
  }

  /** @param {import('./encoders.js').AudioForm} form */
  #hear(form) {
    let worked = false;
    /** @type {AudioEncoder} */
    const encoder = new AudioEncoder(this.#ffmpeg, form, {
      onTag: (data, atMs) => {
        worked = true;
        if (this.#audio === encoder) this.#send('audio', data, atMs);
      },
      onEnd: (failure) => {
        if (this.#audio !== encoder) return;
        this.#audio = null;
        if (failure !== null) this.#events.failed('audio', worked, failure);
      },
    });
    return encoder;
  }

  #endSound() {
    if (this.#audio) this.#leave(this.#audio.kill());
    this.#audio = null;
  }

  /** @param {import('./encoders.js').VideoForm} form */
  #employ(form) {
    const stage = new Stage();
    stage.encoder = new VideoEncoder(this.#ffmpeg, form, {
      onTag: (data, atMs) => this.#onPicture(stage, data, atMs),
      onEnd: (failure) => this.#onVideoEnd(stage, failure),
    });
    this.#stages.push(stage);
    this.#feeding = true;
  }

  #retire() {
    const stage = this.#stages.at(-1);
    if (this.#feeding && stage?.encoder) this.#leave(stage.encoder.finish());
    this.#feeding = false;
    for (const late of this.#stages.slice(0, -MAX_FINISHING)) if (late.encoder) this.#leave(late.encoder.kill());
  }

  /** @param {Stage} stage @param {Buffer} data @param {number} atMs */
  #onPicture(stage, data, atMs) {
    stage.worked = true;
    if (stage === this.#stages[0]) this.#send('video', data, atMs);
    else if (stage.held.length < MAX_HELD_TAGS) stage.held.push({ data, atMs });
  }

  /** @param {Stage} stage @param {string | null} failure */
  #onVideoEnd(stage, failure) {
    const index = this.#stages.indexOf(stage);
    if (index < 0) return;
    const feeding = this.#feeding && index === this.#stages.length - 1;
    this.#stages.splice(index, 1);
    if (index === 0) this.#release();
    if (failure === null || !feeding) return;
    this.#feeding = false;
    this.#events.failed('video', stage.worked, failure);
    const form = this.#plan?.encode ? this.#plan.video : null;
    if (form && stage.worked) this.#employ(form);
  }

  #release() {
    const stage = this.#stages[0];
    if (!stage) return;
    for (const { data, atMs } of stage.held.splice(0)) this.#send('video', data, atMs);
  }

  /** @param {'video' | 'audio'} kind @param {Buffer} data @param {number} atMs */
  #send(kind, data, atMs) {
    if (kind === 'video') {
      const content = contentOf({ type: TAG.VIDEO, data });
      const size = content.part === 'config' ? sizeOfConfig(content.payload) : null;
      if (size) this.#events.encoded(size);
    }
    for (const tag of this.#joiner.push(kind, data, atMs)) this.#events.output(kind, tag);
  }

  /** @param {Promise<void>} leaving */
  #leave(leaving) {
    this.#leaving.add(leaving);
    void leaving.then(() => this.#leaving.delete(leaving));
  }
}
