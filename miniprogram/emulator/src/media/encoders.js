/**
 * The encoders of a pusher: one ffmpeg for pictures, one for sound, so that either can start anew without the other.
 */
import { contentOf, FlvReader, TAG } from './flv.js';
import { Ffmpeg } from './process.js';

/** Samples in a frame of AAC-LC. */
const AAC_FRAME = 1024;
/** Seconds from one keyframe to the next, as phones send them. */
export const GOP_SECONDS = 3;
const AUDIO_KBPS = 48;
/** Frames of silence that bring the first frame out of the encoder of sound, with a resampler before it. */
const PRIMING_FRAMES = 4;
/** Sound that an encoder has not taken, in bytes: ten seconds of stereo. More is left out. */
const MAX_BACKLOG_BYTES = 2 << 20;
/** An encoder that is behind by more than this, in seconds, misses pictures, as on a phone that is too slow. */
const MAX_BEHIND_SECONDS = 1;

/** Everything about a raw input is said, so nothing need be read ahead to find it out. */
const UNPROBED = ['-probesize', '32', '-analyzeduration', '0'];
const QUIET = ['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'error'];
const TO_FLV = ['-flush_packets', '1', '-flvflags', 'no_duration_filesize', '-f', 'flv', 'pipe:1'];

/**
 * @typedef {object} EncoderEvents
 * @property {(data: Buffer, atMs: number) => void} onTag the body of a tag and when its content was captured
 * @property {(failure: string | null) => void} onEnd it has ended: by itself, with what it said last, or because it was
 *   told to
 */

/** What both have in common: a process whose output is cut into tags. */
class Encoder {
  #ending = false;

  /**
   * @param {string} ffmpeg @param {string[]} args @param {number} type of tags
   * @param {(isFrame: boolean) => number} timeOf when the content of the next tag was captured
   * @param {EncoderEvents} events
   */
  constructor(ffmpeg, args, type, timeOf, events) {
    const reader = new FlvReader();
    /** @param {Buffer} chunk */
    const onData = (chunk) => {
      for (const tag of reader.push(chunk)) {
        if (tag.type === type) events.onTag(tag.data, timeOf(contentOf(tag).part === 'frame'));
      }
    };
    this.process = new Ffmpeg(ffmpeg, args, { input: true, onData });
    void this.process.exited.then(() => events.onEnd(this.#ending ? null : this.process.lastLine));
  }

  /** No more input: what is in it comes out, then it ends. */
  finish() {
    this.#ending = true;
    return this.process.finish();
  }

  kill() {
    this.#ending = true;
    return this.process.kill();
  }
}

/**
 * @typedef {object} VideoForm
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 * @property {number} kbps
 */

/** @param {VideoForm} form */
function videoArguments({ width, height, fps, kbps }) {
  const gop = String(Math.round(GOP_SECONDS * fps));
  return [
    ...[...QUIET, '-f', 'rawvideo', '-pix_fmt', 'gray', '-video_size', `${width}x${height}`, '-framerate', `${fps}`],
    ...[...UNPROBED, '-i', 'pipe:0', '-vsync', '0', '-c:v', 'libx264', '-pix_fmt', 'yuv420p'],
    ...['-profile:v', 'baseline', '-preset', 'veryfast', '-tune', 'zerolatency', '-refs', '1', '-bf', '0'],
    ...['-threads', '1', '-g', gop, '-keyint_min', gop, '-sc_threshold', '0'],
    ...['-b:v', `${kbps}k`, '-maxrate', `${kbps}k`, '-bufsize', `${kbps}k`, ...TO_FLV],
  ];
}

/** Encodes grey pictures of one size. */
export class VideoEncoder extends Encoder {
  /** When the pictures in the encoder were captured. @type {number[]} */
  #times = [];
  #last = 0;

  /** @param {string} ffmpeg @param {VideoForm} form @param {EncoderEvents} events */
  constructor(ffmpeg, form, events) {
    super(ffmpeg, videoArguments(form), TAG.VIDEO, (isFrame) => this.#timeOf(isFrame), events);
    this.form = form;
  }

  /** Pictures that are being encoded. */
  get inside() {
    return this.#times.length;
  }

  /** @param {Uint8Array} plane @param {number} atMs */
  write(plane, atMs) {
    if (this.#times.length >= Math.max(1, this.form.fps * MAX_BEHIND_SECONDS)) return;
    this.#times.push(atMs);
    this.process.write(plane);
  }

  // Without B-frames, pictures come out in the order in which they went in.
  /** @param {boolean} isFrame */
  #timeOf(isFrame) {
    if (isFrame) this.#last = this.#times.shift() ?? this.#last;
    return this.#last;
  }
}

/**
 * @typedef {object} AudioForm
 * @property {number} rate of the input, samples per second
 * @property {number} channels of the input
 * @property {number} outRate
 */

/** @param {AudioForm} form */
function audioArguments({ rate, channels, outRate }) {
  return [
    ...[...QUIET, '-f', 's16le', '-ar', String(rate), '-ac', String(channels), ...UNPROBED, '-i', 'pipe:0'],
    ...['-c:a', 'aac', '-b:a', `${AUDIO_KBPS}k`, '-ar', String(outRate), '-ac', '1', ...TO_FLV],
  ];
}

/** Encodes sound without a gap from one moment on. */
export class AudioEncoder extends Encoder {
  #form;
  #frames = 0;
  /** Samples that went in, per channel. */
  #samples = 0;
  /** When the first sample was captured; null before the start. @type {number | null} */
  #startMs = null;

  /**
   * Begins with silence, so that it is ready when it is started: what comes out before then has no time.
   * @param {string} ffmpeg @param {AudioForm} form
   * @param {EncoderEvents} events
   */
  constructor(ffmpeg, form, events) {
    super(ffmpeg, audioArguments(form), TAG.AUDIO, (isFrame) => this.#timeOf(isFrame), events);
    this.#form = form;
    this.#put(new Int16Array(Math.ceil((PRIMING_FRAMES * AAC_FRAME * form.rate) / form.outRate) * form.channels));
  }

  get outRate() {
    return this.#form.outRate;
  }

  /** Whether it is at work. */
  get ready() {
    return this.#frames > 0;
  }

  get started() {
    return this.#startMs !== null;
  }

  /** What is in it and has not come out, in seconds. */
  get behind() {
    return this.#samples / this.#form.rate - (this.#frames * AAC_FRAME) / this.#form.outRate;
  }

  /** @param {number} atMs when the next sample is captured */
  start(atMs) {
    this.#startMs = atMs - (this.#samples * 1000) / this.#form.rate;
  }

  /** @param {Int16Array} samples interleaved */
  write(samples) {
    if (this.process.backlog <= MAX_BACKLOG_BYTES) this.#put(samples);
  }

  /** @param {Int16Array} samples */
  #put(samples) {
    this.#samples += samples.length / this.#form.channels;
    this.process.write(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
  }

  // The encoder puts one frame of silence in front.
  /** @param {boolean} isFrame */
  #timeOf(isFrame) {
    const passed = ((this.#frames - 1) * AAC_FRAME * 1000) / this.#form.outRate;
    if (isFrame) this.#frames += 1;
    return this.#startMs === null ? -Infinity : this.#startMs + passed;
  }
}
