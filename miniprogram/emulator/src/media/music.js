/**
 * Background music of a pusher: the methods of its context, and the events that they cause.
 */
import { Mixer } from './mixer.js';
import { Ffmpeg } from './process.js';

/** Music that has not been decoded by then is not going to be, in milliseconds. */
const DECODE_MS = 20_000;
/** What is decoded of a piece, in seconds: half an hour, which is 170 MB. */
const MAX_SECONDS = 1800;

/**
 * Decodes sound.
 * @param {string} ffmpeg @param {string} path @param {number} rate samples per second
 * @returns {Promise<Int16Array>} one channel
 */
async function decodeSound(ffmpeg, path, rate) {
  /** @type {Buffer[]} */
  const chunks = [];
  const args = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-i', path, '-vn', '-t', String(MAX_SECONDS)];
  const child = new Ffmpeg(ffmpeg, [...args, '-ac', '1', '-ar', String(rate), '-f', 's16le', 'pipe:1'], {
    onData: (chunk) => chunks.push(chunk),
  });
  const timer = setTimeout(() => child.kill(), DECODE_MS);
  await child.exited;
  clearTimeout(timer);
  const bytes = Buffer.concat(chunks);
  const samples = Int16Array.from({ length: Math.floor(bytes.length / 2) }, (_, i) => bytes.readInt16LE(i * 2));
  if (samples.length === 0) throw new Error('the music cannot be decoded');
  return samples;
}

/** @param {unknown} volume */
function checked(volume) {
  if (typeof volume !== 'number' || !(volume >= 0 && volume <= 1)) throw new Error('volume is 0 to 1');
  return volume;
}

/** Goes with its pusher. */
export class Music {
  mixer;
  #host;
  #report;
  /** Counts pieces, so that one that was loaded too late is not played. */
  #piece = 0;

  /** @param {import('./host.js').MediaHost} host @param {import('./host.js').Reporter} report */
  constructor(host, report) {
    this.#host = host;
    this.#report = report;
    this.mixer = new Mixer(host.device.camera.rate, {
      progress: (progress, duration) => report.event('bgmprogress', { progress, duration }),
      complete: () => report.event('bgmcomplete', {}),
    });
  }

  /** Nothing that is still being loaded will be played. */
  stop() {
    this.#piece += 1;
    this.mixer.stop();
  }

  /** @type {Record<string, (options: Record<string, unknown>) => object | void | Promise<object | void>>} */
  methods = {
    playBGM: ({ url }) => this.#play(url),
    pauseBGM: () => this.mixer.pause(),
    resumeBGM: () => this.mixer.resume(),
    stopBGM: () => this.stop(),
    setBGMVolume: ({ volume }) => this.mixer.volume('music', checked(volume)),
    setMICVolume: ({ volume }) => this.mixer.volume('microphone', checked(volume)),
  };

  /** @param {unknown} url */
  async #play(url) {
    this.stop();
    const piece = this.#piece;
    try {
      if (typeof url !== 'string' || url === '') throw new Error('url is missing');
      const { ffmpeg, device } = this.#host;
      const samples = await decodeSound(ffmpeg, await this.#host.resolveFile(url), device.camera.rate);
      if (piece !== this.#piece) return;
      this.mixer.play(samples);
      this.#report.event('bgmstart', {});
    } catch (error) {
      this.#report.error(10003);
      throw error;
    }
  }
}
