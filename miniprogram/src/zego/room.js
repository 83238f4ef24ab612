import { RtcError } from '../../../web-client/core/errors.js';
import { uidKey } from '../../../web-client/core/room.js';
import { Client } from '../core/client.js';
import { Bulletin } from './bulletin.js';
import { Directory, EXTRA_INFO, STREAM_ID } from './directory.js';
import { Code, ZegoError, errorOf, loginErrorOf } from './errors.js';
import { envelope, readMessage } from './messages.js';
import { knownName, nameOwner, sayName, takeBackName } from './names.js';

/** @typedef {import('../core/client.js').RemoteStream} RemoteStream */
/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('../core/client.js').StreamName} StreamName */
/** @typedef {import('./emitter.js').ZegoUser} ZegoUser */

/**
 * The SDK reconnects by itself for as long, and says DISCONNECTED then. People who are away longer do not expect to find
 * the call going on.
 */
const RECONNECT_MS = 20 * 60_000;
/** How long a mini-program's user is not told of while their name may still come: it follows joining at once. */
const NAME_WAIT_MS = 1_000;

/**
 * What a room needs of the engine.
 *
 * @typedef {object} RoomHost
 * @property {import('./emitter.js').ZegoEmitter} emitter
 * @property {import('../../../web-client/core/ports.js').Platform} platform
 * @property {import('../core/wx.js').Wx} wx
 * @property {(room: Room, streamID: string, stream: RemoteStream) => void} appeared
 * @property {(streamID: string) => void} disappeared
 * @property {(room: Room, error: ZegoError) => void} ended the room is over, not by logging out
 * @property {(level: 'info' | 'warn' | 'error', text: string) => void} log
 */

/**
 * @typedef {object} RoomOptions
 * @property {string} roomID
 * @property {{ userID: string, userName: string | null }} user
 * @property {string} app
 * @property {string[]} servers tried one after the other
 * @property {boolean} userUpdate
 * @property {number} maxMemberCount 0: no more than the server's
 */

/** One login: a client of its own, and what it tells in the vendor's words. */
export class Room {
  directory = new Directory();
  #options;
  #host;
  #bulletin;
  /** @type {Client | null} */
  #client = null;
  /** @type {'new' | 'logging in' | 'in' | 'over'} */
  #state = 'new';
  /** Users whose name may still come. @type {Map<string, unknown>} */
  #unnamed = new Map();
  #named = false;
  /** What the others were called when they were last told of: a name may go with the stream that carried it. @type {Map<string, string>} */
  #names = new Map();

  /** @param {RoomOptions} options @param {RoomHost} host */
  constructor(options, host) {
    this.#options = options;
    this.#host = host;
    this.#bulletin = new Bulletin(options.roomID, host.emitter, () => (this.#client?.participants.length ?? 0) + 1);
  }

  get id() {
    return this.#options.roomID;
  }

  get userID() {
    return this.#options.user.userID;
  }

  /** For the streams that this user publishes; null if they have none. */
  get userName() {
    return this.#options.user.userName;
  }

  get loggedIn() {
    return this.#state === 'in';
  }

  /** @returns {Client} throws a ZegoError outside the room */
  get client() {
    if (this.#client === null || this.#state !== 'in') throw new ZegoError(Code.notLoggedIn, `not in the room ${this.id}`);
    return this.#client;
  }

  /** @param {string | null} token @returns {Promise<void>} rejects with a ZegoError */
  async login(token) {
    this.#state = 'logging in';
    this.#tell('CONNECTING', 'LOGINING', Code.ok, '');
    try {
      await this.#join(token);
    } catch (cause) {
      const error = loginErrorOf(cause);
      if (!this.#over) {
        this.#finish();
        this.#tell('DISCONNECTED', 'LOGIN_FAILED', error.errorCode, error.extendedData);
      }
      throw error;
    }
    this.#state = 'in';
    this.#tell('CONNECTED', 'LOGINED', Code.ok, '');
    this.#bulletin.count();
    this.#sayName();
  }

  /** Tells of it at once; the server hears of it in the background. */
  logout() {
    if (this.#over) return;
    const client = this.#client;
    this.#finish();
    if (client !== null) {
      if (this.#named) takeBackName(client).catch(() => {});
      client.leave().catch((cause) => this.#host.log('warn', String(cause)));
    }
    this.#tell('DISCONNECTED', 'LOGOUT', Code.ok, '');
  }

  /** @param {Uid} uid @returns {ZegoUser} */
  user(uid) {
    const userID = uidKey(uid);
    if (userID === this.userID) return { userID, userName: this.userName ?? userID };
    const name = this.#client === null ? null : knownName(this.#client, uid);
    if (name !== null) this.#names.set(userID, name);
    return { userID, userName: this.#names.get(userID) ?? userID };
  }

  /** @param {'barrage' | 'command'} kind @param {string} text to all */
  async sendEnvelope(kind, text) {
    await this.client.sendMessage(envelope(kind, text));
  }

  /** A stream of one's own is over, and its id free. @param {string} streamID */
  release(streamID) {
    if (!this.loggedIn) return;
    for (const { id, stream } of this.directory.release(streamID)) this.#added(id, stream);
  }

  /** `logout` may have come while something else was waited for. */
  get #over() {
    return this.#state === 'over';
  }

  /** @param {string | null} token */
  async #join(token) {
    const { app, servers, roomID, user, maxMemberCount } = this.#options;
    /** @type {unknown} */
    let failure = new ZegoError(Code.dispatchError, 'there is no server to log in to');
    for (const server of servers) {
      if (this.#over) break;
      try {
        const client = this.#makeClient(server);
        await client.join({ app, room: roomID, uid: user.userID, token });
        if (this.#over) throw new ZegoError(Code.notLoggedIn, 'logged out while logging in');
        if (maxMemberCount === 0 || client.participants.length < maxMemberCount) return;
        await client.leave();
        throw new ZegoError(Code.roomFull, `the room has ${maxMemberCount} users already`);
      } catch (cause) {
        failure = cause;
        // Every other answer would be that of the next server, too.
        if (!(cause instanceof RtcError && cause.reason === 'unreachable')) break;
      }
    }
    throw failure;
  }

  /** @param {string} server */
  #makeClient(server) {
    const { platform, wx } = this.#host;
    const client = new Client({ server, platform, wx, persistence: { rejoins: true, patienceMs: RECONNECT_MS } });
    this.#client = client;
    /** @type {import('../core/client.js').ConnectionState} */
    let before = 'DISCONNECTED';
    client.on('state', (current, previous) => {
      before = previous;
      if (!this.loggedIn) return;
      if (current === 'RECONNECTING') this.#tell('CONNECTING', 'RECONNECTING', Code.networkRecovery, '');
      if (current === 'CONNECTED') this.#tell('CONNECTED', 'RECONNECTED', Code.ok, '');
    });
    client.on('ended', (cause) => this.#ended(errorOf(cause), before === 'RECONNECTING'));
    client.on('exception', (cause) => this.#host.log('warn', String(cause)));
    this.#listen(client);
    return client;
  }

  /** @param {Client} client */
  #listen(client) {
    /**
     * @template {keyof import('../core/client.js').ClientEvents} Name
     * @param {Name} name
     * @param {(...args: import('../core/client.js').ClientEvents[Name]) => void} act
     */
    const inRoom = (name, act) => client.on(name, (...args) => {
      if (this.loggedIn) act(...args);
    });
    inRoom('participant-joined', (user) => this.#joined(user));
    inRoom('participant-left', (user, reason) => this.#left(user.uid, reason));
    inRoom('stream-added', (stream) => this.#streamAdded(stream));
    inRoom('stream-removed', (uid, stream) => this.#streamRemoved(uid, stream));
    inRoom('stream-attribute', (stream, key, value) => this.#streamAttribute(stream, key, value));
    inRoom('room-attribute', (key, value, by) => this.#roomAttribute(key, value ?? '', by));
    inRoom('role', () => {
      if (!this.#named) this.#sayName();
    });
    inRoom('message', (message) => this.#message(message));
    inRoom('token-expiring', () => this.#host.emitter.emit('tokenWillExpire', this.id));
  }

  /** @param {ZegoError} error @param {boolean} whileAway */
  #ended(error, whileAway) {
    if (this.#over) return;
    this.#finish();
    // A session that was lost for good is what the vendor calls a network that broke.
    const lost = error.errorCode === Code.socketClosed ? new ZegoError(Code.networkBroken, error.extendedData) : error;
    this.#host.ended(this, lost);
    this.#tell('DISCONNECTED', whileAway ? 'RECONNECT_FAILED' : 'KICKOUT', lost.errorCode, lost.extendedData);
  }

  #finish() {
    this.#state = 'over';
    this.#bulletin.close();
    for (const timer of this.#unnamed.values()) this.#host.platform.clock.clearTimer(timer);
    this.#unnamed.clear();
  }

  #sayName() {
    const { userName, userID } = this.#options.user;
    if (userName === null || userName === userID || this.#client === null) return;
    sayName(this.#client, userName).then(
      (said) => {
        this.#named = said;
      },
      (cause) => this.#host.log('info', `the name of ${userID} is told with their streams alone: ${cause}`),
    );
  }

  /** @param {import('../core/client.js').RemoteUser} user */
  #joined({ uid, platform }) {
    this.#bulletin.count();
    if (!this.#options.userUpdate) return;
    const { clock } = this.#host.platform;
    if (platform !== 'miniprogram' || this.#client === null || knownName(this.#client, uid) !== null) {
      this.#bulletin.user('ADD', this.user(uid));
      return;
    }
    const key = uidKey(uid);
    if (!this.#unnamed.has(key)) this.#unnamed.set(key, clock.setTimer(() => this.#tellUnnamed(uid, false), NAME_WAIT_MS));
  }

  /** Their name is known, or is not going to be. @param {Uid} uid @param {boolean} [waiting] false: the wait is over */
  #tellUnnamed(uid, waiting = true) {
    const key = uidKey(uid);
    if (!this.#unnamed.has(key)) return;
    if (waiting) this.#host.platform.clock.clearTimer(this.#unnamed.get(key));
    this.#unnamed.delete(key);
    this.#bulletin.user('ADD', this.user(uid));
  }

  /** @param {Uid} uid @param {string} reason */
  #left(uid, reason) {
    const key = uidKey(uid);
    this.#bulletin.left(key, reason);
    this.#bulletin.count();
    if (this.#options.userUpdate) {
      this.#tellUnnamed(uid);
      this.#bulletin.user('DELETE', this.user(uid));
    }
    this.#names.delete(key);
  }

  /** @param {RemoteStream} stream */
  #streamAdded(stream) {
    const id = this.directory.add(stream);
    this.#tellUnnamed(stream.uid);
    if (id !== null) this.#added(id, stream);
  }

  /** @param {string} id @param {RemoteStream} stream */
  #added(id, stream) {
    this.#bulletin.stream('ADD', uidKey(stream.uid), this.#item(id, stream.uid, stream.attributes[EXTRA_INFO] ?? ''));
    this.#host.appeared(this, id, stream);
  }

  /** @param {Uid} uid @param {StreamName} stream */
  #streamRemoved(uid, stream) {
    const { removed, added } = this.directory.remove(uid, stream);
    if (removed !== null) {
      this.#bulletin.stream('DELETE', uidKey(uid), this.#item(removed, uid, ''));
      this.#host.disappeared(removed);
    }
    for (const { id, stream: next } of added) this.#added(id, next);
  }

  /** @param {RemoteStream} stream @param {string} key @param {string | null} value */
  #streamAttribute(stream, key, value) {
    if (key === STREAM_ID) {
      this.#streamRemoved(stream.uid, stream.stream);
      this.#streamAdded(stream);
      return;
    }
    const streamID = this.directory.idOf(stream.uid, stream.stream);
    if (key !== EXTRA_INFO || streamID === undefined) return;
    this.#bulletin.streamExtraInfo({ streamID, user: this.user(stream.uid), extraInfo: value ?? '' });
  }

  /** @param {string} key @param {string} value @param {Uid} [by] */
  #roomAttribute(key, value, by) {
    const owner = nameOwner(key);
    if (owner !== null) {
      this.#tellUnnamed(owner);
      // The room was a new one when this user came back, or somebody took them for lost.
      if (owner === this.userID && value === '' && this.#named) this.#sayName();
      return;
    }
    if (by !== undefined && uidKey(by) === this.userID) return;
    const updateUser = by === undefined ? { userID: '', userName: '' } : this.user(by);
    this.#bulletin.roomExtraInfo({ key, value, updateUser, updateTime: Date.now() });
  }

  /** @param {import('../core/client.js').Message} message */
  #message(message) {
    const received = readMessage(message);
    if (received === null) return;
    const { emitter } = this.#host;
    const fromUser = this.user(message.from);
    const about = { fromUser, message: received.text, sendTime: message.at * 1000 };
    if (received.kind === 'broadcast') emitter.emit('IMRecvBroadcastMessage', this.id, [{ ...about, messageID: message.id }]);
    else if (received.kind === 'barrage') emitter.emit('IMRecvBarrageMessage', this.id, [{ ...about, messageID: `${message.id}` }]);
    else emitter.emit('IMRecvCustomCommand', this.id, fromUser, received.text);
  }

  /** @param {string} streamID @param {Uid} uid @param {string} extraInfo @returns {import('./emitter.js').ZegoStream} */
  #item(streamID, uid, extraInfo) {
    const urls = { urlsFLV: '', urlsRTMP: '', urlsHLS: '', urlsHttpsFLV: '', urlsHttpsHLS: '' };
    return { streamID, user: this.user(uid), extraInfo, ...urls };
  }

  /**
   * @param {import('./emitter.js').RoomState} state
   * @param {import('./emitter.js').RoomStateReason} reason
   * @param {number} errorCode
   * @param {string} extendedData
   */
  #tell(state, reason, errorCode, extendedData) {
    this.#host.emitter.emit('roomStateUpdate', this.id, state, errorCode, extendedData);
    this.#host.emitter.emit('roomStateChanged', this.id, reason, errorCode, extendedData);
  }
}
