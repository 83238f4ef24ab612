import { Client as CoreClient } from '../core/client.js';
import { Emitter } from '../core/emitter.js';
import { localError, RtcError } from '../core/errors.js';
import { isPublished } from '../core/protocol.js';
import { uidKey } from '../core/room.js';
import { Arrivals } from './arrivals.js';
import { invalid, sdkError } from './errors.js';
import { isLayer, layerForPlace } from './layers.js';
import { log } from './log.js';
import { mediaTypeOf, sectionOf } from './media-types.js';
import { Meter } from './meter.js';
import { Peer } from './peer.js';
import { browserPlatform } from './platform.js';
import { Publisher } from './publisher.js';
import { RemoteUsers } from './remote-users.js';
import { sectionKey } from './sections.js';
import { Surroundings } from './surroundings.js';
import { VolumeIndicator } from './volume-indicator.js';

/** @typedef {import('../core/protocol.js').Uid} Uid */
/** @typedef {import('../core/protocol.js').Role} Role */
/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').TrackState} TrackState */
/** @typedef {import('../core/client.js').Message} Message */
/** @typedef {import('../core/connection.js').ConnectionState} ConnectionState */
/** @typedef {import('../core/connection.js').DisconnectedReason} DisconnectedReason */
/** @typedef {import('./media-types.js').MediaType} MediaType */
/** @typedef {import('./remote-user.js').RemoteUser} RemoteUser */
/** @typedef {import('./publisher.js').AnyLocalTrack} AnyLocalTrack */
/** @typedef {import('./remote-track.js').RemoteAudioTrack} RemoteAudioTrack */
/** @typedef {import('./remote-track.js').RemoteVideoTrack} RemoteVideoTrack */

/** @typedef {{ uplinkNetworkQuality: import('./quality.js').Grade, downlinkNetworkQuality: import('./quality.js').Grade }} NetworkQuality */

/**
 * What a client tells.
 *
 * @typedef {object} ClientEvents
 * @property {[current: ConnectionState, previous: ConnectionState, reason: DisconnectedReason | undefined]} connection-state-change
 * @property {[user: RemoteUser]} user-joined
 * @property {[user: RemoteUser, reason: string]} user-left `Quit`, `ServerTimeOut`, `kicked`, `banned` or `token_expired`
 * @property {[user: RemoteUser, mediaType: MediaType]} user-published
 * @property {[user: RemoteUser, mediaType: MediaType]} user-unpublished
 * @property {[uid: Uid, message: string]} user-info-updated `mute-audio`, `unmute-audio`, `mute-video` or `unmute-video`
 * @property {[user: RemoteUser]} user-role-changed
 * @property {[user: RemoteUser]} user-connection their connection is lost, or back: see `connected`
 * @property {[uid: Uid]} active-speaker who speaks, after `followSpeaker`
 * @property {[quality: NetworkQuality]} network-quality once a second
 * @property {[volumes: { uid: Uid, level: number }[]]} volume-indicator levels of 0 to 100; above 60 somebody speaks
 * @property {[uid: Uid, payload: Uint8Array]} stream-message
 * @property {[message: Message]} message
 * @property {[sei: import('../core/client.js').Sei]} sei if the client was made with `sei`
 * @property {[stream: StreamName, limits: import('../core/client.js').PublishLimits | null]} publish-limits what the
 *   others' networks carry of one's own pictures; the encoder keeps to it unless the client was made with `steer: false`
 * @property {[key: string, value: string | null, by: Uid | undefined]} room-attribute null: removed
 * @property {[user: RemoteUser, stream: StreamName, key: string, value: string | null]} stream-attribute
 * @property {[mediaType: MediaType, state: TrackState, by: Uid | undefined]} local-track-state an admin did it
 * @property {[tracks: AnyLocalTrack[]]} local-unpublished without having been asked to
 * @property {[role: Role]} local-role-changed
 * @property {[]} token-privilege-will-expire
 * @property {[]} token-privilege-did-expire
 * @property {[uid: Uid]} media-reconnect-start one's own media are interrupted
 * @property {[uid: Uid]} media-reconnect-end
 * @property {[error: RtcError]} session-ended for another reason than leaving
 * @property {[exception: { code: string, msg: string, uid: Uid | undefined }]} exception something failed that nobody waits for
 */

/**
 * @typedef {object} ClientConfig
 * @property {'rtc' | 'live' | 'h264_interop'} mode
 * @property {'h264'} codec
 * @property {Role} [role] in `live` and `h264_interop` audience if absent; in `rtc` what the token allows
 * @property {string} [server] `https://host`; where the page came from if absent
 * @property {boolean} [sei] whether to be told of user data in the pictures that are received
 * @property {boolean} [steer] false: encoders do not keep to the limits of the server, which are only told
 */

/** What the others' leaving is called by Agora's Web SDK. @type {Readonly<Record<string, string>>} */
const LEAVE_REASONS = { left: 'Quit', timed_out: 'ServerTimeOut' };

/** A participant of one room at a time. @extends {Emitter<ClientEvents>} */
export class Client extends Emitter {
  /** @type {ClientConfig['mode']} */
  mode;
  /** @type {string | undefined} */
  channelName;
  #platform;
  #core;
  #connect;
  #sections;
  #publisher;
  #remote;
  #meter;
  #indicator;
  #surroundings;
  /** @type {Peer | null} */
  #peer = null;
  /** @type {Surroundings | null} */
  #watch = null;
  /** @type {Map<string, NetworkQuality>} */
  #remoteQuality = new Map();

  /**
   * @param {ClientConfig} config
   * @param {object} [places] for tests
   * @param {import('../core/ports.js').Platform} [places.platform]
   * @param {() => RTCPeerConnection} [places.connect]
   * @param {(events: import('./surroundings.js').SurroundingsEvents) => Surroundings} [places.surroundings]
   */
  constructor({ mode, codec, role, server, sei = false, steer = true }, { platform = browserPlatform, connect, surroundings } = {}) {
    super((cause) => log.error('a listener threw', cause));
    if (!['rtc', 'live', 'h264_interop'].includes(mode)) throw invalid('mode', 'the mode is rtc, live or h264_interop');
    if (codec !== 'h264') throw invalid('codec', 'the codec is h264: everybody in the room can play it');
    this.mode = mode;
    this.#platform = platform;
    this.#connect = connect ?? (() => new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' }));
    this.#surroundings = surroundings ?? ((events) => new Surroundings(platform.clock, events));
    this.#core = new CoreClient({
      server: server ?? globalThis.location.origin,
      platform,
      kind: 'web',
      ...(sei ? { capabilities: ['sei'] } : {}),
      ...(role === undefined && mode === 'rtc' ? {} : { role: role ?? 'audience' }),
      createMedia: (uplink) => this.#createPeer(uplink),
      onListenerError: (cause) => this.#exception(cause),
    });
    const { clock } = platform;
    this.#sections = new Arrivals(clock, (key) => this.#peer?.session?.carries(key) ?? false);
    this.#publisher = new Publisher({
      core: this.#core,
      sections: this.#sections,
      refresh: async (stream, kind) => this.#peer?.refresh(stream, kind),
      figures: (stream, kind) => this.#localFigures(stream, kind),
      limits: (stream) => (steer ? this.#core.publishLimits(stream) : null),
    });
    this.#remote = new RemoteUsers({
      core: this.#core, clock, sections: this.#sections,
      hooks: {
        published: (user, mediaType) => this.emit('user-published', user, mediaType),
        unpublished: (user, mediaType) => this.emit('user-unpublished', user, mediaType),
        info: (user, message) => this.emit('user-info-updated', user.uid, message),
        figures: (key) => this.#meter.figures.remote.get(key) ?? {},
        amplitude: (key) => this.#amplitude(key),
        report: (cause) => this.#exception(cause),
      },
    });
    this.#meter = new Meter({
      clock,
      peer: () => this.#peer,
      rttMs: () => this.#core.rttMs,
      measured: (uplinkNetworkQuality, downlinkNetworkQuality) =>
        this.emit('network-quality', { uplinkNetworkQuality, downlinkNetworkQuality }),
      report: (stats) => this.#core.reportStats(stats),
      failed: (cause) => log.debug('statistics', cause),
    });
    this.#indicator = new VolumeIndicator(clock, () => this.emit('volume-indicator', this.#volumes()));
    this.#listen();
  }

  /** @returns {ConnectionState} */
  get connectionState() {
    return this.#core.connectionState;
  }

  /** @returns {Uid | undefined} */
  get uid() {
    return this.#core.uid;
  }

  /** @returns {Role} */
  get role() {
    return this.#core.role ?? 'host';
  }

  /** Whether this participant may mute, kick and ban others. */
  get admin() {
    return this.#core.admin;
  }

  get remoteUsers() {
    return this.#remote.all;
  }

  get localTracks() {
    return this.#publisher.tracks;
  }

  /** @returns {Record<string, string>} */
  get roomAttributes() {
    return Object.fromEntries(this.#core.roomAttributes);
  }

  /**
   * @param {string} appid
   * @param {string} channel
   * @param {string | null} token null for an app that needs none
   * @param {Uid | null} [uid] a number at random if absent
   * @returns {Promise<Uid>}
   */
  async join(appid, channel, token, uid = null) {
    if (globalThis.RTCPeerConnection === undefined) {
      throw sdkError('NOT_SUPPORTED', 'webrtc_unsupported', 'this browser has no WebRTC, or was told not to use it');
    }
    const joined = await this.#core.join({ app: appid, room: channel, token: token || null, uid: uid === 0 ? null : uid });
    this.channelName = channel;
    return joined;
  }

  /** Never rejects. Afterwards nothing is left: the tracks that were published stay the page's. */
  async leave() {
    await this.#core.leave();
  }

  /** @param {AnyLocalTrack | AnyLocalTrack[]} tracks */
  async publish(tracks) {
    this.#requireRoom();
    await this.#publisher.publish(tracks);
  }

  /** @param {AnyLocalTrack | AnyLocalTrack[]} [tracks] all of them if absent */
  async unpublish(tracks) {
    this.#requireRoom();
    await this.#publisher.unpublish(tracks);
  }

  /**
   * @template {MediaType} T
   * @param {RemoteUser | Uid} user
   * @param {T} mediaType
   * @returns {Promise<T extends 'audio' | 'screen-audio' ? RemoteAudioTrack : RemoteVideoTrack>}
   */
  async subscribe(user, mediaType) {
    this.#requireRoom();
    return /** @type {any} */ (await this.#remote.subscribe(user, mediaType));
  }

  /**
   * @param {RemoteUser | Uid} user
   * @param {MediaType} [mediaType] everything if absent
   */
  async unsubscribe(user, mediaType) {
    this.#requireRoom();
    await this.#remote.unsubscribe(user, mediaType);
  }

  /** From now on `active-speaker` says who speaks, as the server hears it. */
  async followSpeaker() {
    await this.#core.subscribe(this.#ownUid(), 'speaker', { audio: false });
  }

  async unfollowSpeaker() {
    await this.#core.unsubscribe(this.#ownUid(), 'speaker');
  }

  /**
   * The largest size of somebody's pictures that is wished for: `h` is the full one, `m` and `l` are a half and a quarter as
   * wide and high, or what there is next to that.
   *
   * @param {RemoteUser | Uid} user
   * @param {import('../core/protocol.js').Layer} layer
   * @param {'video' | 'screen'} [mediaType]
   */
  async setRemoteVideoLayer(user, layer, mediaType = 'video') {
    this.#requireRoom();
    if (!isLayer(layer)) throw invalid('layer', 'the layer is l, m or h');
    await this.#remote.setMaxLayer(user, mediaType, layer);
  }

  /**
   * As in Agora's Web SDK.
   *
   * @param {RemoteUser | Uid} user
   * @param {0 | 1} streamType 0 the full picture, 1 the smallest there is
   */
  setRemoteVideoStreamType(user, streamType) {
    return this.setRemoteVideoLayer(user, streamType === 1 ? 'l' : 'h');
  }

  /**
   * How large somebody's pictures are shown: no larger ones are sent than that needs.
   *
   * @param {RemoteUser | Uid} user
   * @param {{ width: number, height: number }} place in CSS pixels; nothing where they are hidden
   * @param {'video' | 'screen'} [mediaType]
   */
  setRemoteVideoSize(user, { width, height }, mediaType = 'video') {
    const scale = globalThis.devicePixelRatio ?? 1;
    return this.setRemoteVideoLayer(user, layerForPlace(width * scale, height * scale), mediaType);
  }

  /** @param {Role} role */
  async setClientRole(role) {
    await this.#core.setClientRole(role);
  }

  /** @param {string} token */
  async renewToken(token) {
    await this.#core.renewToken(token);
  }

  /**
   * @param {string | Uint8Array} content at most 8192 bytes
   * @param {Uid} [toUid] all others if absent
   * @returns {Promise<number>} the id of the message
   */
  sendMessage(content, toUid) {
    return this.#core.sendMessage(content, toUid);
  }

  /**
   * In the pictures of a stream of one's own.
   *
   * @param {string | Uint8Array} content at most 2048 bytes
   * @param {{ stream?: StreamName, type?: 5 | 242 }} [options]
   */
  sendSei(content, options) {
    return this.#core.sendSei(content, options);
  }

  /**
   * @param {string} key
   * @param {string | null} value null removes it
   */
  setRoomAttribute(key, value) {
    return this.#core.setRoomAttribute(key, value);
  }

  /**
   * @param {StreamName} stream one of one's own
   * @param {string} key
   * @param {string | null} value null removes it
   */
  setStreamAttribute(stream, key, value) {
    return this.#core.setStreamAttribute(stream, key, value);
  }

  /**
   * @param {Uid} uid
   * @param {string} [text] for whom it hits
   */
  kick(uid, text) {
    return this.#core.kick(uid, text);
  }

  /**
   * @param {Uid} uid
   * @param {number} seconds 0 lifts a ban
   * @param {string} [text]
   */
  ban(uid, seconds, text) {
    return this.#core.ban(uid, seconds, text);
  }

  /**
   * Somebody else's track, for admins.
   *
   * @param {Uid} uid
   * @param {MediaType} mediaType
   * @param {boolean} muted
   * @returns {Promise<TrackState>}
   */
  async muteUser(uid, mediaType, muted) {
    const section = sectionOf(mediaType);
    if (section === undefined) throw invalid('mediaType', `there is no ${mediaType}`);
    return this.#core.mute(section.stream, section.kind, muted, uid);
  }

  closeRoom() {
    return this.#core.closeRoom();
  }

  /** Tells `volume-indicator` from now on. @param {number} [intervalMs] */
  enableAudioVolumeIndicator(intervalMs = 2000) {
    this.#indicator.enable(intervalMs);
    if (this.connectionState === 'CONNECTED') this.#indicator.start();
  }

  getRTCStats() {
    const { transport } = this.#meter.figures;
    return {
      Duration: this.#meter.seconds,
      RecvBitrate: transport.receiveBitrate ?? 0,
      RecvBytes: transport.receiveBytes ?? 0,
      SendBitrate: transport.sendBitrate ?? 0,
      SendBytes: transport.sendBytes ?? 0,
      UserCount: this.connectionState === 'DISCONNECTED' ? 0 : this.#remote.all.length + 1,
      RTT: Math.round(transport.rttMs ?? this.#core.rttMs ?? 0),
      /** kbit/s */
      OutgoingAvailableBandwidth: Math.round((transport.availableSendBitrate ?? 0) / 1000),
    };
  }

  /** @returns {import('./stats.js').LocalVideoStats} */
  getLocalVideoStats() {
    return this.#localFigures('camera', 'video');
  }

  /** @returns {import('./stats.js').LocalAudioStats} */
  getLocalAudioStats() {
    return this.#localFigures('camera', 'audio');
  }

  /** By uid. @returns {Record<string, import('./stats.js').RemoteVideoStats>} */
  getRemoteVideoStats() {
    return this.#remoteFigures('video');
  }

  /** By uid. @returns {Record<string, import('./stats.js').RemoteAudioStats>} */
  getRemoteAudioStats() {
    return this.#remoteFigures('audio');
  }

  /** By uid: what the others' networks are like, as the server says. */
  getRemoteNetworkQuality() {
    return Object.fromEntries(this.#remoteQuality);
  }

  /** @param {import('../core/ports.js').MediaUplink} uplink */
  #createPeer(uplink) {
    const ownUid = this.#core.uid ?? '';
    this.#peer = new Peer({
      uplink,
      clock: this.#platform.clock,
      connect: this.#connect,
      hooks: {
        ownUid: () => this.#core.uid ?? ownUid,
        source: (stream, kind) => this.#publisher.source(stream, kind),
        received: (section, track) => this.#remote.received(section, track),
        sending: ({ key }) => this.#sections.settle(key),
        report: (cause) => this.#exception(cause),
      },
      bytesReceived: () => this.#meter.figures.transport.receiveBytes,
      troubled: (trouble) => this.emit(trouble ? 'media-reconnect-start' : 'media-reconnect-end', this.#core.uid ?? ownUid),
    });
    this.#meter.start();
    this.#indicator.start();
    this.#watch = this.#surroundings({
      networkChanged: () => {
        this.#core.networkChanged();
        this.#peer?.networkChanged();
      },
      woke: () => {
        this.#core.networkChanged();
        this.#peer?.woke();
      },
      leaving: () => void this.leave(),
    });
    this.#watch.start();
    return this.#peer;
  }

  #listen() {
    const core = this.#core;
    core.on('connection-state-change', (current, previous, reason) => {
      if (current === 'DISCONNECTED') this.#finish();
      this.emit('connection-state-change', current, previous, reason);
    });
    core.on('user-joined', (known) => this.emit('user-joined', this.#remote.joined(known)));
    core.on('user-left', (known, reason) => {
      const user = this.#remote.left(known);
      this.#remoteQuality.delete(uidKey(known.uid));
      if (user !== undefined) this.emit('user-left', user, LEAVE_REASONS[reason] ?? reason);
    });
    core.on('user-published', (known, kind, stream) => this.#remote.changed(known, kind, stream));
    core.on('user-unpublished', (known, kind, stream) => this.#remote.changed(known, kind, stream));
    core.on('track-state', (known, kind, stream) => this.#remote.changed(known, kind, stream));
    core.on('role-changed', (known) => this.#ifKnown(known, (user) => this.emit('user-role-changed', user)));
    core.on('platform-changed', (known) => this.#ifKnown(known, () => {}));
    core.on('user-connection', (known) => this.#ifKnown(known, (user) => this.emit('user-connection', user)));
    core.on('stream-attribute', (known, stream, key, value) =>
      this.#ifKnown(known, (user) => this.emit('stream-attribute', user, stream, key, value)));
    core.on('room-attribute', (key, value, by) => this.emit('room-attribute', key, value, by));
    core.on('message', (message) => this.#message(message));
    core.on('sei', (sei) => this.emit('sei', sei));
    core.on('publish-limits', (stream, limits) => {
      this.#peer?.refresh(stream, 'video').catch((cause) => this.#exception(cause));
      this.emit('publish-limits', stream, limits);
    });
    core.on('layers-wanted', (stream, layers) => this.#peer?.layersWanted(stream, layers));
    core.on('network-quality', (participants) => this.#qualities(participants));
    core.on('token-privilege-will-expire', () => this.emit('token-privilege-will-expire'));
    core.on('token-privilege-did-expire', () => this.emit('token-privilege-did-expire'));
    core.on('local-track-state', (stream, kind, state, by) => this.emit('local-track-state', mediaTypeOf(stream, kind), state, by));
    core.on('local-unpublished', (stream) => this.emit('local-unpublished', this.#publisher.ended(stream)));
    core.on('local-role-changed', (role) => this.emit('local-role-changed', role));
    core.on('subscription-ended', (uid, stream) => {
      if (isPublished(stream)) this.#remote.subscriptionEnded(uid, stream);
    });
    core.on('speaker', (uid) => this.emit('active-speaker', uid));
    core.on('session-ended', (error) => this.emit('session-ended', error));
    core.on('exception', (cause) => this.#exception(cause));
  }

  /**
   * @param {import('../core/room.js').RemoteUser} known
   * @param {(user: RemoteUser) => void} tell
   */
  #ifKnown(known, tell) {
    const user = this.#remote.refreshed(known);
    if (user !== undefined) tell(user);
  }

  /** @param {Message} message */
  #message(message) {
    this.emit('message', message);
    this.emit('stream-message', message.from, message.data ?? new TextEncoder().encode(message.text ?? ''));
  }

  /** @param {import('../core/protocol.js').Event<'network_quality'>['participants']} participants */
  #qualities(participants) {
    for (const { uid, uplink, downlink } of participants) {
      const quality = /** @type {NetworkQuality} */ ({ uplinkNetworkQuality: uplink, downlinkNetworkQuality: downlink });
      this.#remoteQuality.set(uidKey(uid), quality);
    }
  }

  /** Nothing of the stay is left. */
  #finish() {
    this.#watch?.stop();
    this.#watch = null;
    this.#peer?.close();
    this.#peer = null;
    this.#meter.stop();
    this.#indicator.stop();
    for (const track of this.#publisher.tracks) if ('releaseMeter' in track) track.releaseMeter();
    this.#publisher.close();
    this.#remote.close();
    this.#sections.close(localError('left', 'left the room'));
    this.#remoteQuality.clear();
    this.channelName = undefined;
  }

  #volumes() {
    const own = this.#publisher.track('camera', 'audio');
    const uid = this.uid;
    const volumes = this.#remote.all
      .filter(({ audioTrack }) => audioTrack !== undefined)
      .map(({ uid: remoteUid, audioTrack }) => ({ uid: remoteUid, level: Math.round((audioTrack?.getVolumeLevel() ?? 0) * 100) }));
    if (own === undefined || uid === undefined || !('getVolumeLevel' in own)) return volumes;
    return [{ uid, level: Math.round(own.getVolumeLevel() * 100) }, ...volumes];
  }

  /**
   * At once from the packets where they say it, otherwise as the browser last measured it.
   *
   * @param {string} key
   */
  #amplitude(key) {
    const { session } = this.#peer ?? {};
    const mid = session?.sections.find(key)?.mid;
    const receiver = session?.connection.getTransceivers().find((transceiver) => transceiver.mid === mid)?.receiver;
    return receiver?.getSynchronizationSources()[0]?.audioLevel ?? this.#meter.figures.remote.get(key)?.receiveLevel;
  }

  /**
   * @param {StreamName} stream
   * @param {import('../core/protocol.js').Kind} kind
   * @returns {import('./stats.js').LocalStats}
   */
  #localFigures(stream, kind) {
    return this.#meter.figures.local.get(sectionKey(this.uid ?? '', stream, kind)) ?? {};
  }

  /** @param {import('../core/protocol.js').Kind} kind */
  #remoteFigures(kind) {
    return Object.fromEntries(this.#remote.all.flatMap(({ uid }) => {
      const found = this.#meter.figures.remote.get(sectionKey(uid, 'camera', kind));
      return found === undefined ? [] : [[uidKey(uid), found]];
    }));
  }

  /** @param {unknown} cause */
  #exception(cause) {
    const known = cause instanceof RtcError ? cause : null;
    const msg = cause instanceof Error ? cause.message : String(cause);
    log.warn(msg);
    this.emit('exception', { code: known?.code ?? 'UNEXPECTED_ERROR', msg, uid: this.uid });
  }

  /** @returns {Uid} */
  #ownUid() {
    if (this.uid === undefined) throw localError('not_connected', 'not in a room');
    return this.uid;
  }

  #requireRoom() {
    if (this.connectionState !== 'CONNECTED' && this.connectionState !== 'RECONNECTING') {
      throw localError('not_connected', 'not in a room');
    }
  }
}
