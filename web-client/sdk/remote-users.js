import { uidKey } from '../core/room.js';
import { requireH264, supportedCodecs } from './codecs.js';
import { invalid, sdkError } from './errors.js';
import { MEDIA_TYPES, mediaTypeOf, sectionOf } from './media-types.js';
import { RemoteUser } from './remote-user.js';
import { RemoteAudioTrack, RemoteVideoTrack } from './remote-track.js';
import { sectionKey } from './sections.js';
import { Subscription } from './subscription.js';

/** @typedef {import('../core/protocol.js').Uid} Uid */
/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').Kind} Kind */
/** @typedef {import('../core/protocol.js').Layer} Layer */
/** @typedef {import('./media-types.js').MediaType} MediaType */
/** @typedef {import('../core/room.js').RemoteUser} KnownUser */

/** Where the users have their tracks. */
const FIELDS = /** @type {const} */ ({
  audio: { has: 'hasAudio', track: 'audioTrack', muted: 'audioMuted' },
  video: { has: 'hasVideo', track: 'videoTrack', muted: 'videoMuted' },
  screen: { has: 'hasScreen', track: 'screenTrack', muted: null },
  'screen-audio': { has: 'hasScreenAudio', track: 'screenAudioTrack', muted: null },
});

/**
 * @typedef {object} RemoteHooks
 * @property {(user: RemoteUser, mediaType: MediaType) => void} published
 * @property {(user: RemoteUser, mediaType: MediaType) => void} unpublished
 * @property {(user: RemoteUser, message: string) => void} info
 * @property {(key: string) => object} figures
 * @property {(key: string) => number | undefined} amplitude of what is received, 0 to 1
 * @property {(cause: unknown) => void} report
 */

/** The others, what they publish, and what of it is received. */
export class RemoteUsers {
  #core;
  #clock;
  #sections;
  #hooks;
  /** @type {Map<string, RemoteUser>} */
  #users = new Map();
  /** By uid and stream. @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  /** The largest sizes that are wished for, likewise, whether or not anything is subscribed to. @type {Map<string, Layer>} */
  #maxLayers = new Map();
  /** What the sections bring, by key. @type {Map<string, MediaStreamTrack>} */
  #arrived = new Map();
  /** @type {Map<string, RemoteAudioTrack | RemoteVideoTrack>} */
  #tracks = new Map();

  /**
   * @param {object} options
   * @param {import('../core/client.js').Client} options.core
   * @param {import('../core/ports.js').Clock} options.clock
   * @param {import('./arrivals.js').Arrivals} options.sections
   * @param {RemoteHooks} options.hooks
   */
  constructor({ core, clock, sections, hooks }) {
    this.#core = core;
    this.#clock = clock;
    this.#sections = sections;
    this.#hooks = hooks;
  }

  /** @returns {RemoteUser[]} */
  get all() {
    return [...this.#users.values()];
  }

  /** @param {Uid} uid */
  get(uid) {
    return this.#users.get(uidKey(uid));
  }

  /** @param {KnownUser} known @returns {RemoteUser} */
  joined(known) {
    const user = new RemoteUser(known);
    this.#users.set(uidKey(known.uid), user);
    return user;
  }

  /** @param {KnownUser} known @returns {RemoteUser | undefined} */
  left(known) {
    const user = this.get(known.uid);
    this.#users.delete(uidKey(known.uid));
    // Also what the server had not granted yet.
    for (const stream of /** @type {const} */ (['camera', 'screen'])) {
      this.subscriptionEnded(known.uid, stream);
      this.#maxLayers.delete(streamKey(known.uid, stream));
    }
    return user;
  }

  /** @param {KnownUser} known @returns {RemoteUser | undefined} */
  refreshed(known) {
    const user = this.get(known.uid);
    user?.refresh(known);
    return user;
  }

  /**
   * A track is there, gone, muted or live again: tells what is different for those who watch.
   *
   * @param {KnownUser} known
   * @param {Kind} kind
   * @param {StreamName} stream
   */
  changed(known, kind, stream) {
    const user = this.refreshed(known);
    if (user === undefined) return;
    const mediaType = mediaTypeOf(stream, kind);
    const { has, muted } = FIELDS[mediaType];
    const state = known.streams.get(stream)?.[kind] ?? 'absent';
    const isMuted = state === 'muted' || state === 'blocked';
    const wasLive = user[has];
    user[has] = state === 'live';
    if (muted !== null && user[muted] !== isMuted) {
      user[muted] = isMuted;
      if (state !== 'absent') this.#hooks.info(user, `${isMuted ? 'mute' : 'unmute'}-${mediaType}`);
    }
    if (wasLive && state !== 'live') {
      this.#silence(user, mediaType);
      this.#hooks.unpublished(user, mediaType);
    } else if (!wasLive && state === 'live') {
      this.#subscriptions.get(streamKey(user.uid, stream))?.live(kind);
      this.#hooks.published(user, mediaType);
    }
  }

  /**
   * @param {RemoteUser | Uid} who
   * @param {MediaType} mediaType
   * @returns {Promise<RemoteAudioTrack | RemoteVideoTrack>}
   */
  async subscribe(who, mediaType) {
    const user = this.#find(who);
    const section = sectionOf(mediaType);
    if (section === undefined) throw invalid('mediaType', `mediaType is one of ${MEDIA_TYPES.join(', ')}`);
    const { stream, kind } = section;
    if (!user[FIELDS[mediaType].has]) {
      throw sdkError('REMOTE_USER_IS_NOT_PUBLISHED', 'no_such_stream', `${user.uid} does not publish ${mediaType}`);
    }
    // Also for sound, so that what is subscribed to in one go is still together afterwards.
    const codecs = await supportedCodecs();
    if (kind === 'video') requireH264(codecs, 'receive');
    const key = sectionKey(user.uid, stream, kind);
    const subscription = this.#subscription(user.uid, stream);
    await subscription.want(kind);
    const ended = () => sdkError('OPERATION_ABORTED', 'no_such_stream', `${mediaType} of ${user.uid} ended, or is not wanted any longer`);
    if (!subscription.wants(kind)) throw ended();
    try {
      await this.#sections.arrival(key);
    } catch (cause) {
      if (subscription.wants(kind)) await subscription.drop(kind).catch(this.#hooks.report);
      throw cause;
    }
    if (!subscription.wants(kind)) throw ended();
    const track = this.#track(user, mediaType, key);
    this.#setTrack(user, mediaType, track);
    return track;
  }

  /**
   * @param {RemoteUser | Uid} who
   * @param {MediaType} [mediaType] everything if absent
   */
  async unsubscribe(who, mediaType) {
    const user = this.#find(who);
    const types = mediaType === undefined ? MEDIA_TYPES : [mediaType];
    await Promise.all(types.map(async (type) => {
      const section = sectionOf(type);
      if (section === undefined) throw invalid('mediaType', `mediaType is one of ${MEDIA_TYPES.join(', ')}`);
      const { stream, kind } = section;
      this.#end(user.uid, stream, kind);
      this.#sections.fail(sectionKey(user.uid, stream, kind), sdkError('OPERATION_ABORTED', 'no_media', 'unsubscribed meanwhile'));
      await this.#subscriptions.get(streamKey(user.uid, stream))?.drop(kind);
    }));
  }

  /**
   * The largest size of somebody's pictures that is wished for.
   *
   * @param {RemoteUser | Uid} who
   * @param {MediaType} mediaType
   * @param {Layer} layer
   */
  async setMaxLayer(who, mediaType, layer) {
    const section = sectionOf(mediaType);
    if (section?.kind !== 'video') throw invalid('mediaType', 'sizes are of video or screen');
    const key = streamKey(this.#find(who).uid, section.stream);
    this.#maxLayers.set(key, layer);
    await this.#subscriptions.get(key)?.limit(layer);
  }

  /**
   * The stream is gone, or the server no longer sends it.
   *
   * @param {Uid} uid
   * @param {StreamName} stream
   */
  subscriptionEnded(uid, stream) {
    this.#subscriptions.get(streamKey(uid, stream))?.close();
    this.#subscriptions.delete(streamKey(uid, stream));
    for (const kind of /** @type {const} */ (['audio', 'video'])) {
      this.#end(uid, stream, kind);
      this.#sections.fail(sectionKey(uid, stream, kind), sdkError('REMOTE_USER_IS_NOT_PUBLISHED', 'no_such_stream', 'the stream ended'));
    }
  }

  /**
   * For the PeerConnection.
   *
   * @param {import('./sections.js').Section} section
   * @param {MediaStreamTrack | null} track
   */
  received({ key }, track) {
    if (track === null) return void this.#arrived.delete(key);
    this.#arrived.set(key, track);
    this.#tracks.get(key)?.replace(track);
    this.#sections.settle(key);
  }

  /** The room is left. */
  close() {
    for (const subscription of this.#subscriptions.values()) subscription.close();
    for (const track of this.#tracks.values()) track.end();
    this.#subscriptions.clear();
    this.#maxLayers.clear();
    this.#tracks.clear();
    this.#arrived.clear();
    this.#users.clear();
  }

  /** @param {RemoteUser | Uid} who @returns {RemoteUser} */
  #find(who) {
    const uid = typeof who === 'object' ? who?.uid : who;
    const user = this.get(uid);
    if (user === undefined) throw sdkError('INVALID_REMOTE_USER', 'no_such_participant', `${uid} is not in the room`);
    return user;
  }

  /**
   * @param {Uid} uid
   * @param {StreamName} stream
   */
  #subscription(uid, stream) {
    const key = streamKey(uid, stream);
    const known = this.#subscriptions.get(key);
    if (known !== undefined) return known;
    const subscription = new Subscription({
      clock: this.#clock,
      subscribe: (wish) => this.#core.subscribe(uid, stream, wish).then(() => {}),
      unsubscribe: () => this.#core.unsubscribe(uid, stream),
      report: this.#hooks.report,
    });
    this.#subscriptions.set(key, subscription);
    void subscription.limit(this.#maxLayers.get(key) ?? 'h');
    return subscription;
  }

  /**
   * @param {RemoteUser} user
   * @param {MediaType} mediaType
   * @param {string} key of a section that has arrived
   */
  #track(user, mediaType, key) {
    const known = this.#tracks.get(key);
    if (known !== undefined) return known;
    const mediaStreamTrack = this.#arrived.get(key);
    if (mediaStreamTrack === undefined) throw sdkError('OPERATION_ABORTED', 'no_media', `${mediaType} of ${user.uid} was taken back`);
    const options = { uid: user.uid, mediaType, mediaStreamTrack, figures: () => this.#hooks.figures(key) };
    const track = mediaStreamTrack.kind === 'audio'
      ? new RemoteAudioTrack({ ...options, amplitude: () => this.#hooks.amplitude(key) })
      : new RemoteVideoTrack(options);
    this.#tracks.set(key, track);
    return track;
  }

  /**
   * @param {RemoteUser} user
   * @param {MediaType} mediaType
   * @param {RemoteAudioTrack | RemoteVideoTrack | undefined} track
   */
  #setTrack(user, mediaType, track) {
    Reflect.set(user, FIELDS[mediaType].track, track);
  }

  /**
   * The track is muted: it is of no use until it is live again, which is then quick.
   *
   * @param {RemoteUser} user
   * @param {MediaType} mediaType
   */
  #silence(user, mediaType) {
    user[FIELDS[mediaType].track]?.stop();
    this.#setTrack(user, mediaType, undefined);
    const section = sectionOf(mediaType);
    if (section !== undefined) this.#subscriptions.get(streamKey(user.uid, section.stream))?.silent(section.kind);
  }

  /**
   * @param {Uid} uid
   * @param {StreamName} stream
   * @param {Kind} kind
   */
  #end(uid, stream, kind) {
    const key = sectionKey(uid, stream, kind);
    const track = this.#tracks.get(key);
    this.#tracks.delete(key);
    const user = this.get(uid);
    if (user !== undefined) this.#setTrack(user, mediaTypeOf(stream, kind), undefined);
    track?.end();
  }
}

/**
 * @param {Uid} uid
 * @param {StreamName} stream
 */
function streamKey(uid, stream) {
  return `${uidKey(uid)}/${stream}`;
}
