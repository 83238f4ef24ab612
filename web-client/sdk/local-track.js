import { Emitter } from '../core/emitter.js';
import { sdkError } from './errors.js';

/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').Kind} Kind */

/**
 * @typedef {object} LocalTrackEvents
 * @property {[]} track-ended the device is gone, or its user stopped sharing
 * @property {[track: MediaStreamTrack]} track-updated another one has taken its place
 */

/**
 * Where a track is published.
 *
 * @typedef {object} Sink
 * @property {() => Promise<void>} changed what is sent, or how, is different now
 * @property {(silent: boolean) => Promise<void>} silenced others get nothing of it, or get it again
 * @property {() => object} figures its statistics
 */

/**
 * @typedef {object} LocalTrackOptions
 * @property {MediaStreamTrack} mediaStreamTrack
 * @property {StreamName} stream what it is published as
 * @property {((change?: object) => Promise<MediaStreamTrack>) | null} reopen opens the device again; null for a track
 *   that cannot be had again, which is kept while it is disabled
 */

/** How many tracks the page has made. */
let made = 0;

/**
 * A track of one's own. Muted it keeps its device, disabled it lets go of it; others get nothing of it either way.
 *
 * @extends {Emitter<LocalTrackEvents>}
 */
export class LocalTrack extends Emitter {
  /** @type {StreamName} */
  stream;
  #id;
  #track;
  #reopen;
  #muted = false;
  #enabled = true;
  #closed = false;
  /** What is to be different when the device is opened again. @type {object} */
  #change = {};
  /** @type {Set<Sink>} */
  #sinks = new Set();
  /** One change after the other. @type {Promise<unknown>} */
  #last = Promise.resolve();
  #ended = () => this.emit('track-ended');

  /** @param {LocalTrackOptions} options */
  constructor({ mediaStreamTrack, stream, reopen }) {
    super();
    made += 1;
    this.#id = `local-${mediaStreamTrack.kind}-${made}`;
    this.stream = stream;
    this.#track = mediaStreamTrack;
    this.#reopen = reopen;
    mediaStreamTrack.addEventListener('ended', this.#ended);
  }

  /** @returns {Kind} */
  get trackMediaType() {
    return this.#track.kind === 'audio' ? 'audio' : 'video';
  }

  get muted() {
    return this.#muted;
  }

  get enabled() {
    return this.#enabled;
  }

  get closed() {
    return this.#closed;
  }

  /** Whether others get nothing of it. */
  get silent() {
    return this.#muted || !this.#enabled;
  }

  /** What is sent. @returns {MediaStreamTrack | null} */
  get output() {
    return this.#enabled && !this.#closed ? this.#track : null;
  }

  /** How it is sent. @returns {import('./peer-session.js').Encoding} */
  get encoding() {
    return {};
  }

  /** In how many sizes it is sent at once. */
  get layers() {
    return 1;
  }

  getTrackId() {
    return this.#id;
  }

  getTrackLabel() {
    return this.#track.label;
  }

  getMediaStreamTrack() {
    return this.#track;
  }

  /**
   * Keeps the device and sends nothing of it.
   *
   * @param {boolean} muted
   */
  setMuted(muted) {
    return this.exclusively(async () => {
      if (this.#muted === muted) return;
      if (muted) {
        this.#muted = true;
        this.#track.enabled = false;
        await this.#silence();
      } else {
        // The server may refuse: an admin can hold a track back.
        if (this.#enabled) await this.#silence(false);
        this.#muted = false;
        this.#track.enabled = this.#enabled;
      }
    });
  }

  /**
   * Disabled it lets go of its device.
   *
   * @param {boolean} enabled
   */
  setEnabled(enabled) {
    return this.exclusively(() => (enabled ? this.#enable() : this.#disable()));
  }

  /** Lets go of the device for good. What is published of it goes silent; unpublish it as well. */
  close() {
    if (this.#closed) return;
    this.stop();
    this.#closed = true;
    this.#release(this.#track);
    for (const sink of this.#sinks) void sink.changed().catch(() => {});
  }

  /** Ends showing or playing it here. */
  stop() {}

  /** @returns {object} empty while it is not published */
  getStats() {
    for (const sink of this.#sinks) return sink.figures();
    return {};
  }

  /** For clients. @param {Sink} sink */
  attach(sink) {
    this.#sinks.add(sink);
  }

  /** For clients. @param {Sink} sink */
  detach(sink) {
    this.#sinks.delete(sink);
  }

  /**
   * For what belongs to a kind of track: one change after the other.
   *
   * @template T
   * @param {() => Promise<T>} change
   * @returns {Promise<T>}
   */
  exclusively(change) {
    const result = this.#last.then(() => {
      if (this.#closed) throw sdkError('INVALID_OPERATION', 'track_closed', 'the track is closed');
      return change();
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Opens the device again, with something different. A device that cannot be opened twice is let go of before.
   *
   * @param {object} change
   */
  async change(change) {
    if (this.#reopen === null) throw sdkError('INVALID_OPERATION', 'invalid_params', 'the track has no device of its own');
    if (!this.#enabled) return void (this.#change = change);
    this.#release(this.#track);
    let fresh;
    try {
      fresh = await this.#reopen(change);
    } catch (cause) {
      await this.#reopen().then((before) => this.put(before, false), () => this.emit('track-ended'));
      throw cause;
    }
    await this.put(fresh, false);
  }

  /**
   * Another one takes its place.
   *
   * @param {MediaStreamTrack} track
   * @param {boolean} stopOld
   */
  async put(track, stopOld) {
    const before = this.#track;
    if (this.#closed) return void track.stop();
    if (stopOld) this.#release(before);
    else before.removeEventListener('ended', this.#ended);
    this.#track = track;
    track.enabled = this.#enabled && !this.#muted;
    track.addEventListener('ended', this.#ended);
    this.replaced(track);
    this.emit('track-updated', track);
    await this.updated();
  }

  /** For what belongs to a kind of track. @param {MediaStreamTrack} _track */
  replaced(_track) {}

  /** Tells where it is published that it is sent otherwise. */
  async updated() {
    await Promise.all([...this.#sinks].map((sink) => sink.changed()));
  }

  async #enable() {
    if (this.#enabled) return;
    if (this.#reopen !== null) {
      const fresh = await this.#reopen(this.#change);
      this.#change = {};
      if (this.#closed) return fresh.stop();
      this.#enabled = true;
      await this.put(fresh, false);
    } else {
      this.#enabled = true;
      this.#track.enabled = !this.#muted;
      await this.updated();
    }
    if (!this.#muted) await this.#silence(false);
  }

  async #disable() {
    if (!this.#enabled) return;
    this.#enabled = false;
    this.#track.enabled = false;
    await this.updated();
    if (this.#reopen !== null) this.#release(this.#track);
    await this.#silence();
  }

  async #silence(silent = true) {
    await Promise.all([...this.#sinks].map((sink) => sink.silenced(silent)));
  }

  /** @param {MediaStreamTrack} track */
  #release(track) {
    track.removeEventListener('ended', this.#ended);
    track.stop();
  }
}
