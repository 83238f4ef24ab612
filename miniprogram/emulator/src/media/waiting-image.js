/**
 * The picture that a pusher sends while its camera is covered.
 */
import { black } from './camera.js';
import { Ffmpeg } from './process.js';

/** An image that has not been decoded by then is not going to be, in milliseconds. */
const DECODE_MS = 10_000;

/**
 * Decodes an image.
 * @param {string} ffmpeg @param {string} path @param {number} width @param {number} height
 * @returns {Promise<Uint8Array>} 8-bit grey, fitted into the size
 */
export async function decodeImage(ffmpeg, path, width, height) {
  /** @type {Buffer[]} */
  const chunks = [];
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1,format=gray`;
  const args = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-i', path, '-frames:v', '1', '-vf', fit];
  const child = new Ffmpeg(ffmpeg, [...args, '-f', 'rawvideo', 'pipe:1'], {
    onData: (chunk) => chunks.push(chunk),
  });
  const timer = setTimeout(() => child.kill(), DECODE_MS);
  await child.exited;
  clearTimeout(timer);
  const plane = Buffer.concat(chunks);
  if (plane.length !== width * height) throw new Error('the image cannot be decoded');
  return plane;
}

/** Keeps the image of one pusher at hand, in the size that is being sent. */
export class WaitingImage {
  #key = '';
  /** @type {Uint8Array | null} */
  #plane = null;
  #load;
  #onChange;

  /**
   * @param {(path: string, width: number, height: number) => Promise<Uint8Array>} load
   * @param {(failed: boolean) => void} onChange it has been loaded, or could not be
   */
  constructor(load, onChange) {
    this.#load = load;
    this.#onChange = onChange;
  }

  /**
   * The picture as far as it is there; black until then, and without one.
   * @param {string} path empty for none
   * @param {{ width: number, height: number }} size
   */
  plane(path, { width, height }) {
    const key = `${width}x${height} ${path}`;
    if (key !== this.#key) {
      this.#key = key;
      this.#plane = black(width, height);
      if (path) void this.#fetch(key, path, width, height);
    }
    return this.#plane ?? black(width, height);
  }

  /** @param {string} key @param {string} path @param {number} width @param {number} height */
  async #fetch(key, path, width, height) {
    const plane = await this.#load(path, width, height).catch(() => null);
    if (key !== this.#key) return;
    if (plane) this.#plane = plane;
    this.#onChange(plane === null);
  }
}
