import { invalid } from './errors.js';
import { LocalTrack } from './local-track.js';
import { AudioPlayer } from './playback.js';
import { Gain, LevelMeter } from './volume.js';

/** The volume at which sound is left as it is. */
const UNCHANGED = 100;
const MAX_VOLUME = 1000;

/** A microphone, the sound of a shared screen, or a track of the page's own. */
export class LocalAudioTrack extends LocalTrack {
  #encoding;
  #volume = UNCHANGED;
  /** @type {Gain | null} */
  #gain = null;
  /** @type {LevelMeter | null} */
  #meter = null;
  /** @type {AudioPlayer | null} */
  #player = null;

  /** @param {import('./local-track.js').LocalTrackOptions & { encoding: import('./peer-session.js').Encoding }} options */
  constructor(options) {
    super(options);
    this.#encoding = options.encoding;
  }

  /** @returns {import('./peer-session.js').Encoding} @override */
  get encoding() {
    return this.#encoding;
  }

  /** @returns {MediaStreamTrack | null} @override */
  get output() {
    return super.output === null ? null : this.#gain?.track ?? super.output;
  }

  get isPlaying() {
    return this.#player !== null;
  }

  /** @param {number} volume 0 to 1000; 100 leaves the sound as it is */
  setVolume(volume) {
    if (!(volume >= 0 && volume <= MAX_VOLUME)) throw invalid('volume', `the volume is 0 to ${MAX_VOLUME}`);
    this.#volume = volume;
    if (this.#gain === null && volume === UNCHANGED) return;
    if (this.#gain !== null) return this.#gain.setFactor(volume / UNCHANGED);
    this.#amplify();
    if (this.output !== null) this.#player?.replace(this.output);
    void this.updated().catch(() => {});
  }

  /** @returns {number} 0 to 1; above 0.6 somebody speaks */
  getVolumeLevel() {
    if (this.output === null || this.muted) return 0;
    this.#meter ??= new LevelMeter(this.output);
    return this.#meter.read();
  }

  /** @param {string} deviceId */
  setDevice(deviceId) {
    return this.exclusively(() => this.change({ deviceId }));
  }

  /** One's own voice, for a test of the microphone. */
  play() {
    if (this.#player === null && this.output !== null) this.#player = new AudioPlayer(this.output, { volume: 1, sinkId: '' });
  }

  /** @override */
  stop() {
    this.#player?.stop();
    this.#player = null;
  }

  /** For clients that leave: measures nothing any longer. */
  releaseMeter() {
    this.#meter?.release();
  }

  /** @override */
  close() {
    super.close();
    this.#closeGraph();
  }

  /** @param {MediaStreamTrack} _track @override */
  replaced(_track) {
    this.#closeGraph();
    if (this.#volume !== UNCHANGED) this.#amplify();
    if (this.output !== null) this.#player?.replace(this.output);
  }

  #amplify() {
    this.releaseMeter();
    this.#meter = null;
    this.#gain = new Gain(this.getMediaStreamTrack(), this.#volume / UNCHANGED);
  }

  #closeGraph() {
    this.releaseMeter();
    this.#meter = null;
    this.#gain?.close();
    this.#gain = null;
  }
}
