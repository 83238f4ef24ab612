/**
 * The test source: bar-coded frames and the test sound, made here at the pace of the clock and piped into a real
 * encoder and publisher.
 */
import { CLOCK_MODULUS, FLASH_FRAMES, paint } from './barcode.mjs';
import { synthesize } from './sound.mjs';
import { tools } from './tools.mjs';

/** How evenly pictures and sound are handed over. */
const TICK_MS = 4;
/** Frames that an encoder gets before it is ready. */
const FIRST_FRAMES = 2;
/** In case that it wants more: one more as often as this. */
const SLOW_FRAME_MS = 500;

/**
 * @typedef {object} SourceOptions
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [fps]
 * @property {number} [tone] hertz; names the source
 * @property {number} [rate] samples per second
 * @property {number} [channels]
 * @property {number} [loudness] of the sound: 0 is silence, 1 the usual
 * @property {number} [firstNumber] number of the first frame, a multiple of `fps`
 * @property {boolean} [video]
 * @property {boolean} [audio]
 */

/** Frames and sound paced by the clock. */
export class Source {
  /** @param {SourceOptions} options */
  constructor(options) {
    this.width = options.width ?? 360;
    this.height = options.height ?? 640;
    this.fps = options.fps ?? 15;
    this.tone = options.tone ?? 440;
    this.rate = options.rate ?? 48_000;
    this.channels = options.channels ?? 1;
    this.loudness = options.loudness ?? 1;
    this.firstNumber = options.firstNumber ?? 0;
    this.video = options.video ?? true;
    this.audio = options.audio ?? true;
    this.painted = 0;
    /** @type {NodeJS.Timeout | undefined} */
    this.timer = undefined;
  }

  /**
   * Feeds an encoder. Until it is ready it gets only what it needs to set itself up, so that it has nothing to catch
   * up with: what a publisher sends in a hurry at first, players have in their buffers for long.
   * @param {import('node:stream').Writable | undefined} video receives 8-bit grey frames
   * @param {import('node:stream').Writable | undefined} audio receives interleaved 16-bit samples
   * @param {() => boolean} ready
   */
  start(video, audio, ready) {
    this.sinks = [video, audio];
    const asked = Date.now();
    let start = 0;
    let samples = 0;
    const step = () => {
      const now = Date.now();
      if (start === 0 && ready()) start = now - (this.painted * 1000) / this.fps;
      const due = start > 0 ? ((now - start) * this.fps) / 1000 : FIRST_FRAMES + (now - asked) / SLOW_FRAME_MS;
      while (this.painted < Math.floor(due) + 1) {
        if (video?.writable) video.write(this.#frame(this.painted));
        this.painted += 1;
      }
      // Sound comes evenly, as from a microphone: in lumps as long as pictures a browser would hold it back for longer than the
      // picture, and take many seconds to bring both together.
      const until = Math.round((due * this.rate) / this.fps);
      if (audio?.writable && until > samples) audio.write(this.#sound(samples, until - samples));
      samples = Math.max(samples, until);
    };
    step();
    this.timer = setInterval(step, TICK_MS);
  }

  /** @param {number} index */
  #frame(index) {
    const plane = new Uint8Array(this.width * this.height);
    const clock = Date.now() % CLOCK_MODULUS;
    const number = this.firstNumber + index;
    paint(plane, this.width, this.height, { number, clock, flash: index % this.fps < FLASH_FRAMES });
    return plane;
  }

  /** @param {number} from @param {number} count */
  #sound(from, count) {
    const pcm = synthesize({ tone: this.tone, rate: this.rate, channels: this.channels, from, count, loudness: this.loudness });
    return new Uint8Array(pcm.buffer);
  }

  /** Ends both inputs, so that the encoder finishes and says goodbye. */
  stop() {
    clearInterval(this.timer);
    for (const sink of this.sinks ?? []) sink?.end();
  }
}

/** A source with the process that publishes it. */
export class Publisher {
  /** @param {import('./scope.mjs').Scope} scope @param {Source} source @param {import('./scope.mjs').Child} child */
  constructor(scope, source, child) {
    this.source = source;
    this.child = child;
    scope.defer(() => clearInterval(source.timer));
    let ready = false;
    child.lineListeners.push((line) => (ready ||= line.startsWith('Output #0')));
    source.start(source.video ? child.writer(0) : undefined, source.audio ? child.writer(3) : undefined, () => ready);
  }

  /** Ends the stream as a client does that says goodbye. */
  async stop() {
    this.source.stop();
    const timer = setTimeout(() => this.child.process.kill('SIGKILL'), 5000);
    const exit = await this.child.exited;
    clearTimeout(timer);
    return exit;
  }
}

/** @type {('pipe' | 'ignore')[]} */
const PIPES = ['pipe', 'ignore', 'pipe', 'pipe'];

/** Everything about the raw inputs is said, so nothing need be read ahead to find it out. */
const UNPROBED = ['-probesize', '32', '-analyzeduration', '0', '-thread_queue_size', '256'];

/** @param {Source} s */
function ffmpegInputs(s) {
  const args = ['-hide_banner', '-nostats', '-loglevel', 'info'];
  if (s.video) {
    args.push('-f', 'rawvideo', '-pix_fmt', 'gray', '-video_size', `${s.width}x${s.height}`);
    args.push('-framerate', String(s.fps), ...UNPROBED, '-i', 'pipe:0');
  }
  if (s.audio) {
    args.push('-f', 's16le', '-ar', String(s.rate), '-ac', String(s.channels));
    args.push(...UNPROBED, '-i', 'pipe:3');
  }
  return args;
}

/**
 * @typedef {object} EncoderOptions
 * @property {'baseline' | 'main' | 'high'} [profile]
 * @property {number} [gop] frames from one keyframe to the next
 * @property {number} [bframes] consecutive B-frames that nothing refers to
 * @property {string[]} [videoCodec] replaces the H.264 encoder's arguments
 * @property {string[]} [audioCodec] replaces the AAC encoder's arguments
 * @property {string} [ffmpeg] path of another ffmpeg
 */

/** @param {EncoderOptions} options */
function h264Arguments({ profile = 'baseline', gop = 30, bframes = 0 }) {
  const args = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-profile:v', profile, '-preset', 'veryfast'];
  args.push('-tune', 'zerolatency', '-refs', '1', '-g', String(gop), '-keyint_min', String(gop));
  args.push('-sc_threshold', '0', '-b:v', '600k', '-maxrate', '600k', '-bufsize', '600k');
  args.push('-bf', String(bframes), '-threads', '1');
  if (bframes > 0) args.push('-x264-params', 'b-pyramid=none:b-adapt=0');
  return args;
}

/**
 * Publishes by RTMP with ffmpeg, as a mini-program's pusher does.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} url
 * @param {SourceOptions & EncoderOptions} [options]
 */
export function pushRtmp(scope, url, options = {}) {
  return pushFlv(scope, ['-rtmp_live', 'live', '-f', 'flv', url], PIPES, options);
}

/**
 * Encodes as {@link pushRtmp} does, and writes the FLV to standard output.
 * @param {import('./scope.mjs').Scope} scope
 * @param {SourceOptions & EncoderOptions} [options]
 */
export function encodeFlv(scope, options = {}) {
  return pushFlv(scope, ['-f', 'flv', 'pipe:1'], ['pipe', 'pipe', 'pipe', 'pipe'], options);
}

/**
 * @param {import('./scope.mjs').Scope} scope @param {string[]} output @param {('pipe' | 'ignore')[]} stdio
 * @param {SourceOptions & EncoderOptions} options
 */
function pushFlv(scope, output, stdio, options) {
  const source = new Source(options);
  const args = ffmpegInputs(source);
  if (source.video) args.push(...(options.videoCodec ?? h264Arguments(options)));
  if (source.audio) args.push(...(options.audioCodec ?? ['-c:a', 'aac', '-b:a', '48k']));
  args.push('-flush_packets', '1', '-flvflags', 'no_duration_filesize', ...output);
  return new Publisher(scope, source, scope.spawn(options.ffmpeg ?? 'ffmpeg', args, { stdio }));
}

/**
 * Publishes by WHIP with ffmpeg 9.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} url
 * @param {SourceOptions & EncoderOptions} [options]
 */
export function pushFfmpegWhip(scope, url, options = {}) {
  const source = new Source({ channels: 2, ...options });
  const args = [...ffmpegInputs(source), ...h264Arguments(options)];
  args.push('-c:a', 'libopus', '-ar', '48000', '-ac', '2', '-b:a', '64k', '-f', 'whip', url);
  return new Publisher(scope, source, scope.spawn(tools().ffmpegWhip, args, { stdio: PIPES }));
}
