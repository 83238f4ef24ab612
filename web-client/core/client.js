import { toBase64 } from './base64.js';
import { Emitter } from './emitter.js';
import { localError } from './errors.js';
import { Stay } from './stay.js';

/** @typedef {import('./protocol.js').StreamName} StreamName */
/** @typedef {import('./protocol.js').ReceivedName} ReceivedName */
/** @typedef {import('./protocol.js').Kind} Kind */
/** @typedef {import('./protocol.js').Uid} Uid */
/** @typedef {import('./protocol.js').Role} Role */
/** @typedef {import('./protocol.js').TrackState} TrackState */
/** @typedef {import('./room.js').RemoteUser} RemoteUser */
/** @typedef {import('./connection.js').ConnectionState} ConnectionState */
/** @typedef {import('./connection.js').DisconnectedReason} DisconnectedReason */

/**
 * @typedef {object} Message
 * @property {number} id
 * @property {Uid} from
 * @property {boolean} private to this participant alone
 * @property {number} at seconds since 1970, by the server's clock
 * @property {string} [text]
 * @property {Uint8Array} [data]
 */

/**
 * User data that came in the pictures of a stream, or would have.
 *
 * @typedef {object} Sei
 * @property {Uid} uid whose stream
 * @property {StreamName} stream
 * @property {number} type of the SEI message: 5 or 242
 * @property {string} [uuid] of type 5: whose data it is, in hexadecimal digits
 * @property {string} [text] if it is UTF-8
 * @property {Uint8Array} [data] otherwise
 */

/**
 * What a stream of one's own should be sent with at most, because the others' networks carry no more.
 *
 * @typedef {object} PublishLimits
 * @property {number} maxKbps of the pictures
 * @property {number} [shortSide] of a picture that this rate carries well, in pixels
 */

/**
 * What a client tells. Names that Agora's Web SDK has mean the same; a stream is added, as there are two.
 *
 * @typedef {object} ClientEvents
 * @property {[current: ConnectionState, previous: ConnectionState, reason: DisconnectedReason | undefined]} connection-state-change
 * @property {[user: RemoteUser]} user-joined
 * @property {[user: RemoteUser, reason: string]} user-left
 * @property {[user: RemoteUser, kind: Kind, stream: StreamName]} user-published
 * @property {[user: RemoteUser, kind: Kind, stream: StreamName]} user-unpublished
 * @property {[user: RemoteUser, kind: Kind, stream: StreamName, state: TrackState, by: Uid | undefined]} track-state
 *   muted, blocked or live again
 * @property {[user: RemoteUser, role: Role]} role-changed
 * @property {[user: RemoteUser, platform: string]} platform-changed the same uid, elsewhere
 * @property {[user: RemoteUser, state: 'connected' | 'reconnecting']} user-connection
 * @property {[user: RemoteUser, stream: StreamName, key: string, value: string | null]} stream-attribute
 * @property {[key: string, value: string | null, by: Uid | undefined]} room-attribute
 * @property {[message: Message]} message
 * @property {[uid: Uid]} speaker who speaks, for those who receive `mix` or `speaker`
 * @property {[qualities: import('./protocol.js').Event<'network_quality'>['participants']]} network-quality
 * @property {[stream: StreamName, limits: PublishLimits | null]} publish-limits null: none any more
 * @property {[sei: Sei]} sei with the capability `sei` alone
 * @property {[stream: StreamName, layers: import('./protocol.js').Layer[]]} layers-wanted of one's own pictures: those to send
 * @property {[]} token-privilege-will-expire
 * @property {[]} token-privilege-did-expire
 * @property {[stream: StreamName]} local-unpublished without having been asked to
 * @property {[stream: StreamName, kind: Kind, state: TrackState, by: Uid | undefined]} local-track-state an admin did it
 * @property {[role: Role]} local-role-changed
 * @property {[uid: Uid, stream: ReceivedName]} subscription-ended without having been asked to
 * @property {[error: import('./errors.js').RtcError]} session-ended for another reason than leaving
 * @property {[cause: unknown]} exception something failed that nobody waits for
 */

/**
 * @typedef {object} ClientOptions
 * @property {string} server `https://host`, `wss://host`, or with `http` and `ws`; the path is `/signal` if there is none
 * @property {import('./ports.js').Platform} platform
 * @property {'web' | 'miniprogram' | 'native'} kind what the server gives for media follows from it
 * @property {string[]} [capabilities]
 * @property {Role} [role] to join as; what the token allows if absent
 * @property {(uplink: import('./ports.js').MediaUplink) => import('./ports.js').Media} createMedia called once per
 *   stay in a room
 * @property {import('./connection.js').Persistence} [persistence] what happens when the session is lost
 * @property {(cause: unknown) => void} [onListenerError] is given what a listener throws
 */

/** A participant of one room at a time. @extends {Emitter<ClientEvents>} */
export class Client extends Emitter {
  #options;
  #url;
  /** @type {Stay | null} */
  #stay = null;
  /** @type {Role | undefined} */
  #role;

  /** @param {ClientOptions} options */
  constructor(options) {
    super(options.onListenerError);
    this.#options = options;
    this.#role = options.role;
    this.#url = signalUrl(options.server);
  }

  /** @returns {ConnectionState} */
  get connectionState() {
    return this.#stay?.connection.state ?? 'DISCONNECTED';
  }

  /** @returns {Uid | undefined} */
  get uid() {
    return this.#stay?.uid;
  }

  /** @returns {Role | undefined} undefined while nobody has said one */
  get role() {
    return this.#stay?.role ?? this.#role;
  }

  /** Whether this participant may mute, kick and ban others. */
  get admin() {
    return this.#stay?.admin ?? false;
  }

  /** @returns {RemoteUser[]} */
  get remoteUsers() {
    return this.#stay?.room.users ?? [];
  }

  /** @returns {ReadonlyMap<string, string>} */
  get roomAttributes() {
    return this.#stay?.room.attributes ?? new Map();
  }

  /** What the server asks for now. @param {StreamName} stream @returns {PublishLimits | null} */
  publishLimits(stream) {
    return this.#stay?.limits.get(stream) ?? null;
  }

  get publications() {
    return this.#stay?.ledger.publications ?? [];
  }

  get subscriptions() {
    return this.#stay?.ledger.subscriptions ?? [];
  }

  /** Of the signalling. @returns {number | null} */
  get rttMs() {
    return this.#stay?.connection.rttMs ?? null;
  }

  /** What the server should not have sent, or null outside a room. */
  get counters() {
    return this.#stay?.connection.counters ?? null;
  }

  /** @param {Uid} uid */
  remoteUser(uid) {
    return this.#stay?.room.user(uid);
  }

  /**
   * Events of this room come only after the promise has told its listeners.
   *
   * @param {object} room
   * @param {string} room.app
   * @param {string} room.room
   * @param {string | null} [room.token]
   * @param {Uid | null} [room.uid] a number at random if absent
   * @returns {Promise<Uid>}
   */
  async join({ app, room, token = null, uid = null }) {
    if (this.#stay !== null) throw localError('in_room', 'leave the room before joining one');
    const { platform, kind, capabilities, createMedia, persistence } = this.#options;
    const join = {
      app,
      room,
      uid: uid ?? 1 + Math.floor(platform.random() * 0xffff_fffe),
      platform: kind,
      ...(token === null ? {} : { token }),
      ...(this.#role === undefined ? {} : { role: this.#role }),
      ...(capabilities === undefined ? {} : { capabilities }),
    };
    const stay = new Stay({
      url: this.#url,
      platform,
      join,
      createMedia,
      ...(persistence === undefined ? {} : { persistence }),
      tell: ({ name, args }) => {
        // Before anybody hears of it, so that a listener can join again.
        if (name === 'connection-state-change' && args[0] === 'DISCONNECTED' && this.#stay === stay) this.#stay = null;
        this.emit(name, ...args);
      },
    });
    this.#stay = stay;
    try {
      return await stay.join();
    } catch (cause) {
      if (this.#stay === stay) this.#stay = null;
      throw cause;
    }
  }

  /** Never rejects. Afterwards no timer and no socket is left. */
  async leave() {
    await this.#stay?.connection.leave();
  }

  /**
   * Before joining: what to join as.
   *
   * @param {Role} role who becomes audience publishes nothing any longer
   */
  async setClientRole(role) {
    if (role !== 'host' && role !== 'audience') throw invalid('role', 'the role is host or audience');
    await this.#stay?.setRole(role);
    this.#role = role;
  }

  /** @param {string} token */
  async renewToken(token) {
    await this.#inRoom().renewToken(token);
  }

  /**
   * @param {StreamName} stream
   * @param {{ audio: boolean, video: boolean, layers?: number, attributes?: Record<string, string> }} tracks again with
   *   others to change them. `layers`: in how many sizes the pictures can be sent
   * @returns {Promise<import('./ports.js').PublishedMedia>}
   */
  async publish(stream, { audio, video, layers = 1, attributes }) {
    if (!audio && !video) throw invalid('tracks', 'neither sound nor pictures');
    const several = layers === 1 ? {} : { layers };
    return this.#inRoom().publish({ stream, audio, video, ...several, ...(attributes === undefined ? {} : { attributes }) });
  }

  /** @param {StreamName} stream */
  async unpublish(stream) {
    await this.#inRoom().unpublish(stream);
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   * @param {{ audio?: boolean, video?: boolean, maxLayer?: import('./protocol.js').Layer }} [tracks] again with others to
   *   change them. `maxLayer`: the largest size of the pictures that is wished for
   * @returns {Promise<import('./ports.js').SubscribedMedia>}
   */
  async subscribe(uid, stream, { audio = true, video = true, maxLayer = 'h' } = {}) {
    if (!audio && !video) throw invalid('tracks', 'neither sound nor pictures');
    return this.#inRoom().subscribe({ uid, stream, audio, video, ...(maxLayer === 'h' ? {} : { max_layer: maxLayer }) });
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   */
  async unsubscribe(uid, stream) {
    await this.#inRoom().unsubscribe(uid, stream);
  }

  /**
   * @param {StreamName} stream
   * @param {Kind} kind
   * @param {boolean} muted
   * @param {Uid} [uid] somebody else's, for admins
   * @returns {Promise<TrackState>} how the track is now
   */
  async mute(stream, kind, muted, uid) {
    return this.#inRoom().mute({ stream, kind, muted, ...(uid === undefined ? {} : { uid }) });
  }

  /**
   * @param {string | Uint8Array} content at most 8192 bytes
   * @param {Uid} [to] all others if absent
   * @returns {Promise<number>} the id of the message
   */
  async sendMessage(content, to) {
    const body = typeof content === 'string' ? { text: content } : { data: toBase64(content) };
    const request = { ...body, ...(to === undefined ? {} : { to }) };
    return (await this.#inRoom().connection.request('send_message', request)).message_id;
  }

  /**
   * In the pictures of a stream of one's own for players without signalling, and as event `sei` for everybody else who
   * receives it and wants to be told. How it comes is not confirmed: a picture may be lost on its way.
   *
   * @param {string | Uint8Array} content at most 2048 bytes
   * @param {object} [options]
   * @param {StreamName} [options.stream]
   * @param {5 | 242} [options.type] of the SEI message
   */
  async sendSei(content, { stream = 'camera', type = 5 } = {}) {
    const body = typeof content === 'string' ? { text: content } : { data: toBase64(content) };
    await this.#inRoom().connection.request('send_sei', { stream, sei_type: type, ...body });
  }

  /**
   * @param {string} key
   * @param {string | null} value null removes it
   */
  async setRoomAttribute(key, value) {
    await this.#inRoom().connection.request('set_room_attribute', { key, value });
  }

  /**
   * @param {StreamName} stream
   * @param {string} key
   * @param {string | null} value null removes it
   */
  async setStreamAttribute(stream, key, value) {
    await this.#inRoom().setStreamAttribute({ stream, key, value });
  }

  /**
   * @param {Uid} uid
   * @param {string} [message] for whom it hits
   */
  async kick(uid, message) {
    await this.#inRoom().connection.request('kick', { uid, ...(message === undefined ? {} : { message }) });
  }

  /**
   * @param {Uid} uid
   * @param {number} seconds 0 lifts a ban
   * @param {string} [message]
   */
  async ban(uid, seconds, message) {
    await this.#inRoom().connection.request('ban', { uid, seconds, ...(message === undefined ? {} : { message }) });
  }

  async closeRoom() {
    await this.#inRoom().connection.request('close_room', {});
  }

  /** Is dropped when there is no connection. @param {import('./protocol.js').Request<'stats'>} stats */
  async reportStats(stats) {
    if (this.connectionState !== 'CONNECTED') return;
    await this.#inRoom().connection.request('stats', stats);
  }

  /** For the platform: the network may have changed, or the device was asleep. */
  networkChanged() {
    this.#stay?.connection.probe();
  }

  #inRoom() {
    if (this.#stay === null) throw localError('not_connected', 'not in a room');
    return this.#stay;
  }
}

/**
 * @param {string} server
 * @returns {string}
 */
export function signalUrl(server) {
  const found = /^(?:http|ws)(s?):\/\/([^/?#\s]+)(\/[^?#\s]*)?$/i.exec(server);
  if (found === null) throw invalid('server', 'the server is an address like https://example.com');
  const [, secure = '', host = '', path = '/'] = found;
  return `ws${secure.toLowerCase()}://${host}${path === '/' ? '/signal' : path}`;
}

/**
 * @param {string} field
 * @param {string} message
 */
function invalid(field, message) {
  return localError('invalid_params', message, { field });
}
