/**
 * From tags to screen and speaker: the buffer and the decoders behind it, from the first tag until it is closed.
 */
import { AudioDecoder, rateOfConfig, VideoDecoder } from './decoders.js';
import { contentOf, TAG } from './flv.js';
import { PlayBuffer } from './play-buffer.js';

/** @typedef {import('./decoders.js').Picture} Picture @typedef {import('./decoders.js').SoundTime} SoundTime */

/**
 * @typedef {object} PlaybackEvents
 * @property {(picture: Picture) => void} picture
 * @property {(samples: Buffer, time: SoundTime) => void} sound
 * @property {() => void} dry the buffer has run out
 * @property {(code: 2101 | 2102) => void} undecodable a decoder of pictures, or of sound, ended by itself
 */

/** Plays one connection's stream. */
export class Playback {
  #ffmpeg;
  #events;
  #now;
  #buffer;
  /** @type {VideoDecoder | null} */
  #video = null;
  /** @type {AudioDecoder | null} */
  #audio = null;
  /** Whether the decoder has not had a picture yet that needs no other. */
  #wantsKeyframe = true;
  #closed = false;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {Promise<void>[]} */
  #leaving = [];

  /**
   * @param {object} options
   * @param {string} options.ffmpeg
   * @param {{ minMs: number, maxMs: number }} options.bounds of the buffer
   * @param {() => number} options.now milliseconds, never backwards
   * @param {PlaybackEvents} options.events
   */
  constructor({ ffmpeg, bounds, now, events }) {
    this.#ffmpeg = ffmpeg;
    this.#events = events;
    this.#now = now;
    this.#buffer = new PlayBuffer(bounds);
  }

  /** @param {{ minMs: number, maxMs: number }} bounds */
  bounds(bounds) {
    this.#buffer.bounds(bounds);
  }

  /** What is in it, in the words of netstatus. */
  figures() {
    const held = this.#buffer.held();
    const inside = this.#video?.inside ?? 0;
    return {
      videoCache: Math.round(held.video),
      audioCache: Math.round(held.audio),
      vDecCacheSize: inside,
      vSumCacheSize: this.#buffer.count().video + inside,
      avRecvInterval: Math.round(this.#buffer.skew),
      audioCacheThreshold: Math.round(this.#buffer.thresholdMs),
    };
  }

  /** @param {import('./play-buffer.js').BufferedTag} tag that has just come */
  push(tag) {
    if (!this.#closed) this.#buffer.push(tag, this.#now());
  }

  /** Gives the decoders what is due, and comes back when more will be. */
  play() {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const now = this.#now();
    const { tags, dry } = this.#buffer.due(now);
    for (const tag of tags) {
      if (tag.kind === 'video') this.#decodeVideo(tag);
      else this.#decodeAudio(tag);
    }
    if (dry) this.#events.dry();
    const at = this.#buffer.deadline(now);
    if (at !== null) this.#timer = setTimeout(() => this.play(), Math.max(1, Math.ceil(at - now)));
  }

  /** Resolves when no process is left. */
  async close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#video) this.#leaving.push(this.#video.kill());
    if (this.#audio) this.#leaving.push(this.#audio.kill());
    this.#video = null;
    this.#audio = null;
    await Promise.all(this.#leaving);
  }

  /** @param {import('./play-buffer.js').BufferedTag} tag */
  #decodeVideo(tag) {
    if (!this.#video) {
      if (!tag.config) return;
      this.#wantsKeyframe = true;
      /** @type {VideoDecoder} */
      const decoder = new VideoDecoder(this.#ffmpeg, {
        onPicture: (picture) => {
          if (decoder === this.#video) this.#events.picture(picture);
        },
        onEnd: () => this.#onDecoderEnd(decoder, 2101),
      });
      this.#video = decoder;
    }
    if (!tag.config && this.#wantsKeyframe && !tag.keyframe) return;
    if (!tag.config) this.#wantsKeyframe = false;
    this.#video.feed(tag);
  }

  /** @param {import('./play-buffer.js').BufferedTag} tag */
  #decodeAudio(tag) {
    if (tag.config) {
      const rate = rateOfConfig(contentOf({ type: TAG.AUDIO, data: tag.data }).payload);
      if (this.#audio?.rate === rate) return;
      if (this.#audio) this.#leaving.push(this.#audio.kill());
      /** @type {AudioDecoder} */
      const decoder = new AudioDecoder(this.#ffmpeg, rate, {
        onSound: (samples, time) => {
          if (decoder === this.#audio) this.#events.sound(samples, time);
        },
        onEnd: () => this.#onDecoderEnd(decoder, 2102),
      });
      this.#audio = decoder;
    }
    this.#audio?.feed(tag);
  }

  /** @param {VideoDecoder | AudioDecoder} decoder @param {2101 | 2102} code */
  #onDecoderEnd(decoder, code) {
    if (decoder === this.#video) this.#video = null;
    else if (decoder === this.#audio) this.#audio = null;
    else return;
    if (!this.#closed) this.#events.undecodable(code);
  }
}
