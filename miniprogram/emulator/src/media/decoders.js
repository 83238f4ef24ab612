/**
 * The decoders of a player: one ffmpeg for pictures, one for sound, each fed tag by tag at the time of play.
 */
import { flvHeader, flvTag, TAG } from './flv.js';
import { Ffmpeg } from './process.js';

/** Pictures are scaled to this, whatever their size, which is enough to see what they show. */
export const PICTURE = Object.freeze({ width: 180, height: 320 });
/** What sound is turned into: samples per second, one channel, 16 bits. */
export const SOUND_RATE = 48_000;

const AAC_FRAME = 1024;
const BYTES_PER_SAMPLE = 2;
/** Pictures whose time is known but whose pixels have not come, or the other way round. */
const MAX_UNPAIRED = 64;
/** Blocks of sound that are being decoded. */
const MAX_ANCHORS = 512;
/** What a decoder has not taken, in bytes: more than this and tags are left out. */
const MAX_BACKLOG_BYTES = 4 << 20;

const INPUT = ['-probesize', '32', '-analyzeduration', '1', '-f', 'flv', '-i', 'pipe:0'];

/** @typedef {{ onEnd: () => void }} DecoderEvents `onEnd` when it has ended by itself */

class Decoder {
  #ending = false;

  /**
   * @param {string} ffmpeg @param {string[]} args @param {DecoderEvents} events
   * @param {{ onData: (chunk: Buffer) => void, onLine?: (line: string) => void }} io
   */
  constructor(ffmpeg, args, events, io) {
    this.process = new Ffmpeg(ffmpeg, args, { input: true, ...io });
    void this.process.exited.then(() => {
      if (!this.#ending) events.onEnd();
    });
  }

  get full() {
    return this.process.backlog > MAX_BACKLOG_BYTES;
  }

  kill() {
    this.#ending = true;
    return this.process.kill();
  }
}

/**
 * @typedef {object} Picture
 * @property {Uint8Array} plane 8-bit grey, {@link PICTURE}
 * @property {number} width of `plane`
 * @property {number} height of `plane`
 * @property {number} atMs its time in the stream, shared with the sound
 * @property {number} seenMs wall clock
 * @property {{ width: number, height: number }} coded its size before scaling
 */

const VIDEO_ARGUMENTS = [
  ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'info', '-flags', 'low_delay', '-threads', '1', ...INPUT],
  ...['-an', '-copyts', '-vsync', '0', '-filter_threads', '1', '-vf'],
  `showinfo=checksum=0,scale=${PICTURE.width}:${PICTURE.height}:flags=area,format=gray`,
  // As PGM files one after the other: the raw format would keep each picture back until the next one.
  ...['-c:v', 'pgm', '-flush_packets', '1', '-f', 'image2pipe', 'pipe:1'],
];
/** What stands in front of the pixels. */
const PGM_HEADER = `P5\n${PICTURE.width} ${PICTURE.height}\n255\n`;

const SHOWN = /_showinfo_\d+ .*\bpts_time:\s*(-?[\d.]+).*\bs:(\d+)x(\d+)/;

/** Decodes H.264. */
export class VideoDecoder extends Decoder {
  /** @type {{ atMs: number, coded: { width: number, height: number } }[]} */
  #announced = [];
  /** @type {Buffer[]} */
  #planes = [];
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);
  #fed = 0;
  #out = 0;
  #onPicture;

  /** @param {string} ffmpeg @param {DecoderEvents & { onPicture: (picture: Picture) => void }} events */
  constructor(ffmpeg, events) {
    super(ffmpeg, VIDEO_ARGUMENTS, events, {
      onData: (chunk) => this.#onData(chunk),
      onLine: (line) => this.#onLine(line),
    });
    this.#onPicture = events.onPicture;
    this.process.write(flvHeader({ audio: false }));
  }

  /** Pictures in it. */
  get inside() {
    return Math.max(0, this.#fed - this.#out);
  }

  /** @param {{ timestamp: number, data: Buffer, config: boolean }} tag */
  feed({ timestamp, data, config }) {
    if (this.full && !config) return;
    if (!config) this.#fed += 1;
    this.process.write(flvTag(TAG.VIDEO, timestamp, data));
  }

  /** @param {string} line */
  #onLine(line) {
    const found = SHOWN.exec(line);
    if (!found || this.#announced.length >= MAX_UNPAIRED) return;
    const coded = { width: Number(found[2]), height: Number(found[3]) };
    this.#announced.push({ atMs: Number(found[1]) * 1000, coded });
    this.#pair();
  }

  /** @param {Buffer} chunk */
  #onData(chunk) {
    const size = PGM_HEADER.length + PICTURE.width * PICTURE.height;
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (; bytes.length >= size; bytes = bytes.subarray(size)) {
      if (this.#planes.length < MAX_UNPAIRED) this.#planes.push(Buffer.from(bytes.subarray(PGM_HEADER.length, size)));
    }
    this.#rest = bytes;
    this.#pair();
  }

  // A picture's time comes on one pipe and its pixels on another: they meet here in order.
  #pair() {
    while (this.#planes.length > 0 && this.#announced.length > 0) {
      const plane = this.#planes.shift();
      const time = this.#announced.shift();
      if (!plane || !time) return;
      this.#out += 1;
      this.#onPicture({ plane, ...PICTURE, ...time, seenMs: Date.now() });
    }
  }
}

/**
 * @typedef {object} SoundTime
 * @property {number} atMs time in the stream of the first sample, shared with the pictures
 * @property {number} seenMs wall clock
 */

const AUDIO_ARGUMENTS = [
  ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'error', ...INPUT, '-vn'],
  ...['-af', `aresample=${SOUND_RATE},aformat=sample_fmts=s16:channel_layouts=mono`],
  ...['-flush_packets', '1', '-f', 's16le', 'pipe:1'],
];

/** Decodes AAC. */
export class AudioDecoder extends Decoder {
  /** Where in the output the sound of each tag begins. @type {{ sample: number, atMs: number }[]} */
  #anchors = [];
  #fed = 0;
  #out = 0;
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);
  #onSound;

  /**
   * @param {string} ffmpeg @param {number} rate samples per second of the stream
   * @param {DecoderEvents & { onSound: (samples: Buffer, time: SoundTime) => void }} events
   */
  constructor(ffmpeg, rate, events) {
    super(ffmpeg, AUDIO_ARGUMENTS, events, { onData: (chunk) => this.#onData(chunk) });
    this.rate = rate;
    this.#onSound = events.onSound;
    this.process.write(flvHeader({ video: false }));
  }

  /** @param {{ timestamp: number, data: Buffer, config: boolean }} tag */
  feed({ timestamp, data, config }) {
    if (this.full && !config) return;
    if (!config) {
      this.#anchors.push({ sample: this.#fed, atMs: timestamp });
      if (this.#anchors.length > MAX_ANCHORS) this.#anchors.shift();
      this.#fed += (AAC_FRAME * SOUND_RATE) / this.rate;
    }
    this.process.write(flvTag(TAG.AUDIO, timestamp, data));
  }

  /** @param {Buffer} chunk */
  #onData(chunk) {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const whole = bytes.length - (bytes.length % BYTES_PER_SAMPLE);
    this.#rest = Buffer.from(bytes.subarray(whole));
    if (whole === 0) return;
    while ((this.#anchors[1]?.sample ?? Infinity) <= this.#out) this.#anchors.shift();
    const anchor = this.#anchors[0] ?? { sample: this.#out, atMs: 0 };
    const atMs = anchor.atMs + ((this.#out - anchor.sample) * 1000) / SOUND_RATE;
    this.#out += whole / BYTES_PER_SAMPLE;
    this.#onSound(Buffer.from(bytes.subarray(0, whole)), { atMs, seenMs: Date.now() });
  }
}

const SAMPLE_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/**
 * The rate that an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) declares, in samples per second.
 * @param {Buffer} config
 */
export function rateOfConfig(config) {
  const index = config.length >= 2 ? (config.readUInt16BE(0) >> 7) & 0x0f : 15;
  return SAMPLE_RATES[index] ?? SOUND_RATE;
}
