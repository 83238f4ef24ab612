import { RtcError } from '../core/errors.js';
import { requireH264, supportedCodecs } from './codecs.js';
import { withLimits } from './encoder-config.js';
import { invalid, sdkError } from './errors.js';
import { LocalTrack } from './local-track.js';
import { mediaTypeOf } from './media-types.js';
import { sectionKey } from './sections.js';

/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').Kind} Kind */
/** @typedef {import('./local-audio-track.js').LocalAudioTrack | import('./local-video-track.js').LocalVideoTrack} AnyLocalTrack */
/** @typedef {import('./media-types.js').MediaType} MediaType */

/**
 * @typedef {object} Slot
 * @property {AnyLocalTrack} track
 * @property {import('./local-track.js').Sink} sink
 * @property {number} layers that the server was told
 */

/** What this participant publishes: up to one track of each media type. */
export class Publisher {
  #core;
  #sections;
  #refresh;
  #figures;
  #limits;
  /** @type {Map<MediaType, Slot>} */
  #slots = new Map();
  /** One change after the other. @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {object} options
   * @param {import('../core/client.js').Client} options.core
   * @param {import('./arrivals.js').Arrivals} options.sections
   * @param {(stream: StreamName, kind: Kind) => Promise<void>} options.refresh what is sent, or how, has changed
   * @param {(stream: StreamName, kind: Kind) => object} options.figures
   * @param {(stream: StreamName) => import('../core/client.js').PublishLimits | null} options.limits of the pictures
   */
  constructor({ core, sections, refresh, figures, limits }) {
    this.#core = core;
    this.#sections = sections;
    this.#refresh = refresh;
    this.#figures = figures;
    this.#limits = limits;
  }

  /** @returns {AnyLocalTrack[]} */
  get tracks() {
    return [...this.#slots.values()].map(({ track }) => track);
  }

  /**
   * @param {StreamName} stream
   * @param {Kind} kind
   * @returns {AnyLocalTrack | undefined}
   */
  track(stream, kind) {
    return this.#slots.get(mediaTypeOf(stream, kind))?.track;
  }

  /**
   * For the PeerConnection.
   *
   * @param {StreamName} stream
   * @param {Kind} kind
   * @returns {import('./peer-session.js').Source | null}
   */
  source(stream, kind) {
    const track = this.track(stream, kind);
    if (track === undefined) return null;
    const { output, encoding } = track;
    const limits = kind === 'video' ? this.#limits(stream) : null;
    return { track: output, encoding: limits === null ? encoding : withLimits(encoding, limits, output?.getSettings() ?? {}) };
  }

  /** @param {AnyLocalTrack | AnyLocalTrack[]} tracks */
  publish(tracks) {
    return this.#exclusively(() => this.#publish([tracks].flat()));
  }

  /** @param {AnyLocalTrack | AnyLocalTrack[]} [tracks] all of them if absent */
  unpublish(tracks) {
    return this.#exclusively(() => this.#unpublish(tracks === undefined ? this.tracks : [tracks].flat()));
  }

  /**
   * The server has ended a stream.
   *
   * @param {StreamName} stream
   * @returns {AnyLocalTrack[]} what was published of it
   */
  ended(stream) {
    const tracks = this.tracks.filter((track) => track.stream === stream);
    for (const track of tracks) this.#clear(track);
    return tracks;
  }

  /** The room is left. The tracks stay the page's. */
  close() {
    for (const track of this.tracks) this.#clear(track);
  }

  /** @param {AnyLocalTrack[]} tracks */
  async #publish(tracks) {
    if (tracks.length === 0) throw invalid('tracks', 'there is nothing to publish');
    for (const track of tracks) this.#check(track, tracks);
    const fresh = tracks.filter((track) => this.track(track.stream, track.trackMediaType) !== track);
    if (fresh.some(({ trackMediaType }) => trackMediaType === 'video')) requireH264(await supportedCodecs(), 'send');
    for (const track of fresh) this.#slots.set(typeOf(track), this.#attached(track));
    const streams = [...new Set(fresh.map(({ stream }) => stream))];
    const results = await Promise.allSettled(streams.map((stream) => this.#publishStream(stream, fresh.filter((track) => track.stream === stream))));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /**
   * @param {StreamName} stream
   * @param {AnyLocalTrack[]} fresh
   */
  async #publishStream(stream, fresh) {
    const known = this.#core.publications.some((publication) => publication.stream === stream);
    try {
      const announced = this.#announce(stream);
      // Right behind, so that others see no picture that is not there. What was muted when a track of this kind was
      // last published may still be.
      const states = fresh.filter((track) => track.silent || known).map((track) => this.#mute(track, track.silent).then(() => null, () => track));
      await announced;
      // Publishing may have taken another session, which knows nothing of it.
      for (const track of await Promise.all(states)) if (track !== null) await this.#mute(track, track.silent).catch(ignoreBlocked);
      // A section that is there already may have carried another track.
      await Promise.all(fresh.map((track) => this.#refresh(stream, track.trackMediaType)));
      await Promise.all(fresh.map((track) => this.#sections.arrival(this.#key(track))));
    } catch (cause) {
      for (const track of fresh) this.#clear(track);
      if (this.#core.connectionState === 'CONNECTED') await this.#announce(stream).catch(() => {});
      throw cause;
    }
  }

  /** @param {AnyLocalTrack[]} tracks */
  async #unpublish(tracks) {
    const published = tracks.filter((track) => this.#slots.get(typeOf(track))?.track === track);
    for (const track of published) this.#clear(track);
    await Promise.all(published.map(({ stream, trackMediaType }) => this.#refresh(stream, trackMediaType)));
    await Promise.all([...new Set(published.map(({ stream }) => stream))].map((stream) => this.#announce(stream)));
  }

  /** Tells the server what there is of a stream now. @param {StreamName} stream */
  async #announce(stream) {
    const audio = this.track(stream, 'audio') !== undefined;
    const video = this.track(stream, 'video') !== undefined;
    if (!audio && !video) return this.#core.unpublish(stream);
    const slot = this.#slots.get(mediaTypeOf(stream, 'video'));
    if (slot !== undefined) slot.layers = slot.track.layers;
    const attributes = this.#core.publications.find((publication) => publication.stream === stream)?.attributes;
    await this.#core.publish(stream, { audio, video, layers: slot?.layers ?? 1, ...(attributes?.size ? { attributes: Object.fromEntries(attributes) } : {}) });
  }

  /**
   * @param {AnyLocalTrack} track
   * @param {AnyLocalTrack[]} all
   */
  #check(track, all) {
    if (!(track instanceof LocalTrack)) throw sdkError('INVALID_LOCAL_TRACK', 'invalid_params', 'only tracks that this SDK made can be published');
    if (track.closed) throw sdkError('INVALID_LOCAL_TRACK', 'track_closed', 'the track is closed');
    const type = typeOf(track);
    const other = this.#slots.get(type)?.track ?? all.find((one) => typeOf(one) === type);
    if (other === undefined || other === track) return;
    const code = track.trackMediaType === 'video' ? 'CAN_NOT_PUBLISH_MULTIPLE_VIDEO_TRACKS' : 'CAN_NOT_PUBLISH_MULTIPLE_AUDIO_TRACKS';
    throw sdkError(code, 'track_taken', `another track is published as ${type}`);
  }

  /** @param {AnyLocalTrack} track */
  #attached(track) {
    const { stream, trackMediaType: kind } = track;
    const sink = {
      changed: () => this.#changed(track),
      silenced: (/** @type {boolean} */ silent) => this.#mute(track, silent),
      figures: () => this.#figures(stream, kind),
    };
    track.attach(sink);
    return { track, sink, layers: track.layers };
  }

  /** What is sent, or how, is different now. @param {AnyLocalTrack} track */
  async #changed(track) {
    const { stream, trackMediaType: kind } = track;
    await this.#refresh(stream, kind);
    // Larger pictures are worth more sizes; a track without pictures at the moment has none.
    const slot = this.#slots.get(typeOf(track));
    if (slot?.track !== track || track.output === null || slot.layers === track.layers) return;
    await this.#exclusively(() => (this.#slots.get(typeOf(track)) === slot ? this.#announce(stream) : Promise.resolve()));
  }

  /** @param {AnyLocalTrack} track */
  #clear(track) {
    const type = typeOf(track);
    const slot = this.#slots.get(type);
    if (slot?.track !== track) return;
    track.detach(slot.sink);
    this.#slots.delete(type);
    this.#sections.fail(this.#key(track), sdkError('OPERATION_ABORTED', 'left', 'it is not published any longer'));
  }

  /**
   * @param {AnyLocalTrack} track
   * @param {boolean} silent
   */
  async #mute({ stream, trackMediaType }, silent) {
    await this.#core.mute(stream, trackMediaType, silent);
  }

  /** @param {AnyLocalTrack} track */
  #key({ stream, trackMediaType }) {
    return sectionKey(this.#core.uid ?? '', stream, trackMediaType);
  }

  /**
   * @template T
   * @param {() => Promise<T>} change
   * @returns {Promise<T>}
   */
  #exclusively(change) {
    const result = this.#last.then(change);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** @param {AnyLocalTrack} track */
function typeOf({ stream, trackMediaType }) {
  return mediaTypeOf(stream, trackMediaType);
}

/** An admin holds the track back, which is told as an event. @param {unknown} cause */
function ignoreBlocked(cause) {
  if (!(cause instanceof RtcError && cause.reason === 'blocked')) throw cause;
}
