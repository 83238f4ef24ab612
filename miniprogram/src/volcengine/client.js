import { Emitter } from '../../../web-client/core/emitter.js';
import { RtcError } from '../../../web-client/core/errors.js';
import { answer, reportPageError } from '../core/answer.js';
import { Client as CoreClient } from '../core/client.js';
import * as args from './arguments.js';
import { ERROR_CODES, failureOf, VolcEngineRTCError } from './errors.js';
import { EVENTS } from './events.js';
import { Login } from './login.js';
import { PATIENCE_MS, Room } from './room.js';

/**
 * `onSuccess` and `onFailure` of every call may be left out; the promise says the same.
 *
 * @typedef {() => void} Done
 * @typedef {(error: VolcEngineRTCError) => void} Failed
 */

/**
 * @typedef {object} ClientOptions
 * @property {string} [server] `https://host`; usually given by `withServer`
 * @property {import('./arguments.js').MutePolarity} [mutePolarity] what `true` means in `muteLocal` and `muteRemote`:
 *   `since-3.1.0` (the default) switched off, `before-3.1.0` switched on
 */

/** @typedef {Pick<import('../core/client.js').ClientOptions, 'platform' | 'wx'>} Surroundings for tests */

/** @typedef {{ audio?: boolean, video?: boolean }} MuteOptions what is left out stays as it is */
/** @typedef {{ screen?: boolean }} StreamOptions `screen`: the screen instead of the camera */

/** What waits for an answer of the server's goes under the code of its call. */
const { JOIN_ROOM_ERROR, LOGIN_FAILED, MESSAGE_FAILED, MUTE_LOCAL_ERROR, MUTE_REMOTE_ERROR, PUBLISH_ERROR } = ERROR_CODES;
/** Reasons that mean something else while a connection is made. */
const CONNECTING_CODES = { left: JOIN_ROOM_ERROR, unreachable: ERROR_CODES.WEBSOCKET_FAILED };

/** A client as Volcengine's mini-program SDK has it: one room at a time, and messages beside it. */
export class Client {
  #options;
  #polarity;
  /** @type {Emitter<import('./events.js').EventArguments>} */
  #events = new Emitter(reportPageError);
  /** @type {string | null} */
  #appId = null;
  /** @type {string | null} */
  #businessId = null;
  #visible = true;
  #destroyed = false;
  /** @type {Room | null} */
  #room = null;
  #login;

  /** @param {ClientOptions & Surroundings} [options] */
  constructor({ mutePolarity = 'since-3.1.0', ...options } = {}) {
    if (mutePolarity !== 'since-3.1.0' && mutePolarity !== 'before-3.1.0') {
      throw new VolcEngineRTCError(ERROR_CODES.INVALID_PARAMS, 'mutePolarity: since-3.1.0 or before-3.1.0');
    }
    this.#options = options;
    this.#polarity = mutePolarity;
    this.#login = new Login(() => this.#connect({ role: 'audience' }), (name, ...rest) => this.#events.emit(name, ...rest));
  }

  /** @returns {string} of the connection: `disconnected`, `connecting`, `connected` or `reconnecting` */
  get state() {
    return this.#room?.state.toLowerCase() ?? 'disconnected';
  }

  /**
   * Takes effect at once: there is no need to wait for it before joining.
   *
   * @param {string} appId
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<void>}
   */
  init(appId, onSuccess, onFailure) {
    return this.#answer(ERROR_CODES.GET_CONFIG_ERROR, onSuccess, onFailure, async () => {
      this.#assertAlive();
      if (this.#appId !== null) throw new VolcEngineRTCError(ERROR_CODES.HAS_INITED, 'init was called already');
      this.#appId = args.readText(appId, 'appId');
    });
  }

  /**
   * Leaves the room and logs out. No event comes from now on, and no other call succeeds.
   *
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure] is never called
   * @returns {Promise<void>} never rejects
   */
  destroy(onSuccess, onFailure) {
    this.#destroyed = true;
    this.#events.removeAllListeners();
    return this.#answer(ERROR_CODES.LEAVE_ERROR, onSuccess, onFailure, async () => {
      const room = this.#room;
      this.#room = null;
      await Promise.all([room?.leave(), this.#login.logout()]);
    });
  }

  /**
   * A label for what this client publishes, which everybody in the room can read. Not after `join`.
   *
   * @param {string} businessId
   * @param {(set: boolean) => void} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<boolean>} whether it was set
   */
  setBusinessId(businessId, onSuccess, onFailure) {
    return this.#answer(ERROR_CODES.INVALID_PARAMS, onSuccess, onFailure, async () => {
      const id = args.readBusinessId(businessId);
      if (this.#destroyed || this.#room !== null) return false;
      this.#businessId = id;
      return true;
    });
  }

  /**
   * Events of the room come only after the callback and the listeners of the promise have run.
   *
   * @param {string} token
   * @param {string} roomId
   * @param {string} userId
   * @param {(userId: string) => void} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<string>} the user ID
   */
  join(token, roomId, userId, onSuccess, onFailure) {
    return this.#answer(JOIN_ROOM_ERROR, onSuccess, onFailure, async () => {
      const app = this.#app();
      if (this.#room?.state === 'CONNECTING') throw new VolcEngineRTCError(ERROR_CODES.CONNECTING, 'join is under way');
      if (this.#room !== null) throw new VolcEngineRTCError(ERROR_CODES.ALREADY_IN_ROOM, 'leave the room first');
      const where = {
        app,
        token: args.readText(token, 'token'),
        room: args.readId(roomId, 'roomId'),
        uid: args.readId(userId, 'userId'),
      };
      return this.#join(where);
    });
  }

  /** @param {Done} [onSuccess] @param {Failed} [onFailure] @returns {Promise<void>} */
  leave(onSuccess, onFailure) {
    return this.#answer(ERROR_CODES.LEAVE_ERROR, onSuccess, onFailure, async () => {
      const room = this.#room;
      if (room === null) throw notInRoom();
      this.#room = null;
      await room.leave();
    });
  }

  /**
   * @param {(url: string) => void} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<string>} the address for `live-pusher`
   */
  publish(onSuccess, onFailure) {
    return this.#answer(PUBLISH_ERROR, onSuccess, onFailure, async () => this.#inRoom().publish());
  }

  /** @param {Done} [onSuccess] @param {Failed} [onFailure] @returns {Promise<void>} */
  unpublish(onSuccess, onFailure) {
    return this.#answer(ERROR_CODES.UNPUBLISH_ERROR, onSuccess, onFailure, async () => this.#inRoom().unpublish());
  }

  /**
   * Again for the same stream it gives a new address, which ends the old one.
   *
   * @param {string} userId
   * @param {{ audio?: boolean, video?: boolean } & StreamOptions} [options] all of the camera if absent
   * @param {(url: string) => void} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<string>} the address for `live-player`
   */
  subscribe(userId, options, onSuccess, onFailure) {
    const call = args.shiftCallbacks(options, onSuccess, onFailure);
    return this.#answer(ERROR_CODES.SUBSCRIBE_FAILED, call.onSuccess, call.onFailure, async () => {
      const room = this.#inRoom();
      return room.subscribe(args.readUid(userId), args.readStream(call.options), args.readTracks(call.options));
    });
  }

  /**
   * @param {string} userId
   * @param {StreamOptions} [options]
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<void>}
   */
  unsubscribe(userId, options, onSuccess, onFailure) {
    const call = args.shiftCallbacks(options, onSuccess, onFailure);
    return this.#answer(ERROR_CODES.UNSUBSCRIBE_FAILED, call.onSuccess, call.onFailure, async () =>
      this.#inRoom().unsubscribe(args.readUid(userId), args.readStream(call.options)));
  }

  /**
   * The server passes on nothing of what is switched off. `enable-camera` and `enable-mic` are the page's affair.
   *
   * @param {MuteOptions} options
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<void>}
   */
  muteLocal(options, onSuccess, onFailure) {
    return this.#answer(MUTE_LOCAL_ERROR, onSuccess, onFailure, async () =>
      this.#inRoom().muteLocal(args.readMutes(options, this.#polarity)));
  }

  /**
   * Only for what is subscribed to. Whatever it changes, a new address follows by `UPDATE_URL`, unless nothing is left.
   *
   * @param {string} userId
   * @param {MuteOptions & StreamOptions} options
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<void>}
   */
  muteRemote(userId, options, onSuccess, onFailure) {
    return this.#answer(MUTE_REMOTE_ERROR, onSuccess, onFailure, async () => {
      const mutes = args.readMutes(options, this.#polarity);
      return this.#inRoom().muteRemote(args.readUid(userId), args.readStream(options), mutes);
    });
  }

  /**
   * Before or after joining. Who is not visible publishes nothing, and users of this SDK are not told of them.
   *
   * @param {boolean} enable
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure] PUBLISH_ERROR if the token does not allow to publish
   * @returns {Promise<void>}
   */
  setUserVisibility(enable, onSuccess, onFailure) {
    return this.#answer(PUBLISH_ERROR, onSuccess, onFailure, async () => {
      this.#assertAlive();
      const visible = args.readFlag(enable);
      if (this.#room !== null) await this.#inRoom().setVisible(visible);
      this.#visible = visible;
    });
  }

  /**
   * @template {import('./events.js').EventName} N
   * @param {N} event one of EVENTS
   * @param {(...args: import('./events.js').EventArguments[N]) => void} listener
   */
  on(event, listener) {
    if (typeof listener !== 'function') throw new VolcEngineRTCError(ERROR_CODES.INVALID_PARAMS, 'listener: a function');
    if (!this.#destroyed) this.#events.on(event, listener);
  }

  /**
   * @template {import('./events.js').EventName} N
   * @param {N} event
   * @param {(...args: import('./events.js').EventArguments[N]) => void} [listener] all of this event if absent
   */
  off(event, listener) {
    this.#events.off(event, listener);
  }

  removeAllListeners() {
    this.#events.removeAllListeners();
  }

  /** What `bindstatechange` of the pusher has brought. @param {number} code @param {string} [message] */
  reportPusherStateChange(code, message) {
    this.#room?.pusherState({ code, message });
  }

  /** `detail.info` of `bindnetstatus`. @param {unknown} info */
  reportPusherNetStatusChange(info) {
    this.#room?.pusherNetStatus({ info });
  }

  /**
   * @param {string} userId
   * @param {number} code
   * @param {string} [message]
   * @param {boolean} [screen] which of the two; without it, it counts for both where both are subscribed to
   */
  reportPlayerStateChange(userId, code, message, screen) {
    this.#room?.playerState(String(userId), { code, message }, streamNamed(screen));
  }

  /** @param {string} userId @param {unknown} info @param {boolean} [screen] as above */
  reportPlayerNetStatusChange(userId, info, screen) {
    this.#room?.playerNetStatus(String(userId), { info }, streamNamed(screen));
  }

  /**
   * For messages outside of rooms. It takes a second connection, until `logout`.
   *
   * @param {string} token for the room `volcengine-login`, or for all rooms
   * @param {string} userId
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<void>}
   */
  login(token, userId, onSuccess, onFailure) {
    return this.#answer(LOGIN_FAILED, onSuccess, onFailure, async () => {
      const who = { app: this.#app(), token: args.readText(token, 'token'), uid: args.readId(userId, 'userId') };
      try {
        await this.#login.login(who);
      } catch (cause) {
        throw failureOf(cause, LOGIN_FAILED, { ...CONNECTING_CODES, left: LOGIN_FAILED });
      }
    });
  }

  /** @param {Done} [onSuccess] @param {Failed} [onFailure] @returns {Promise<void>} */
  logout(onSuccess, onFailure) {
    return this.#answer(LOGIN_FAILED, onSuccess, onFailure, async () => {
      if (!this.#login.begun) throw new VolcEngineRTCError(ERROR_CODES.NOT_LOGIN, 'login first');
      await this.#login.logout();
    });
  }

  /** @param {string} token @param {Done} [onSuccess] @param {Failed} [onFailure] @returns {Promise<void>} */
  updateLoginToken(token, onSuccess, onFailure) {
    return this.#answer(LOGIN_FAILED, onSuccess, onFailure, async () =>
      this.#login.online.renewToken(args.readText(token, 'token')));
  }

  /**
   * @param {string} userId
   * @param {(status: number) => void} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<number>} 1: logged in, 0: not
   */
  getPeerOnlineStatus(userId, onSuccess, onFailure) {
    return this.#answer(LOGIN_FAILED, onSuccess, onFailure, async () => this.#login.onlineStatus(args.readUid(userId)));
  }

  /**
   * To one user in the room. Resolves with the number of the message.
   *
   * @param {string} userId
   * @param {string} message at most 8192 bytes
   * @param {(id: number) => void} [onSuccess]
   * @param {Failed} [onFailure]
   * @returns {Promise<number>}
   */
  sendUserMessage(userId, message, onSuccess, onFailure) {
    return this.#answer(MESSAGE_FAILED, onSuccess, onFailure, async () =>
      this.#inRoom().sendMessage(args.readMessage(message), args.readUid(userId)));
  }

  /** @type {(userId: string, message: ArrayBuffer, onSuccess?: (id: number) => void, onFailure?: Failed) => Promise<number>} */
  sendUserBinaryMessage(userId, message, onSuccess, onFailure) {
    return this.#answer(MESSAGE_FAILED, onSuccess, onFailure, async () =>
      this.#inRoom().sendMessage(args.readBytes(message), args.readUid(userId)));
  }

  /** To all others in the room. @type {(message: string, onSuccess?: (id: number) => void, onFailure?: Failed) => Promise<number>} */
  sendRoomMessage(message, onSuccess, onFailure) {
    return this.#answer(MESSAGE_FAILED, onSuccess, onFailure, async () =>
      this.#inRoom().sendMessage(args.readMessage(message)));
  }

  /** @type {(message: ArrayBuffer, onSuccess?: (id: number) => void, onFailure?: Failed) => Promise<number>} */
  sendRoomBinaryMessage(message, onSuccess, onFailure) {
    return this.#answer(MESSAGE_FAILED, onSuccess, onFailure, async () =>
      this.#inRoom().sendMessage(args.readBytes(message)));
  }

  /** To one who has logged in. @type {(userId: string, message: string, onSuccess?: (id: number) => void, onFailure?: Failed) => Promise<number>} */
  sendUserMessageOutsideRoom(userId, message, onSuccess, onFailure) {
    return this.#answer(MESSAGE_FAILED, onSuccess, onFailure, async () =>
      this.#login.online.sendMessage(args.readMessage(message), args.readUid(userId)));
  }

  /** @type {(userId: string, message: ArrayBuffer, onSuccess?: (id: number) => void, onFailure?: Failed) => Promise<number>} */
  sendUserBinaryMessageOutsideRoom(userId, message, onSuccess, onFailure) {
    return this.#answer(MESSAGE_FAILED, onSuccess, onFailure, async () =>
      this.#login.online.sendMessage(args.readBytes(message), args.readUid(userId)));
  }

  /**
   * Queqiao passes no messages on to an application's server: a mini-program asks that one by `wx.request`.
   *
   * @param {string} _signature
   * @param {string} _url
   * @param {Done} [onSuccess]
   * @param {Failed} [onFailure] NOT_SUPPORTED, or NOT_LOGIN
   * @returns {Promise<void>}
   */
  setServerParams(_signature, _url, onSuccess, onFailure) {
    return this.#serverless(ERROR_CODES.NOT_SUPPORTED, onSuccess, onFailure);
  }

  /** @type {(message: string, onSuccess?: Done, onFailure?: Failed) => Promise<void>} NO_SERVER_PARAM, or NOT_LOGIN */
  sendServerMessage(_message, onSuccess, onFailure) {
    return this.#serverless(ERROR_CODES.NO_SERVER_PARAM, onSuccess, onFailure);
  }

  /** @type {(message: ArrayBuffer, onSuccess?: Done, onFailure?: Failed) => Promise<void>} as sendServerMessage */
  sendServerBinaryMessage(_message, onSuccess, onFailure) {
    return this.#serverless(ERROR_CODES.NO_SERVER_PARAM, onSuccess, onFailure);
  }

  /** @param {number} code @param {unknown} onSuccess @param {unknown} onFailure @returns {Promise<void>} */
  #serverless(code, onSuccess, onFailure) {
    return this.#answer(code, onSuccess, onFailure, async () => {
      void this.#login.online;
      throw new VolcEngineRTCError(code, 'there are no messages to an application server');
    });
  }

  /** @param {{ app: string, token: string, room: string, uid: string }} where */
  async #join(where) {
    const core = this.#connect({
      persistence: { rejoins: false, patienceMs: PATIENCE_MS },
      ...(this.#visible ? {} : { role: /** @type {const} */ ('audience') }),
    });
    const room = new Room({
      core,
      businessId: this.#businessId,
      tell: (name, ...rest) => this.#events.emit(name, ...rest),
      over: (end) => this.#over(end),
    });
    this.#room = room;
    try {
      return await room.join(where);
    } catch (cause) {
      if (this.#room === room) this.#room = null;
      const failure = failureOf(cause, JOIN_ROOM_ERROR, CONNECTING_CODES);
      if (failure.code === ERROR_CODES.WEBSOCKET_FAILED) this.#emitFailure(failure);
      throw failure;
    }
  }

  /** @param {VolcEngineRTCError} failure */
  #emitFailure({ code, reason }) {
    this.#events.emit(EVENTS.ERROR, { code, reason });
  }

  /** @param {import('./events.js').Failure | 'banned'} end */
  #over(end) {
    this.#room = null;
    if (end === 'banned') return this.#events.emit(EVENTS.CLIENT_BANNED);
    this.#events.emit(EVENTS.DISCONNECT, end);
    // Whoever has joined again by now would take it for the end of that.
    if (this.#room === null) this.#events.emit(EVENTS.CLOSE, end);
  }

  /** @param {Pick<import('../core/client.js').ClientOptions, 'role' | 'persistence'>} options */
  #connect(options) {
    const { server = '', ...surroundings } = this.#options;
    try {
      return new CoreClient({ server, ...surroundings, ...options });
    } catch (cause) {
      if (!(cause instanceof RtcError)) throw cause;
      throw new VolcEngineRTCError(ERROR_CODES.NO_WEBSOCKET_URL, 'no address of a server: require(…).withServer(\'https://…\')');
    }
  }

  #assertAlive() {
    if (this.#destroyed) throw new VolcEngineRTCError(ERROR_CODES.NOT_IN_ROOM, 'the client was destroyed');
  }

  #app() {
    this.#assertAlive();
    if (this.#appId === null) throw new VolcEngineRTCError(ERROR_CODES.GET_CONFIG_ERROR, 'init first');
    return this.#appId;
  }

  #inRoom() {
    if (this.#room === null) throw notInRoom();
    if (this.#room.state === 'CONNECTING') throw new VolcEngineRTCError(ERROR_CODES.CONNECTING, 'join is under way');
    return this.#room;
  }

  /**
   * @template T
   * @param {number} code of failures that have none of their own
   * @param {unknown} onSuccess
   * @param {unknown} onFailure
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #answer(code, onSuccess, onFailure, work) {
    const told = work().catch((cause) => {
      throw failureOf(cause, code);
    });
    return answer(told, onSuccess, onFailure, (value) => (value === undefined ? [] : [value]));
  }
}

function notInRoom() {
  return new VolcEngineRTCError(ERROR_CODES.NOT_IN_ROOM, 'join a room first');
}

/** @param {unknown} screen */
function streamNamed(screen) {
  return screen === undefined ? undefined : args.readStream({ screen });
}
