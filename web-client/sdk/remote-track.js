import { Emitter } from '../core/emitter.js';
import { invalid } from './errors.js';
import { AudioPlayer, VideoPlayer } from './playback.js';
import { loudness } from './volume.js';

/**
 * @typedef {object} RemoteTrackEvents
 * @property {[]} track-ended nothing more will come of it
 * @property {[track: MediaStreamTrack]} track-updated after a reconnection another one has taken its place
 * @property {[]} first-frame-decoded pictures only, while they are played
 */

/**
 * @typedef {object} RemoteTrackOptions
 * @property {import('../core/protocol.js').Uid} uid
 * @property {import('./media-types.js').MediaType} mediaType
 * @property {MediaStreamTrack} mediaStreamTrack
 * @property {() => object} figures its statistics
 */

/** Somebody's track. The same object for as long as it is subscribed to. @extends {Emitter<RemoteTrackEvents>} */
export class RemoteTrack extends Emitter {
  #uid;
  #mediaType;
  #track;
  #figures;

  /** @param {RemoteTrackOptions} options */
  constructor({ uid, mediaType, mediaStreamTrack, figures }) {
    super();
    this.#uid = uid;
    this.#mediaType = mediaType;
    this.#track = mediaStreamTrack;
    this.#figures = figures;
  }

  /** @returns {'audio' | 'video'} */
  get trackMediaType() {
    return this.#track.kind === 'audio' ? 'audio' : 'video';
  }

  getUserId() {
    return this.#uid;
  }

  getTrackId() {
    return `remote-${this.#uid}-${this.#mediaType}`;
  }

  getMediaStreamTrack() {
    return this.#track;
  }

  getStats() {
    return this.#figures();
  }

  stop() {}

  /** For clients. @param {MediaStreamTrack} track */
  replace(track) {
    if (track === this.#track) return;
    this.#track = track;
    this.replaced(track);
    this.emit('track-updated', track);
  }

  /** For clients: nothing more will come. */
  end() {
    this.stop();
    this.emit('track-ended');
  }

  /** @param {MediaStreamTrack} _track */
  replaced(_track) {}
}

/** Somebody's pictures. */
export class RemoteVideoTrack extends RemoteTrack {
  /** @type {VideoPlayer | null} */
  #player = null;
  #seen = false;

  get isPlaying() {
    return this.#player !== null;
  }

  /**
   * @param {string | HTMLElement} element a `<video>`, or something for one to be put into
   * @param {import('./playback.js').VideoPlayerConfig} [config]
   */
  play(element, config = {}) {
    this.stop();
    this.#player = new VideoPlayer(this.getMediaStreamTrack(), element, config, () => {
      if (this.#seen) return;
      this.#seen = true;
      this.emit('first-frame-decoded');
    });
  }

  /** @override */
  stop() {
    this.#player?.stop();
    this.#player = null;
  }

  /** @param {MediaStreamTrack} track @override */
  replaced(track) {
    this.#player?.replace(track);
  }
}

/** Somebody's sound. */
export class RemoteAudioTrack extends RemoteTrack {
  #volume = 100;
  #sinkId = '';
  #level;
  /** @type {AudioPlayer | null} */
  #player = null;

  /** @param {RemoteTrackOptions & { amplitude: () => number | undefined }} options amplitude 0 to 1, as received */
  constructor(options) {
    super(options);
    this.#level = options.amplitude;
  }

  get isPlaying() {
    return this.#player !== null;
  }

  play() {
    this.#player ??= new AudioPlayer(this.getMediaStreamTrack(), { volume: this.#volume / 100, sinkId: this.#sinkId });
  }

  /** @override */
  stop() {
    this.#player?.stop();
    this.#player = null;
  }

  /** @param {number} volume 0 to 100 */
  setVolume(volume) {
    if (!(volume >= 0)) throw invalid('volume', 'the volume is 0 to 100');
    // Agora's SDK takes more as well; a media element goes no further.
    this.#volume = Math.min(volume, 100);
    this.#player?.setVolume(this.#volume / 100);
  }

  /** @returns {number} 0 to 1; above 0.6 somebody speaks */
  getVolumeLevel() {
    return loudness(this.#level() ?? 0);
  }

  /** @param {string} deviceId */
  async setPlaybackDevice(deviceId) {
    await this.#player?.setSink(deviceId);
    this.#sinkId = deviceId;
  }

  /** @param {MediaStreamTrack} track @override */
  replaced(track) {
    this.#player?.replace(track);
  }
}
