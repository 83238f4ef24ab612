import { start } from './autoplay.js';
import { invalid } from './errors.js';

/**
 * @typedef {object} VideoPlayerConfig
 * @property {boolean} [mirror]
 * @property {'cover' | 'contain' | 'fill'} [fit]
 */

/**
 * @param {string | HTMLElement} elementOrId
 * @returns {HTMLElement}
 */
function elementOf(elementOrId) {
  const element = typeof elementOrId === 'string' ? document.getElementById(elementOrId) : elementOrId;
  if (element === null) throw invalid('element', `there is no element with the id ${elementOrId}`);
  return element;
}

/** Shows a track in an element of the page. A container gets a `<video>` that fills it; a `<video>` is used as it is. */
export class VideoPlayer {
  #video;
  #owned;
  #stopAttempts;

  /**
   * @param {MediaStreamTrack} track
   * @param {string | HTMLElement} elementOrId
   * @param {VideoPlayerConfig} config
   * @param {() => void} firstFrame
   */
  constructor(track, elementOrId, { mirror = false, fit = 'cover' }, firstFrame) {
    const element = elementOf(elementOrId);
    this.#owned = !(element instanceof HTMLVideoElement);
    this.#video = element instanceof HTMLVideoElement ? element : document.createElement('video');
    const video = this.#video;
    // Sound plays elsewhere; a silent element may start without a gesture.
    video.muted = true;
    video.autoplay = true;
    video.playsInline = true;
    video.disablePictureInPicture = false;
    Object.assign(video.style, { objectFit: fit, transform: mirror ? 'scaleX(-1)' : '' });
    if (this.#owned) {
      Object.assign(video.style, { width: '100%', height: '100%', display: 'block' });
      element.append(video);
    }
    video.addEventListener('loadeddata', firstFrame, { once: true });
    video.srcObject = new MediaStream([track]);
    this.#stopAttempts = start(video);
  }

  /** @param {MediaStreamTrack} track */
  replace(track) {
    this.#stopAttempts();
    this.#video.srcObject = new MediaStream([track]);
    this.#stopAttempts = start(this.#video);
  }

  stop() {
    this.#stopAttempts();
    this.#video.srcObject = null;
    if (this.#owned) this.#video.remove();
  }
}

/** Plays the sound of a track, outside of the page. */
export class AudioPlayer {
  #audio = new Audio();
  #stopAttempts;

  /**
   * @param {MediaStreamTrack} track
   * @param {{ volume: number, sinkId: string }} options volume 0 to 1
   */
  constructor(track, { volume, sinkId }) {
    this.#audio.autoplay = true;
    this.#audio.volume = volume;
    this.#audio.srcObject = new MediaStream([track]);
    if (sinkId !== '') void this.setSink(sinkId).catch(() => {});
    this.#stopAttempts = start(this.#audio);
  }

  /** @param {MediaStreamTrack} track */
  replace(track) {
    this.#stopAttempts();
    this.#audio.srcObject = new MediaStream([track]);
    this.#stopAttempts = start(this.#audio);
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.#audio.volume = volume;
  }

  /** @param {string} sinkId */
  async setSink(sinkId) {
    await this.#audio.setSinkId(sinkId);
  }

  stop() {
    this.#stopAttempts();
    this.#audio.pause();
    this.#audio.srcObject = null;
  }
}
