import { globalWx, wxPlatform } from '../core/wx.js';
import { ZegoEmitter } from './emitter.js';
import { Code, ZegoError, errorOf, responseOf } from './errors.js';
import { Log } from './log.js';
import { nameOwner } from './names.js';
import { Room } from './room.js';
import { Streams } from './streams.js';
import { checkSystem } from './system.js';
import { checkMessage, checkRoomID, checkUser } from './text.js';

/** @typedef {import('./emitter.js').ZegoEvents} ZegoEvents */
/** @typedef {{ errorCode: number, extendedData?: string }} ZegoServerResponse `errorCode` 0: it is done */
/** @typedef {import('./live-pusher.js').PusherAttributes} PusherAttributes */
/** @typedef {import('./live-player.js').PlayerAttributes} PlayerAttributes */

/** The version of the vendor's SDK that this has the shape of. */
const VERSION = '3.6.0';
/** Each room is one WebSocket, and WeChat has five for a mini-program. */
const MAX_ROOMS = 5;

/**
 * The shape of ZEGO's Express SDK for mini-programs, on a server of one's own: docs/miniprogram/zego.md.
 */
export class ZegoExpressEngine {
  #appID;
  #servers;
  #emitter = new ZegoEmitter();
  #log = new Log();
  #given;
  #madePlatform;
  #streams;
  /** By roomID, in the order of logging in. @type {Map<string, Room>} */
  #rooms = new Map();
  #multiRoom = false;
  #destroyed = false;

  /**
   * @param {number} appID the server's app of this number
   * @param {string | string[]} server `https://…` or `wss://…`, the first that can be reached is taken
   * @param {{ platform?: import('../../../web-client/core/ports.js').Platform, wx?: object }} [options]
   */
  constructor(appID, server, options = {}) {
    this.#appID = appID;
    this.#servers = (Array.isArray(server) ? server : [server]).filter((address) => typeof address === 'string' && address !== '');
    this.#given = options;
    this.#madePlatform = options.platform;
    this.#streams = new Streams({
      emitter: this.#emitter,
      clock: {
        now: () => this.#platform.clock.now(),
        setTimer: (run, delayMs) => this.#platform.clock.setTimer(run, delayMs),
        clearTimer: (timer) => this.#platform.clock.clearTimer(timer),
      },
      wx: () => this.#wx,
      rooms: () => [...this.#rooms.values()].filter(({ loggedIn }) => loggedIn),
      log: this.#log,
    });
  }

  /**
   * The mixer and relaying to a CDN, which modules add to the vendor's SDK, do not exist here.
   *
   * @param {unknown} _module
   */
  static use(_module) {
    console.warn('[zego] use() does nothing: there is no module for this server');
  }

  /** @returns {string} of the vendor's SDK whose shape this has */
  getVersion() {
    return VERSION;
  }

  /** @returns {Promise<{ code: number, msg: string }>} 0, 10001 WeChat is too old, 10002 camera or microphone are not permitted */
  async checkSystemRequirements() {
    return checkSystem(this.#wx);
  }

  /** @param {{ logLevel?: string, remoteLogLevel?: string, logURL?: string }} config nothing is logged remotely @returns {boolean} */
  setLogConfig(config) {
    return this.#log.setLevel(config?.logLevel);
  }

  /** @param {boolean} enable */
  setDebugVerbose(enable) {
    this.#log.setLevel(enable ? 'debug' : 'warn');
  }

  /**
   * Several listeners of one event are called in their order.
   *
   * @template {keyof ZegoEvents} Name
   * @param {Name} event
   * @param {(...args: ZegoEvents[Name]) => void} listener
   * @returns {boolean}
   */
  on(event, listener) {
    if (typeof listener !== 'function' || this.#destroyed) return false;
    this.#emitter.on(event, listener);
    return true;
  }

  /**
   * @template {keyof ZegoEvents} Name
   * @param {Name} event
   * @param {(...args: ZegoEvents[Name]) => void} [listener] all of this event if absent
   * @returns {boolean}
   */
  off(event, listener) {
    this.#emitter.off(event, listener);
    return true;
  }

  /**
   * Before logging in: whether several rooms may be logged in to, five at most.
   *
   * @param {boolean} enable
   * @returns {boolean} false: a room is logged in to already
   */
  enableMultiRoom(enable) {
    if (this.#rooms.size > 0) return false;
    this.#multiRoom = enable === true;
    return true;
  }

  /**
   * @param {string} roomID
   * @param {string} token
   * @param {{ userID: string, userName?: string }} user
   * @param {{ userUpdate?: boolean, maxMemberCount?: number }} [config]
   * @returns {Promise<boolean>} true; rejects with a ZegoError, which `roomStateUpdate` tells too
   */
  loginRoom(roomID, token, user, config) {
    const login = this.#login(roomID, token, user, config ?? {});
    // Pages that listen to `roomStateUpdate` alone have no need to catch it.
    login.catch(() => {});
    return login;
  }

  /** Tells of it at once. @param {string} [roomID] every room if absent */
  logoutRoom(roomID) {
    for (const room of [...this.#rooms.values()]) {
      if (roomID !== undefined && roomID !== room.id) continue;
      this.#streams.roomOver(room);
      this.#rooms.delete(room.id);
      room.logout();
    }
  }

  /** @param {string} token @param {string} [roomID] every room if absent @returns {boolean} false: there is nothing to renew */
  renewToken(token, roomID) {
    const rooms = [...this.#rooms.values()].filter(({ id, loggedIn }) => loggedIn && (roomID === undefined || id === roomID));
    if (typeof token !== 'string' || token === '' || rooms.length === 0) return false;
    for (const { client } of rooms) {
      client.renewToken(token).catch((cause) => this.#log.say('error', `the token was not taken: ${cause}`));
    }
    return true;
  }

  /**
   * Says where the page has its pusher's attributes and the list of its players. The SDK alone writes these two from then on.
   *
   * @param {{ wxContext?: any, pushAtr?: string, playAtr?: string }} [options] `wxContext`: the page or component
   */
  initContext(options) {
    const { wxContext, pushAtr, playAtr } = options ?? {};
    if (typeof wxContext?.setData !== 'function') return this.#log.say('error', 'initContext: wxContext is no page');
    this.#streams.attach(wxContext, pushAtr, playAtr);
  }

  /** @param {PusherAttributes} [attributes] @returns {import('./live-pusher.js').LivePusher | null} null before `initContext` */
  createPusher(attributes) {
    const pusher = this.#streams.createPusher(attributes ?? {});
    if (pusher === null) this.#log.say('error', 'createPusher: initContext has to come first');
    return pusher;
  }

  /** @returns {import('./live-pusher.js').LivePusher | null} null before `createPusher` */
  getPusherInstance() {
    return this.#streams.pusher;
  }

  /**
   * Puts the player into the page's list, if it is not there yet.
   *
   * @param {string} streamID
   * @param {any} [wxContext] the component that the player's element is in, if not the page
   * @returns {import('./live-player.js').LivePlayer | null} null before `initContext`
   */
  getPlayerInstance(streamID, wxContext) {
    const player = this.#streams.player(streamID, wxContext);
    if (player === null) this.#log.say('error', 'getPlayerInstance: initContext has to come first, and a streamID is a text');
    return player;
  }

  /** @param {string} [streamID] @returns {PlayerAttributes[]} copies of the page's list */
  getPlayerList(streamID) {
    return this.#streams.playerList(streamID);
  }

  /** @param {PusherAttributes} attributes */
  setPusherAttributes(attributes) {
    this.#streams.setPusherAttributes(attributes);
  }

  /** @param {string} streamID @param {PlayerAttributes} attributes */
  setPlayerAttributes(streamID, attributes) {
    if (!this.#streams.setPlayerAttributes(streamID, attributes)) this.#log.say('warn', 'setPlayerAttributes: there is no such player');
  }

  /** @param {boolean} mute */
  mutePublishStreamVideo(mute) {
    this.#streams.mutePublished('video', mute === true);
  }

  /** @param {boolean} mute */
  mutePublishStreamAudio(mute) {
    this.#streams.mutePublished('audio', mute === true);
  }

  /** The server sends no more pictures; a player that goes on with sound starts anew for it. @param {string} streamID @param {boolean} mute */
  mutePlayStreamVideo(streamID, mute) {
    this.setPlayerAttributes(streamID, { muteVideo: mute === true });
  }

  /** The server sends no more sound; a player that goes on with pictures starts anew for it. @param {string} streamID @param {boolean} mute */
  mutePlayStreamAudio(streamID, mute) {
    this.setPlayerAttributes(streamID, { muteAudio: mute === true });
  }

  /**
   * For a page that has a pusher of its own.
   *
   * @param {string} streamID
   * @param {import('./live-pusher.js').PublishOption} [option]
   * @returns {Promise<{ streamID: string, url: string }>} rejects with a ZegoError, which `publisherStateUpdate` tells too
   */
  startPublishingStream(streamID, option) {
    return quietly(this.#streams.publish(streamID, option, null).then((url) => ({ streamID, url })));
  }

  /** @param {string} streamID @returns {boolean} whether it was published */
  stopPublishingStream(streamID) {
    return this.#streams.stopPublishing(streamID);
  }

  /**
   * For a page that has players of its own.
   *
   * @param {string} streamID
   * @param {import('./live-player.js').PlayOption} [_option] says nothing that matters here
   * @returns {Promise<{ streamID: string, url: string }>} rejects with a ZegoError, which `playerStateUpdate` tells too
   */
  startPlayingStream(streamID, _option) {
    return quietly(this.#streams.play(streamID, null).then((url) => ({ streamID, url })));
  }

  /** @param {string} streamID */
  stopPlayingStream(streamID) {
    this.#streams.stopPlaying(streamID);
  }

  /** For a component of the page's own that has failed. @param {string} streamID @returns {string} empty if there is none */
  getNextUrl(streamID) {
    return this.#streams.nextUrl(streamID);
  }

  /**
   * What `bindstatechange` of a pusher or player has brought.
   *
   * @param {string | undefined} streamID may be missing: then the event's element says whose it is, or it is the pusher's
   * @param {unknown} event
   */
  updatePlayerState(streamID, event) {
    this.#streams.reporter(streamID, event)?.stateChange(event);
  }

  /** What `bindnetstatus` of a pusher or player has brought. @param {string | undefined} streamID @param {unknown} event */
  updatePlayerNetStatus(streamID, event) {
    this.#streams.reporter(streamID, event)?.netStatus(event);
  }

  /** What `bindaudiovolumenotify` of a pusher or player has brought. @param {string | undefined} streamID @param {unknown} event */
  updateAudioVolumeNotify(streamID, event) {
    this.#streams.reporter(streamID, event)?.volume(event);
  }

  /** @param {string} roomID @param {string} message at most 1024 bytes @returns {Promise<ZegoServerResponse>} */
  sendBroadcastMessage(roomID, message) {
    return this.#respond(async () => {
      await this.#room(roomID).client.sendMessage(checkMessage(message));
    });
  }

  /** @param {string} roomID @param {string} message at most 1024 bytes @returns {Promise<ZegoServerResponse>} */
  sendBarrageMessage(roomID, message) {
    return this.#respond(async () => this.#room(roomID).sendEnvelope('barrage', checkMessage(message)));
  }

  /**
   * @param {string} roomID
   * @param {string} message at most 1024 bytes
   * @param {string[]} toUserIDs everybody else if empty
   * @returns {Promise<ZegoServerResponse>} not 0 if it did not reach one of them
   */
  sendCustomCommand(roomID, message, toUserIDs) {
    return this.#respond(async () => {
      const room = this.#room(roomID);
      const text = checkMessage(message);
      if (!Array.isArray(toUserIDs) || toUserIDs.length === 0) return room.sendEnvelope('command', text);
      const sent = toUserIDs.map((userID) => room.client.sendMessage(text, userID).then(() => null, (cause) => cause));
      const failure = (await Promise.all(sent)).find((cause) => cause !== null);
      if (failure !== undefined) throw failure;
    });
  }

  /** @param {string} roomID @param {string} key 1 to 64 bytes @param {string} value at most 1024 bytes @returns {Promise<ZegoServerResponse>} */
  setRoomExtraInfo(roomID, key, value) {
    return this.#respond(async () => {
      if (typeof key !== 'string' || typeof value !== 'string' || nameOwner(key) !== null) {
        throw new ZegoError(Code.badParameter, 'key and value are texts, and no key begins with zego_name:');
      }
      await this.#room(roomID).client.setRoomAttribute(key, value);
    });
  }

  /** @param {string} streamID one's own @param {string} extraInfo at most 1024 bytes @returns {Promise<ZegoServerResponse>} */
  setStreamExtraInfo(streamID, extraInfo) {
    return this.#respond(async () => {
      if (typeof extraInfo !== 'string') throw new ZegoError(Code.badParameter, 'the extraInfo is a text');
      await this.#streams.setExtraInfo(streamID, extraInfo);
    });
  }

  /** There is no mixer. @param {object} [_config] @returns {Promise<ZegoServerResponse>} */
  setMixerTaskConfig(_config) {
    return this.#refuse('setMixerTaskConfig');
  }

  /** There is no mixer. @param {object} [_config] @returns {Promise<ZegoServerResponse>} */
  startMixerTask(_config) {
    return this.#refuse('startMixerTask');
  }

  /** There is no mixer. @param {string} [_taskID] @returns {Promise<ZegoServerResponse>} */
  stopMixerTask(_taskID) {
    return this.#refuse('stopMixerTask');
  }

  /** There is no mixer. @param {object} [_task] @returns {Promise<ZegoServerResponse>} */
  startAutoMixerTask(_task) {
    return this.#refuse('startAutoMixerTask');
  }

  /** There is no mixer. @param {object} [_task] @returns {Promise<ZegoServerResponse>} */
  stopAutoMixerTask(_task) {
    return this.#refuse('stopAutoMixerTask');
  }

  /** Nothing is relayed to a CDN. @param {string} [_streamID] @param {string} [_url] @returns {Promise<ZegoServerResponse>} */
  addPublishCdnUrl(_streamID, _url) {
    return this.#refuse('addPublishCdnUrl');
  }

  /** Nothing is relayed to a CDN. @param {string} [_streamID] @param {string} [_url] @returns {Promise<ZegoServerResponse>} */
  removePublishCdnUrl(_streamID, _url) {
    return this.#refuse('removePublishCdnUrl');
  }

  /** Leaves every room and forgets every listener: the engine is of no more use. */
  destroyEngine() {
    this.logoutRoom();
    this.#destroyed = true;
    this.#emitter.removeAllListeners();
  }

  get #wx() {
    return /** @type {import('./system.js').ZegoWx} */ (this.#given.wx ?? globalWx());
  }

  get #platform() {
    this.#madePlatform ??= wxPlatform(this.#wx);
    return this.#madePlatform;
  }

  /**
   * @param {string} roomID
   * @param {string} token
   * @param {{ userID: string, userName?: string }} user
   * @param {{ userUpdate?: boolean, maxMemberCount?: number }} config
   */
  async #login(roomID, token, user, { userUpdate, maxMemberCount }) {
    const room = new Room({
      roomID,
      user: this.#checkLogin(roomID, user),
      app: String(this.#appID),
      servers: this.#servers,
      userUpdate: userUpdate === true,
      maxMemberCount: typeof maxMemberCount === 'number' && maxMemberCount > 0 ? maxMemberCount : 0,
    }, {
      emitter: this.#emitter,
      platform: this.#platform,
      wx: this.#wx,
      appeared: (where, streamID, stream) => this.#streams.appeared(where, streamID, stream),
      disappeared: (streamID) => this.#streams.disappeared(streamID),
      ended: (ended, { errorCode, extendedData }) => {
        this.#streams.roomOver(ended, errorCode, extendedData);
        this.#forget(ended);
      },
      log: (level, text) => this.#log.say(level, text),
    });
    this.#rooms.set(roomID, room);
    try {
      await room.login(typeof token === 'string' && token !== '' ? token : null);
    } catch (cause) {
      this.#forget(room);
      throw cause;
    }
    return true;
  }

  /** @param {string} roomID @param {unknown} user */
  #checkLogin(roomID, user) {
    try {
      return this.#checkedUser(roomID, user);
    } catch (cause) {
      const { errorCode, extendedData } = errorOf(cause);
      // A room that is there stays as it is.
      if (!this.#rooms.has(roomID)) {
        this.#emitter.emit('roomStateUpdate', roomID, 'DISCONNECTED', errorCode, extendedData);
        this.#emitter.emit('roomStateChanged', roomID, 'LOGIN_FAILED', errorCode, extendedData);
      }
      throw cause;
    }
  }

  /** @param {string} roomID @param {unknown} user */
  #checkedUser(roomID, user) {
    if (this.#destroyed) throw new ZegoError(Code.notLoggedIn, 'the engine is destroyed');
    if (!Number.isSafeInteger(this.#appID) || this.#appID <= 0) throw new ZegoError(Code.appIDInvalid, 'the appID is a whole number');
    checkRoomID(roomID);
    const checked = checkUser(user);
    const same = this.#rooms.get(roomID);
    if (same !== undefined && !same.loggedIn) throw new ZegoError(Code.loginInProgress, 'the room is being logged in to');
    if (same !== undefined) throw new ZegoError(Code.alreadyLoggedIn, 'the room is logged in to already');
    const [other] = this.#rooms.values();
    if (other !== undefined && !this.#multiRoom) throw new ZegoError(Code.multiRoomOff, 'another room is logged in to');
    if (other !== undefined && other.userID !== checked.userID) throw new ZegoError(Code.anotherUserID, 'every room is logged in to as the same user');
    if (this.#rooms.size >= MAX_ROOMS) throw new ZegoError(Code.tooManyRooms, `at most ${MAX_ROOMS} rooms at once`);
    return checked;
  }

  /** @param {Room} room */
  #forget(room) {
    if (this.#rooms.get(room.id) === room) this.#rooms.delete(room.id);
  }

  /** @param {string} roomID */
  #room(roomID) {
    const room = this.#rooms.get(roomID);
    if (room === undefined || !room.loggedIn) throw new ZegoError(Code.notLoggedIn, 'log in to the room first');
    return room;
  }

  /** @param {() => Promise<void>} work @returns {Promise<ZegoServerResponse>} never rejects */
  #respond(work) {
    return responseOf(work());
  }

  /** @param {string} what @returns {Promise<ZegoServerResponse>} */
  #refuse(what) {
    return this.#respond(() => Promise.reject(new ZegoError(Code.badParameter, `${what} is not supported by this server`)));
  }
}

/** @template T @param {Promise<T>} work @returns {Promise<T>} that nobody has to look at */
function quietly(work) {
  work.catch(() => {});
  return work;
}
