import { answer } from '../core/answer.js';
import { globalWx, wxPlatform } from '../core/wx.js';
import { checkAppId, joinRequest, kinds, remoteUid, split, wantedKinds } from './arguments.js';
import { Channel } from './channel.js';
import { AgoraError, agoraError, badArgument, disconnected, notSupported } from './errors.js';
import { Events } from './events.js';
import { log } from './log.js';

/** @typedef {import('../../../web-client/core/errors.js').RtcError} RtcError */
/** @typedef {import('./arguments.js').JoinRequest} JoinRequest */
/** @typedef {number | string} AgoraUid a number, or a string where `join` was given `uidType` 1 */
/** @typedef {(error: AgoraError) => void} OnFailure */
/** @typedef {'broadcaster' | 'audience'} AgoraRole */

/**
 * What a client tells, with one payload or none. `'*'` hears all, with the name first.
 *
 * @typedef {object} ClientEvents
 * @property {{ uid: AgoraUid }} stream-added somebody publishes; also those who did so before
 * @property {{ uid: AgoraUid }} stream-removed
 * @property {{ uid: AgoraUid, url: string }} update-url the player of this uid needs another address
 * @property {{ uid: AgoraUid, rotation: number }} video-rotation degrees
 * @property {{ uid: AgoraUid }} mute-audio
 * @property {{ uid: AgoraUid }} unmute-audio
 * @property {{ uid: AgoraUid }} mute-video
 * @property {{ uid: AgoraUid }} unmute-video
 * @property {{ code: number, reason: string }} error 904: the connection is lost, 501: the pusher's. Destroy the client and
 *   rejoin with a new one
 * @property {undefined} token-privilege-will-expire in 30 s
 * @property {undefined} token-privilege-did-expire
 * @property {undefined} client-banned removed from the channel, or the uid has joined elsewhere
 */

/**
 * @typedef {object} ClientOptions
 * @property {string[]} [servers] tried one after the other: `https://host` or `wss://host`
 * @property {string} [apUrl] the server, if there are no `servers`
 */

/**
 * What tests put in the place of the mini-program.
 *
 * @typedef {object} Surroundings
 * @property {import('../../../web-client/core/ports.js').Platform} [platform]
 * @property {import('../core/wx.js').Wx} [wx]
 */

/** The vendor's roles in the words of the server. */
const ROLES = { broadcaster: /** @type {const} */ ('host'), audience: /** @type {const} */ ('audience') };

/**
 * The client of Agora's mini-program SDK 2.6. Every method takes `onSuccess` and `onFailure` last, and returns a promise
 * as well. A call that needs a channel rejects without one, with code 904, and does not call `onFailure`.
 *
 * @extends {Events<ClientEvents>}
 */
export class Client extends Events {
  appId = '';
  channel = '';
  /** One's own, once joined. @type {AgoraUid | null} */
  uid = null;
  /** @type {AgoraRole} */
  role = 'audience';
  /**
   * Only who has chosen to be audience says so on joining. Everybody else joins with what the token allows, so that a
   * broadcaster with the token of a subscriber is let in, and refused when it publishes.
   */
  #audienceChosen = false;
  #servers;
  #surroundings;
  /** @type {Channel | null} */
  #stay = null;
  /** @type {Promise<AgoraUid> | null} */
  #joining = null;

  /** @param {(ClientOptions & Surroundings) | null} [options] */
  constructor(options) {
    super();
    const { servers, apUrl, platform, wx } = options ?? {};
    this.#servers = [servers ?? apUrl ?? []].flat();
    this.#surroundings = { ...(platform === undefined ? {} : { platform }), ...(wx === undefined ? {} : { wx }) };
  }

  /**
   * @param {string} appId
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  init(appId, onSuccess, onFailure) {
    return this.#answer(async () => {
      this.appId = checkAppId(appId);
    }, onSuccess, onFailure, () => []);
  }

  /**
   * Events about streams that are there come after `onSuccess`.
   *
   * @param {string | null | undefined} token
   * @param {string} channel
   * @param {AgoraUid | null} [uid] one at random if it is 0 or absent
   * @param {...unknown} rest `isAudioOnly`, `uidType` (0 number, 1 string), `onSuccess(uid)`, `onFailure`; the callbacks may
   *   also come first
   * @returns {Promise<AgoraUid | undefined>} undefined if it is in the channel already
   */
  join(token, channel, uid, ...rest) {
    const { values, onSuccess, onFailure } = split(rest, 2);
    return this.#answer(() => this.#join(token, channel, uid, values, []), onSuccess, onFailure);
  }

  /**
   * Like `join`, for a page that shows streams already: it is told which of them are gone, and of the others as new ones.
   *
   * @param {string | null | undefined} token
   * @param {string} channel
   * @param {AgoraUid | null} uid
   * @param {(number | string)[]} uids of the streams that the page shows; one's own may be among them
   * @param {...unknown} rest as `join`
   * @returns {Promise<AgoraUid | undefined>}
   */
  rejoin(token, channel, uid, uids, ...rest) {
    const { values, onSuccess, onFailure } = split(rest, 2);
    return this.#answer(() => this.#join(token, channel, uid, values, Array.isArray(uids) ? uids : []), onSuccess, onFailure);
  }

  /** @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} never rejects */
  leave(onSuccess, onFailure) {
    return this.#answer(() => this.#leave(), onSuccess, onFailure, () => []);
  }

  /** Leaves as well. @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} never rejects */
  destroy(onSuccess, onFailure) {
    return this.#answer(() => this.#leave(), onSuccess, onFailure, () => []);
  }

  /**
   * @param {(url: string) => void} [onSuccess] with the address for the `live-pusher`
   * @param {OnFailure} [onFailure]
   * @returns {Promise<string>}
   */
  publish(onSuccess, onFailure) {
    return this.#inChannel(({ sending }) => sending.publish(), onSuccess, onFailure);
  }

  /** @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} */
  unpublish(onSuccess, onFailure) {
    return this.#inChannel(({ sending }) => sending.unpublish(), onSuccess, onFailure, () => []);
  }

  /**
   * @param {AgoraUid} uid
   * @param {...unknown} rest `{ audio, video }`, `onSuccess(url, rotation)`, `onFailure`; the options may also come last
   * @returns {Promise<{ url: string, rotation: number }>} the address for the `live-player`, and degrees
   */
  subscribe(uid, ...rest) {
    const { values: [options], onSuccess, onFailure } = split(rest, 1);
    return this.#inChannel(async (stay) => {
      const source = stay.source(remoteUid(uid, stay.strings));
      const url = await stay.receiving.subscribe(source, wantedKinds(options));
      return { url, rotation: stay.rotation(source) };
    }, onSuccess, onFailure, ({ url, rotation }) => [url, rotation]);
  }

  /** @param {AgoraUid} uid @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} */
  unsubscribe(uid, onSuccess, onFailure) {
    return this.#inChannel(
      (stay) => stay.receiving.unsubscribe(stay.source(remoteUid(uid, stay.strings))), onSuccess, onFailure, () => []);
  }

  /**
   * Receives less of somebody. `update-url` brings the address that their player needs then.
   *
   * @param {AgoraUid} uid
   * @param {'audio' | 'video' | 'all'} target
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  mute(uid, target, onSuccess, onFailure) {
    return this.#receive(uid, target, false, onSuccess, onFailure);
  }

  /**
   * @param {AgoraUid} uid
   * @param {'audio' | 'video' | 'all'} target
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  unmute(uid, target, onSuccess, onFailure) {
    return this.#receive(uid, target, true, onSuccess, onFailure);
  }

  /**
   * The server passes nothing of it on any more; the page decides on its pusher's microphone and camera.
   *
   * @param {'audio' | 'video' | 'all'} target
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  muteLocal(target, onSuccess, onFailure) {
    return this.#inChannel(async ({ sending }) => sending.mute(kinds(target), true), onSuccess, onFailure, () => []);
  }

  /**
   * @param {'audio' | 'video' | 'all'} target
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  unmuteLocal(target, onSuccess, onFailure) {
    return this.#inChannel(async ({ sending }) => sending.mute(kinds(target), false), onSuccess, onFailure, () => []);
  }

  /**
   * Before joining: what to join as. In the channel, who becomes audience publishes nothing any longer.
   *
   * @param {AgoraRole} role
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  setRole(role, onSuccess, onFailure) {
    return this.#answer(async () => {
      if (role !== 'broadcaster' && role !== 'audience') throw badArgument('Invalid role: broadcaster or audience', 431);
      // What is being joined as something else follows afterwards.
      if (this.#joining !== null) await this.#joining.catch(() => {});
      if (this.#stay?.connected) await this.#stay.setRole(ROLES[role]);
      this.role = role;
      this.#audienceChosen = role === 'audience';
    }, onSuccess, onFailure, () => []);
  }

  /** @param {string} token @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} */
  renewToken(token, onSuccess, onFailure) {
    return this.#inChannel(async (stay) => {
      if (typeof token !== 'string' || token === '') throw badArgument('Invalid token: a string that is not empty');
      await stay.renewToken(token);
    }, onSuccess, onFailure, () => []);
  }

  /**
   * Every stream has one quality here, which is what a stream without a second one has at the vendor's.
   *
   * @param {AgoraUid} uid
   * @param {number} type 0 high, 1 low
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>}
   */
  setRemoteVideoStreamType(uid, type, onSuccess, onFailure) {
    return this.#inChannel(async (stay) => {
      if (type !== 0 && type !== 1) throw badArgument('Invalid type: 0 or 1');
      const name = remoteUid(uid, stay.strings);
      if (!stay.has(name)) throw new AgoraError(432, 'no_such_stream', `${name} publishes nothing`);
      log('debug', `${name} has one quality: type ${type} changes nothing`);
    }, onSuccess, onFailure, () => []);
  }

  /** Mini-programs play and send AAC, whatever is set. @param {string} name */
  setAudioCodec(name) {
    log('warn', `audio codec ${name}: plain RTMP has AAC alone`);
  }

  /**
   * A new address for the pusher; the connection of the old one ends.
   *
   * @param {(response: { url: string }) => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<{ url: string }>}
   */
  updatePushUrl(onSuccess, onFailure) {
    return this.#inChannel(async ({ sending }) => ({ url: await sending.publish() }), onSuccess, onFailure);
  }

  /** Whether this client is in a channel. */
  isConnected() {
    return this.#stay?.connected ?? false;
  }

  /**
   * Requests of the vendor's server mean nothing to this one.
   *
   * @param {object} _request
   * @param {(response: object) => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<object>} rejects with code 401
   */
  send(_request, onSuccess, onFailure) {
    return this.#inChannel(() => Promise.reject(notSupported('a request of the vendor\'s server')), onSuccess, onFailure);
  }

  /** @param {unknown} event what `bindstatechange` of the pusher has brought */
  updatePusherStateChange(event) {
    this.#stay?.pusherReport('state', event);
  }

  /** @param {unknown} event what `bindnetstatus` of the pusher has brought */
  updatePusherNetStatus(event) {
    this.#stay?.pusherReport('status', event);
  }

  /** @param {AgoraUid} uid one that is not subscribed to is passed over @param {unknown} event */
  updatePlayerStateChange(uid, event) {
    this.#stay?.playerReport('state', uid, event);
  }

  /** @param {AgoraUid} uid @param {unknown} event */
  updatePlayerNetStatus(uid, event) {
    this.#stay?.playerReport('status', uid, event);
  }

  /**
   * Rooms are kept apart here: refused.
   *
   * @param {import('./relay.js').ChannelMediaRelayConfiguration} _configuration
   * @param {(error?: AgoraError) => void} [callback]
   * @returns {Promise<void>} rejects with code 401
   */
  startChannelMediaRelay(_configuration, callback) {
    return this.#refuseRelay(callback);
  }

  /**
   * @param {import('./relay.js').ChannelMediaRelayConfiguration} _configuration
   * @param {(error?: AgoraError) => void} [callback]
   * @returns {Promise<void>} rejects with code 401
   */
  updateChannelMediaRelay(_configuration, callback) {
    return this.#refuseRelay(callback);
  }

  /** @param {(error?: AgoraError) => void} [callback] @returns {Promise<void>} rejects with code 401 */
  stopChannelMediaRelay(callback) {
    return this.#refuseRelay(callback);
  }

  /** @param {unknown} callback @returns {Promise<void>} */
  #refuseRelay(callback) {
    return this.#answer(() => Promise.reject(notSupported('relaying between channels')), undefined, callback);
  }

  /**
   * @param {unknown} uid
   * @param {unknown} target
   * @param {boolean} on
   * @param {unknown} onSuccess
   * @param {unknown} onFailure
   * @returns {Promise<void>}
   */
  #receive(uid, target, on, onSuccess, onFailure) {
    return this.#inChannel(async (stay) => {
      const name = remoteUid(uid, stay.strings);
      const url = await stay.receiving.want(stay.source(name), kinds(target), on);
      if (url !== null && this.#stay === stay) this.emit('update-url', { uid: name, url });
    }, onSuccess, onFailure, () => []);
  }

  /**
   * @param {unknown} token
   * @param {unknown} channel
   * @param {unknown} uid
   * @param {unknown[]} values
   * @param {unknown[]} known
   * @returns {Promise<AgoraUid | undefined>}
   */
  async #join(token, channel, uid, values, known) {
    if (this.#stay !== null) {
      await this.#joining;
      return undefined;
    }
    if (this.appId === '') throw badArgument('Invalid appId: init comes before join');
    const { wx = this.#surroundings.platform === undefined ? globalWx() : null } = this.#surroundings;
    const platform = this.#surroundings.platform ?? wxPlatform(/** @type {import('../core/wx.js').Wx} */ (wx));
    const request = joinRequest(token, channel, uid, values, platform.random);
    this.#joining = this.#tryServers(request, platform, wx, known);
    try {
      this.uid = await this.#joining;
    } finally {
      this.#joining = null;
    }
    this.channel = request.channel;
    log('info', `joined ${request.channel} as ${this.uid}`);
    return this.uid;
  }

  /**
   * @param {JoinRequest} request
   * @param {import('../../../web-client/core/ports.js').Platform} platform
   * @param {import('../core/wx.js').Wx | null} wx
   * @param {unknown[]} known
   * @returns {Promise<AgoraUid>}
   */
  async #tryServers(request, platform, wx, known) {
    let unreachable = new AgoraError(901, 'no server', 'no server is named: withServer(…), or servers of the client');
    for (const server of this.#servers) {
      const stay = this.#enter(server, request, platform, wx);
      try {
        return await stay.join(this.appId, known);
      } catch (cause) {
        // Left or destroyed meanwhile.
        if (this.#stay !== stay) throw disconnected();
        this.#stay = null;
        const error = agoraError(cause);
        if (error.reason !== 'unreachable') throw error;
        unreachable = new AgoraError(905, 'no server answers', error.message);
      }
    }
    throw unreachable;
  }

  /**
   * @param {string} server
   * @param {JoinRequest} request
   * @param {import('../../../web-client/core/ports.js').Platform} platform
   * @param {import('../core/wx.js').Wx | null} wx
   * @returns {Channel}
   */
  #enter(server, request, platform, wx) {
    try {
      const stay = new Channel({
        server,
        role: this.#audienceChosen ? ROLES.audience : undefined,
        request,
        platform,
        wx,
        emit: (event, payload) => {
          // What a page has left tells it nothing any more.
          if (this.#stay === stay) this.#emit(event, payload);
        },
        roleChanged: (role) => {
          if (this.#stay === stay) this.role = role === 'host' ? 'broadcaster' : 'audience';
        },
        ended: (error) => {
          if (this.#stay === stay) this.#ended(error);
        },
      });
      this.#stay = stay;
      return stay;
    } catch (cause) {
      throw new AgoraError(901, 'no server', agoraError(cause).message);
    }
  }

  async #leave() {
    const stay = this.#stay;
    this.#stay = null;
    await stay?.leave();
  }

  /** @param {RtcError} error */
  #ended(error) {
    void this.#leave();
    const { code, reason } = error;
    log('warn', `the stay has ended: ${reason}`);
    // Whoever was removed, or has no valid token, must not come back by itself.
    if (code === 'UID_BANNED' || code === 'UID_CONFLICT' || code === 'CHANNEL_BANNED') this.#emit('client-banned', undefined);
    else if (code !== 'TOKEN_EXPIRE') this.#emit('error', { code: 904, reason });
  }

  /**
   * @template {keyof ClientEvents} Name
   * @param {Name} event
   * @param {ClientEvents[Name]} payload
   */
  #emit(event, payload) {
    const { uid, code } = /** @type {{ uid?: unknown, code?: unknown }} */ (payload ?? {});
    log('debug', [event, uid, code].filter((part) => part !== undefined).join(' '));
    this.emit(event, .../** @type {any} */ (payload === undefined ? [] : [payload]));
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @param {unknown} onSuccess
   * @param {unknown} onFailure
   * @param {(value: T) => unknown[]} [argumentsOf]
   * @returns {Promise<T>}
   */
  #answer(work, onSuccess, onFailure, argumentsOf) {
    const told = work().catch((cause) => {
      const error = agoraError(cause);
      log('warn', `${error.code} ${error.reason}: ${error.message}`);
      throw error;
    });
    return answer(told, onSuccess, onFailure, argumentsOf);
  }

  /**
   * @template T
   * @param {(stay: Channel) => Promise<T>} work
   * @param {unknown} onSuccess
   * @param {unknown} onFailure is not called without a channel, as pages know it
   * @param {(value: T) => unknown[]} [argumentsOf]
   * @returns {Promise<T>}
   */
  #inChannel(work, onSuccess, onFailure, argumentsOf) {
    const stay = this.#stay;
    if (stay === null || !stay.connected) return this.#answer(() => Promise.reject(disconnected()), undefined, undefined);
    return this.#answer(async () => work(stay), onSuccess, onFailure, argumentsOf);
  }
}
