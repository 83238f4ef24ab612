/**
 * What becomes of the microphone's sound before it is encoded: volumes, and background music on top.
 */

/** A volume above this is not louder. */
const MAX_VOLUME = 1;
const FULL_SCALE = 32_767;

/**
 * @typedef {object} MusicEvents
 * @property {(progressMs: number, durationMs: number) => void} progress once a second of music
 * @property {() => void} complete it has been played to its end
 */

/** Mixes in the rhythm of the samples that are asked for. */
export class Mixer {
  #rate;
  #events;
  /** @type {Int16Array | null} */
  #music = null;
  #position = 0;
  #playing = false;
  #microphone = 1;
  #volume = 1;

  /** @param {number} rate samples per second of everything @param {MusicEvents} events */
  constructor(rate, events) {
    this.#rate = rate;
    this.#events = events;
  }

  /** @param {Int16Array} music of one channel; it takes the place of what was playing */
  play(music) {
    this.#music = music;
    this.#position = 0;
    this.#playing = true;
  }

  pause() {
    this.#playing = false;
  }

  resume() {
    this.#playing = this.#music !== null;
  }

  stop() {
    this.#music = null;
    this.#playing = false;
  }

  /**
   * @param {'microphone' | 'music'} which
   * @param {number} volume 0 to 1
   */
  volume(which, volume) {
    const value = Math.min(MAX_VOLUME, Math.max(0, volume));
    if (which === 'microphone') this.#microphone = value;
    else this.#volume = value;
  }

  /**
   * @param {Int16Array} samples of the microphone, interleaved
   * @param {number} channels
   * @returns {Int16Array}
   */
  mix(samples, channels) {
    const music = this.#playing ? this.#music : null;
    if (!music && this.#microphone === 1) return samples;
    const out = new Int16Array(samples.length);
    for (let i = 0; i < samples.length; i += 1) {
      const note = music?.[this.#position + Math.floor(i / channels)] ?? 0;
      const value = (samples[i] ?? 0) * this.#microphone + note * this.#volume;
      out[i] = Math.max(-FULL_SCALE, Math.min(FULL_SCALE, Math.round(value)));
    }
    if (music) this.#advance(music, samples.length / channels);
    return out;
  }

  /** @param {Int16Array} music @param {number} count */
  #advance(music, count) {
    const before = this.#position;
    this.#position = Math.min(music.length, before + count);
    const ms = (/** @type {number} */ samples) => Math.round((samples * 1000) / this.#rate);
    if (Math.floor(this.#position / this.#rate) > Math.floor(before / this.#rate)) {
      this.#events.progress(ms(this.#position), ms(music.length));
    }
    if (this.#position < music.length) return;
    this.stop();
    this.#events.complete();
  }
}
