import { videoConfig, videoConstraints, videoEncoding } from './encoder-config.js';
import { layersFor } from './layers.js';
import { LocalTrack } from './local-track.js';
import { VideoPlayer } from './playback.js';

/**
 * @typedef {object} VideoOptions
 * @property {import('./encoder-config.js').VideoEncoderConfiguration} encoderConfig
 * @property {'motion' | 'detail' | 'balanced'} optimizationMode
 * @property {import('./playback.js').VideoPlayerConfig} player how it is shown unless said otherwise
 * @property {number} [layers] in how many sizes, 1 to 3, it is sent at once; by its own size if absent
 */

/** A camera, a shared screen, or a track of the page's own. */
export class LocalVideoTrack extends LocalTrack {
  #encoderConfig;
  #optimizationMode;
  #playerDefaults;
  #layers;
  /** @type {VideoPlayer | null} */
  #player = null;

  /** @param {import('./local-track.js').LocalTrackOptions & VideoOptions} options */
  constructor(options) {
    super(options);
    this.#encoderConfig = options.encoderConfig;
    this.#optimizationMode = options.optimizationMode;
    this.#playerDefaults = options.player;
    this.#layers = options.layers;
  }

  /** @returns {import('./peer-session.js').Encoding} @override */
  get encoding() {
    return videoEncoding(this.#encoderConfig, this.#optimizationMode);
  }

  /** @override */
  get layers() {
    if (this.#layers !== undefined) return this.#layers;
    const { width = 0, height = 0 } = this.getMediaStreamTrack().getSettings();
    return layersFor(width, height);
  }

  get isPlaying() {
    return this.#player !== null;
  }

  /**
   * @param {string | HTMLElement} element a `<video>`, or something for one to be put into
   * @param {import('./playback.js').VideoPlayerConfig} [config]
   */
  play(element, config = {}) {
    this.stop();
    this.#player = new VideoPlayer(this.getMediaStreamTrack(), element, { ...this.#playerDefaults, ...config }, () => {});
  }

  /** @override */
  stop() {
    this.#player?.stop();
    this.#player = null;
  }

  /** @param {string | import('./encoder-config.js').VideoEncoderConfiguration} config a preset such as `720p_1`, or what is different */
  setEncoderConfiguration(config) {
    return this.exclusively(async () => {
      const next = { ...this.#encoderConfig, ...videoConfig(config) };
      if (this.enabled) await this.getMediaStreamTrack().applyConstraints(videoConstraints(next));
      this.#encoderConfig = next;
      await this.updated();
    });
  }

  /** For who opens the device. */
  get encoderConfig() {
    return this.#encoderConfig;
  }

  /** @param {string} deviceId */
  setDevice(deviceId) {
    return this.exclusively(() => this.change({ deviceId }));
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {boolean} [stopOld]
   */
  replaceTrack(track, stopOld = false) {
    return this.exclusively(() => this.put(track, stopOld));
  }

  /** @param {MediaStreamTrack} track @override */
  replaced(track) {
    this.#player?.replace(track);
  }
}
