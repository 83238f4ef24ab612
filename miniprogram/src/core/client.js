import { Client as CoreClient } from '../../../web-client/core/client.js';
import { Emitter } from '../../../web-client/core/emitter.js';
import { localError } from '../../../web-client/core/errors.js';
import { isPublished } from '../../../web-client/core/protocol.js';
import { uidKey } from '../../../web-client/core/room.js';
import { Addresses } from './addresses.js';
import { Components } from './components.js';
import { View } from './view.js';
import { globalWx, watchSurroundings, wxPlatform } from './wx.js';

/** @typedef {import('../../../web-client/core/protocol.js').Uid} Uid `42` and `'42'` are the same */
/** @typedef {import('../../../web-client/core/protocol.js').StreamName} StreamName */
/** @typedef {import('../../../web-client/core/protocol.js').ReceivedName} ReceivedName */
/** @typedef {import('../../../web-client/core/protocol.js').Kind} Kind */
/** @typedef {import('../../../web-client/core/protocol.js').Role} Role */
/** @typedef {import('../../../web-client/core/protocol.js').TrackState} TrackState */
/** @typedef {import('../../../web-client/core/client.js').Message} Message */
/** @typedef {import('../../../web-client/core/client.js').PublishLimits} PublishLimits */
/** @typedef {import('../../../web-client/core/client.js').Sei} Sei */
/** @typedef {import('../../../web-client/core/connection.js').ConnectionState} ConnectionState */
/** @typedef {import('../../../web-client/core/connection.js').DisconnectedReason} DisconnectedReason */
/** @typedef {import('../../../web-client/core/errors.js').RtcError} RtcError */
/** @typedef {import('../../../web-client/core/room.js').RemoteUser} RemoteUser */
/** @typedef {import('./addresses.js').Play} Play */
/** @typedef {import('./component.js').PhaseChange} PhaseChange */

/**
 * A stream of somebody else. `audio` and `video` are the states of its tracks: `absent`, `live`, `muted` (by its owner)
 * or `blocked` (by an admin).
 *
 * @typedef {object} RemoteStream
 * @property {Uid} uid
 * @property {StreamName} stream
 * @property {TrackState} audio
 * @property {TrackState} video
 * @property {Record<string, string>} attributes
 */

/** The attribute of a stream that says by how many degrees its picture has to be turned: 0, 90, 180 or 270. */
export const ROTATION = 'rotation';

/**
 * What a client tells, one after the other in the order of the signalling.
 *
 * @typedef {object} ClientEvents
 * @property {[current: ConnectionState, previous: ConnectionState, reason: DisconnectedReason | undefined]} state
 * @property {[user: RemoteUser]} participant-joined
 * @property {[user: RemoteUser, reason: string]} participant-left after its streams were removed
 * @property {[user: RemoteUser, state: 'connected' | 'reconnecting']} participant-connection
 * @property {[user: RemoteUser, role: Role]} participant-role
 * @property {[stream: RemoteStream]} stream-added
 * @property {[uid: Uid, stream: StreamName]} stream-removed
 * @property {[stream: RemoteStream, kind: Kind, state: TrackState, by: Uid | undefined]} track-state one of its tracks
 *   began, ended, was muted or blocked, or is live again
 * @property {[stream: RemoteStream, key: string, value: string | null]} stream-attribute
 * @property {[stream: RemoteStream, rotation: number]} rotation degrees
 * @property {[key: string, value: string | null, by: Uid | undefined]} room-attribute
 * @property {[message: Message]} message
 * @property {[sei: Sei]} sei if the client was made with `sei`
 * @property {[stream: StreamName, limits: PublishLimits | null]} publish-limits what the others' networks carry of one's
 *   own pictures; a view gives its pusher a `maxBitrate` by it
 * @property {[stream: StreamName, url: string]} push-url in place of the earlier one, which is of no use any more
 * @property {[play: Play]} play-url in place of the earlier ones
 * @property {[stream: StreamName]} push-ended the server has ended it, or the stay is over: take its pusher away
 * @property {[uid: Uid, stream: ReceivedName]} play-ended take its player away
 * @property {[stream: StreamName, change: PhaseChange]} push-state
 * @property {[uid: Uid, stream: ReceivedName, change: PhaseChange]} play-state
 * @property {[uid: Uid]} speaker who speaks, while `mix` or `speaker` is received
 * @property {[qualities: { uid: Uid, uplink: number, downlink: number }[]]} network-quality of this participant, from its
 *   components, and of the others, as the server has it: 0 unknown, 1 best to 6 unusable
 * @property {[stream: StreamName, kind: Kind, state: TrackState, by: Uid | undefined]} local-track-state an admin did it
 * @property {[role: Role]} role one's own has changed
 * @property {[]} token-expiring in 30 s
 * @property {[]} token-expired
 * @property {[error: RtcError]} ended the stay is over, not by leaving
 * @property {[cause: unknown]} exception something failed that nobody waits for
 */

/**
 * @typedef {object} ClientOptions
 * @property {string} server `https://host` or `wss://host`; the path is `/signal` if there is none
 * @property {Role} [role] to join as; what the token allows if absent
 * @property {import('./wx.js').Wx} [wx] another than the mini-program's own
 * @property {import('../../../web-client/core/ports.js').Platform} [platform] for tests: sockets and time of their own
 * @property {boolean} [sei] whether to be told of user data in the pictures that are received
 * @property {import('../../../web-client/core/connection.js').Persistence} [persistence] what happens when the session is
 *   lost. By default it is replaced for as long as it takes, and new addresses are told by `push-url` and `play-url`
 */

/**
 * A participant of one room at a time, in a mini-program: it says where its components push and play, and is told by the
 * page what they report.
 *
 * @extends {Emitter<ClientEvents>}
 */
export class Client extends Emitter {
  #core;
  #wx;
  #addresses;
  #components;
  #platform;
  /** @type {(() => void) | null} */
  #unwatch = null;
  /** Which tracks of what the server makes were asked for. @type {Map<ReceivedName, { audio: boolean, video: boolean }>} */
  #made = new Map();

  /** @param {ClientOptions} options */
  constructor({ server, role, wx, platform, sei = false, persistence }) {
    super();
    this.#wx = wx ?? (platform === undefined ? globalWx() : null);
    this.#platform = platform ?? wxPlatform(/** @type {import('./wx.js').Wx} */ (this.#wx));
    this.#addresses = new Addresses({
      push: (stream, url, replaces) => {
        this.#components.pushStarted(stream);
        if (replaces) this.emit('push-url', stream, url);
      },
      play: (play, replaces) => {
        this.#components.playStarted(play.uid, play.stream);
        if (replaces) this.emit('play-url', play);
      },
      pushEnded: (stream) => {
        this.#components.pushStopped(stream);
        this.emit('push-ended', stream);
      },
      playEnded: (uid, stream) => {
        this.#components.playStopped(uid, stream);
        this.emit('play-ended', uid, stream);
      },
    });
    this.#core = new CoreClient({
      server,
      platform: this.#platform,
      kind: 'miniprogram',
      createMedia: () => this.#addresses,
      ...(sei ? { capabilities: ['sei'] } : {}),
      ...(role === undefined ? {} : { role }),
      ...(persistence === undefined ? {} : { persistence }),
    });
    this.#components = new Components({
      core: this.#core,
      clock: this.#platform.clock,
      pushState: (stream, change) => this.emit('push-state', stream, change),
      playState: (uid, stream, change) => this.emit('play-state', uid, stream, change),
      quality: (uplink, downlink) => {
        if (this.uid !== undefined) this.emit('network-quality', [{ uid: this.uid, uplink, downlink }]);
      },
    });
    this.#listen();
  }

  get state() {
    return this.#core.connectionState;
  }

  get uid() {
    return this.#core.uid;
  }

  get role() {
    return this.#core.role;
  }

  get admin() {
    return this.#core.admin;
  }

  /** Of the signalling, in milliseconds, or null. */
  get rttMs() {
    return this.#core.rttMs;
  }

  /** The others in the room, in the order in which they came. */
  get participants() {
    return this.#core.remoteUsers;
  }

  /** @param {Uid} uid */
  participant(uid) {
    return this.#core.remoteUser(uid);
  }

  get roomAttributes() {
    return this.#core.roomAttributes;
  }

  /** What the others publish now. @returns {RemoteStream[]} */
  get streams() {
    return this.participants.flatMap((user) =>
      [...user.streams.keys()].map((name) => /** @type {RemoteStream} */ (streamOf(user, name))));
  }

  /** @param {Uid} uid @param {ReceivedName} [stream] @returns {RemoteStream | undefined} */
  stream(uid, stream = 'camera') {
    const user = this.#core.remoteUser(uid);
    return user === undefined || !isPublished(stream) ? undefined : streamOf(user, stream);
  }

  /** Whether this client publishes it. @param {StreamName} [stream] */
  publishes(stream = 'camera') {
    return this.#core.publications.some((publication) => publication.stream === stream);
  }

  /**
   * How one of one's own tracks is: `absent`, `live`, `muted` by oneself or `blocked` by an admin.
   *
   * @param {Kind} kind
   * @param {StreamName} [stream]
   * @returns {TrackState}
   */
  localTrack(kind, stream = 'camera') {
    return this.#core.publications.find((publication) => publication.stream === stream)?.state[kind] ?? 'absent';
  }

  /**
   * What the others' networks carry of one's own pictures: what `max-bitrate` of the pusher should be at most.
   *
   * @param {StreamName} [stream]
   * @returns {PublishLimits | null} null while they carry everything
   */
  publishLimits(stream = 'camera') {
    return this.#core.publishLimits(stream);
  }

  /** @param {StreamName} [stream] @returns {string | undefined} the address for the pusher */
  pushUrl(stream = 'camera') {
    return this.#addresses.push(stream);
  }

  /** @param {Uid} uid @param {ReceivedName} [stream] @returns {Play | undefined} the addresses for a player */
  play(uid, stream = 'camera') {
    return this.#addresses.play(uid, stream);
  }

  /** Everything that is subscribed to. */
  get plays() {
    return this.#addresses.plays;
  }

  /** @param {StreamName} [stream] where its pusher is, and its figures */
  pusher(stream = 'camera') {
    return this.#components.pusher(stream);
  }

  /** @param {Uid} uid @param {ReceivedName} [stream] where its player is, and its figures */
  player(uid, stream = 'camera') {
    return this.#components.player(uid, stream);
  }

  /**
   * Events of the room come only after the promise has told its listeners.
   *
   * @param {{ app: string, room: string, token?: string | null, uid?: Uid | null }} room a uid at random if there is none
   * @returns {Promise<Uid>} rejects with an RtcError
   */
  async join(room) {
    return this.#core.join(room);
  }

  /** Never rejects. Afterwards no socket and no timer is left; the client can join again. */
  async leave() {
    await this.#core.leave();
  }

  /**
   * Publishing again gives a new address and ends the connection of the old one.
   *
   * @param {{ stream?: StreamName, audio?: boolean, video?: boolean, attributes?: Record<string, string> }} [options]
   * @returns {Promise<string>} the address for a `live-pusher`. It is a secret and holds for one pusher
   */
  async publish({ stream = 'camera', audio = true, video = true, attributes } = {}) {
    const { rtmp } = await this.#core.publish(stream, { audio, video, ...(attributes === undefined ? {} : { attributes }) });
    if (rtmp === undefined) throw localError('bad_response', 'the server gave no address to push to');
    return rtmp;
  }

  /**
   * A new address for what is published already, with the same tracks: the old one is of no more use.
   *
   * @param {StreamName} [stream]
   * @returns {Promise<string>}
   */
  async publishAgain(stream = 'camera') {
    const publication = this.#core.publications.find((known) => known.stream === stream);
    if (publication === undefined) throw localError('invalid_params', `${stream} is not published`, { field: 'stream' });
    const { audio, video, attributes } = publication;
    return this.publish({ stream, audio, video, ...(attributes.size === 0 ? {} : { attributes: Object.fromEntries(attributes) }) });
  }

  /**
   * Keeps fields of a page's data as the call is: the addresses for its components, which are built anew when they have
   * given up. Release the view when the page unloads.
   *
   * @param {import('./view.js').DataOwner} owner a page or a component
   * @param {import('./view.js').ViewOptions} [options]
   */
  bind(owner, options = {}) {
    return new View(this, this.#platform.clock, owner, options);
  }

  /** @param {StreamName} [stream] */
  async unpublish(stream = 'camera') {
    await this.#core.unpublish(stream);
  }

  /**
   * Subscribing again gives new addresses and ends the connection of the old ones.
   *
   * @param {Uid} uid
   * @param {{ stream?: ReceivedName, audio?: boolean, video?: boolean }} [options] which tracks to receive
   * @returns {Promise<Play>} the addresses for a `live-player`
   */
  async subscribe(uid, { stream = 'camera', audio = true, video = true } = {}) {
    const tracks = isPublished(stream) ? undefined : this.#made.get(stream);
    const { rtmp, flv } = await this.#core.subscribe(uid, stream, tracks ?? { audio, video });
    if (rtmp === undefined || flv === undefined) throw localError('bad_response', 'the server gave no address to play');
    return { uid, stream, url: rtmp, flv };
  }

  /**
   * All that is said in the room, without one's own voice, as one stream: a phone plays five or six at most. Subscribe to
   * pictures with `audio: false` beside it.
   *
   * @returns {Promise<Play>} the addresses for a `live-player` with `mode="RTC"`
   */
  async subscribeMix() {
    return this.#subscribeMade('mix', { audio: true, video: false });
  }

  /**
   * The pictures of who speaks, as one stream that changes with the speaker, and by default with the sound of the room as
   * `subscribeMix` has it. Who speaks sees who spoke before.
   *
   * @param {{ audio?: boolean, video?: boolean }} [options] which tracks to receive
   * @returns {Promise<Play>} the addresses for a `live-player`
   */
  async subscribeSpeaker({ audio = true, video = true } = {}) {
    return this.#subscribeMade('speaker', { audio, video });
  }

  async unsubscribeMix() {
    await this.#core.unsubscribe(this.#ownUid(), 'mix');
  }

  async unsubscribeSpeaker() {
    await this.#core.unsubscribe(this.#ownUid(), 'speaker');
  }

  /** @param {'mix' | 'speaker'} stream @param {{ audio: boolean, video: boolean }} tracks @returns {Promise<Play>} */
  #subscribeMade(stream, tracks) {
    this.#made.set(stream, tracks);
    return this.subscribe(this.#ownUid(), { stream });
  }

  /** @returns {Uid} */
  #ownUid() {
    if (this.uid === undefined) throw localError('not_connected', 'not in a room');
    return this.uid;
  }

  /** @param {Uid} uid @param {ReceivedName} [stream] */
  async unsubscribe(uid, stream = 'camera') {
    await this.#core.unsubscribe(uid, stream);
  }

  /**
   * The server passes nothing of a muted track on. Do not turn `enable-camera` off for it: players of WeChat lag by two
   * to three seconds of sound after that.
   *
   * @param {Kind} kind
   * @param {boolean} muted
   * @param {{ stream?: StreamName, uid?: Uid }} [options] somebody else's, for admins
   * @returns {Promise<TrackState>} how the track is now
   */
  async mute(kind, muted, { stream = 'camera', uid } = {}) {
    return this.#core.mute(stream, kind, muted, uid);
  }

  /** Before joining: what to join as. @param {Role} role who becomes audience publishes nothing any longer */
  async setRole(role) {
    await this.#core.setClientRole(role);
  }

  /** @param {string} token */
  async renewToken(token) {
    await this.#core.renewToken(token);
  }

  /**
   * @param {string | Uint8Array} content at most 8192 bytes
   * @param {Uid} [to] all others if absent
   * @returns {Promise<number>} the id of the message
   */
  async sendMessage(content, to) {
    return this.#core.sendMessage(content, to);
  }

  /**
   * In the pictures of a stream of one's own: players without signalling get it as an SEI message, and participants who
   * receive the stream and want to be told as `sei`.
   *
   * @param {string | Uint8Array} content at most 2048 bytes
   * @param {{ stream?: StreamName, type?: 5 | 242 }} [options]
   */
  async sendSei(content, options) {
    await this.#core.sendSei(content, options);
  }

  /** @param {string} key @param {string | null} value null removes it */
  async setRoomAttribute(key, value) {
    await this.#core.setRoomAttribute(key, value);
  }

  /** @param {string} key @param {string | null} value @param {StreamName} [stream] one's own */
  async setStreamAttribute(key, value, stream = 'camera') {
    await this.#core.setStreamAttribute(stream, key, value);
  }

  /** For admins. @param {Uid} uid @param {string} [message] for whom it hits */
  async kick(uid, message) {
    await this.#core.kick(uid, message);
  }

  /**
   * What `bindstatechange` or `binderror` of the pusher has brought.
   *
   * @param {unknown} event the event itself, its `detail`, or one inside another as components pass it on
   * @param {StreamName} [stream]
   */
  pusherState(event, stream = 'camera') {
    this.#components.pusherState(event, stream);
  }

  /** What `bindnetstatus` of the pusher has brought. @param {unknown} event @param {StreamName} [stream] */
  pusherNetStatus(event, stream = 'camera') {
    this.#components.pusherNetStatus(event, stream);
  }

  /** @param {Uid} uid @param {unknown} event @param {ReceivedName} [stream] */
  playerState(uid, event, stream = 'camera') {
    this.#components.playerState(uid, event, stream);
  }

  /** @param {Uid} uid @param {unknown} event @param {ReceivedName} [stream] */
  playerNetStatus(uid, event, stream = 'camera') {
    this.#components.playerNetStatus(uid, event, stream);
  }

  #listen() {
    const core = this.#core;
    core.on('connection-state-change', (current, previous, reason) => {
      if (current === 'CONNECTING') this.#watch();
      if (current === 'DISCONNECTED') this.#stopWatching();
      this.emit('state', current, previous, reason);
    });
    core.on('user-joined', (user) => this.emit('participant-joined', user));
    core.on('user-left', (user, reason) => this.emit('participant-left', user, reason));
    core.on('user-connection', (user, state) => this.emit('participant-connection', user, state));
    core.on('role-changed', (user, role) => this.emit('participant-role', user, role));
    new RemoteStreams(core, this);
    core.on('room-attribute', (key, value, by) => this.emit('room-attribute', key, value, by));
    core.on('message', (message) => this.emit('message', message));
    core.on('sei', (sei) => this.emit('sei', sei));
    core.on('publish-limits', (stream, limits) => this.emit('publish-limits', stream, limits));
    core.on('speaker', (uid) => this.emit('speaker', uid));
    core.on('network-quality', (qualities) => this.emit('network-quality', qualities));
    core.on('local-track-state', (stream, kind, state, by) => this.emit('local-track-state', stream, kind, state, by));
    core.on('local-role-changed', (role) => this.emit('role', role));
    core.on('token-privilege-will-expire', () => this.emit('token-expiring'));
    core.on('token-privilege-did-expire', () => this.emit('token-expired'));
    core.on('session-ended', (error) => this.emit('ended', error));
    core.on('exception', (cause) => this.emit('exception', cause));
  }

  #watch() {
    if (this.#wx !== null) this.#unwatch ??= watchSurroundings(this.#wx, () => this.#core.networkChanged());
  }

  #stopWatching() {
    this.#unwatch?.();
    this.#unwatch = null;
  }
}

/** Tells of whole streams, where the core tells of tracks. */
class RemoteStreams {
  /** What was told of each. @type {Map<string, Record<Kind, TrackState>>} */
  #told = new Map();
  #client;

  /** @param {CoreClient} core @param {Client} client */
  constructor(core, client) {
    this.#client = client;
    core.on('user-published', (user, kind, name) => this.#track(user, kind, name));
    core.on('user-unpublished', (user, kind, name) => this.#track(user, kind, name));
    core.on('track-state', (user, kind, name, _state, by) => this.#track(user, kind, name, by));
    core.on('stream-attribute', (user, name, key, value) => {
      const stream = streamOf(user, name);
      if (stream === undefined) return;
      client.emit('stream-attribute', stream, key, value);
      if (key === ROTATION) client.emit('rotation', stream, rotationOf(stream));
    });
    core.on('connection-state-change', (current) => {
      if (current === 'DISCONNECTED') this.#told.clear();
    });
  }

  /** @param {RemoteUser} user @param {Kind} kind @param {StreamName} name @param {Uid} [by] */
  #track(user, kind, name, by) {
    const stream = streamOf(user, name);
    const key = `${uidKey(user.uid)}/${name}`;
    const told = this.#told.get(key);
    if (stream === undefined || (stream.audio === 'absent' && stream.video === 'absent')) {
      if (this.#told.delete(key)) this.#client.emit('stream-removed', user.uid, name);
    } else if (told === undefined) {
      this.#told.set(key, { audio: stream.audio, video: stream.video });
      this.#client.emit('stream-added', stream);
    } else if (told[kind] !== stream[kind]) {
      told[kind] = stream[kind];
      this.#client.emit('track-state', stream, kind, stream[kind], by);
    }
  }
}

/** @param {RemoteUser} user @param {StreamName} name @returns {RemoteStream | undefined} */
function streamOf(user, name) {
  const stream = user.streams.get(name);
  if (stream === undefined) return undefined;
  const { audio, video, attributes } = stream;
  return { uid: user.uid, stream: name, audio, video, attributes: Object.fromEntries(attributes) };
}

/**
 * @param {RemoteStream} stream
 * @returns {number} by how many degrees its picture has to be turned: 0 if its owner says nothing
 */
export function rotationOf(stream) {
  const degrees = Number(stream.attributes[ROTATION] ?? 0);
  return [90, 180, 270].includes(degrees) ? degrees : 0;
}
