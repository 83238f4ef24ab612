import { Events } from '../agora/events.js';

/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('../agora/errors.js').AgoraError} AgoraError */
/** @typedef {(error: AgoraError) => void} OnFailure */

/**
 * @typedef {object} PluginClientOptions
 * @property {'live' | 'rtc'} [mode] makes no difference here
 * @property {'h264'} [codec] the only one that mini-programs have
 */

/**
 * @typedef {object} JoinOptions
 * @property {string} channelId
 * @property {Uid | null} [uid] a number or a string; one at random if absent
 * @property {string | null} [token] where the app needs one
 */

/**
 * @typedef {object} PluginEvents
 * @property {Uid} joinedChannel somebody else is in the channel; also those who were there before
 * @property {Uid} userOffline somebody else is gone
 * @property {{ code: number, reason: string }} error codes as Agora's mini-program SDK has them
 * @property {{ uplinkNetworkQuality: number, downlinkNetworkQuality: number }} network-quality one's own: 0 unknown, 1 best
 *   to 6 unusable
 * @property {undefined} token-privilege-will-expire in 30 s
 * @property {undefined} token-privilege-did-expire
 */

/**
 * What the one client does.
 *
 * @typedef {object} ClientPort
 * @property {(appId: unknown, onSuccess: unknown, onFailure: unknown) => Promise<void>} init
 * @property {(options: unknown, onSuccess: unknown, onFailure: unknown) => Promise<Uid>} join
 * @property {(token: unknown, onSuccess: unknown, onFailure: unknown) => Promise<void>} renewToken
 * @property {(onSuccess: unknown, onFailure: unknown) => Promise<void>} leave
 */

/**
 * The plugin's client: there is one of it. Lost connections come back by themselves.
 *
 * @extends {Events<PluginEvents>}
 */
export class PluginClient extends Events {
  #port;

  /** @param {ClientPort} port */
  constructor(port) {
    super();
    this.#port = port;
  }

  /** @param {string} appId @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} */
  init(appId, onSuccess, onFailure) {
    return this.#port.init(appId, onSuccess, onFailure);
  }

  /**
   * Leaves another channel first. Events come after `onSuccess`.
   *
   * @param {JoinOptions} options
   * @param {(uid: Uid) => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<Uid>} one's own uid
   */
  joinChannel(options, onSuccess, onFailure) {
    return this.#port.join(options, onSuccess, onFailure);
  }

  /** @param {string} token @param {() => void} [onSuccess] @param {OnFailure} [onFailure] @returns {Promise<void>} */
  renewToken(token, onSuccess, onFailure) {
    return this.#port.renewToken(token, onSuccess, onFailure);
  }

  /**
   * Camera and microphone are let go of as well.
   *
   * @param {() => void} [onSuccess]
   * @param {OnFailure} [onFailure]
   * @returns {Promise<void>} never rejects
   */
  leaveChannel(onSuccess, onFailure) {
    return this.#port.leave(onSuccess, onFailure);
  }
}
