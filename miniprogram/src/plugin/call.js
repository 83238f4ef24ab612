import { answer } from '../core/answer.js';
import { Client as CoreClient } from '../core/client.js';
import { NETWORK_LOST } from '../core/component.js';
import { checkAppId } from '../agora/arguments.js';
import { AgoraError, agoraError, badArgument, disconnected } from '../agora/errors.js';
import { PluginClient } from './client.js';
import { Local } from './local.js';
import { Rtc } from './rtc.js';
import { Stages } from './stages.js';

/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('./client.js').PluginClientOptions} PluginClientOptions */
/** @typedef {import('./client.js').JoinOptions} JoinOptions */
/** @typedef {import('./rtc.js').RtcOptions} RtcOptions */

/**
 * What tests put in the place of the mini-program.
 *
 * @typedef {object} Surroundings
 * @property {import('../../../web-client/core/ports.js').Platform} [platform]
 * @property {import('../core/wx.js').Wx} [wx]
 */

/** The one call of a mini-program: what its client, its devices and the component on the page share. */
export class Call {
  /** @type {string | null} */
  server = null;
  #client;
  #rtc;
  #local = new Local((cause) => this.#fail(agoraError(cause)));
  #stages = new Stages();
  #appId = '';
  /** @type {Surroundings} */
  #surroundings = {};
  /** The stay in a channel, also while joining. @type {CoreClient | null} */
  #core = null;
  /** Counts joins and leaves: one that is not the last any more has nothing to do when it comes back from waiting. */
  #turn = 0;

  constructor() {
    this.#client = new PluginClient({
      init: (appId, onSuccess, onFailure) => this.#answer(async () => {
        this.#appId = checkAppId(appId);
      }, onSuccess, onFailure, () => []),
      join: (options, onSuccess, onFailure) => this.#answer(() => this.#join(options), onSuccess, onFailure),
      renewToken: (token, onSuccess, onFailure) => this.#answer(() => this.#renewToken(token), onSuccess, onFailure, () => []),
      leave: (onSuccess, onFailure) => this.#answer(() => this.#hangUp(), onSuccess, onFailure, () => []),
    });
    this.#rtc = new Rtc((devices) => this.#start(devices));
  }

  /**
   * @param {PluginClientOptions & Surroundings} [options] with them a page begins: listeners of an earlier one are gone
   * @returns {PluginClient} always the same
   */
  createClient(options) {
    if (typeof options === 'object' && options !== null) {
      this.#client.off();
      const { platform, wx } = options;
      this.#surroundings = { ...(platform === undefined ? {} : { platform }), ...(wx === undefined ? {} : { wx }) };
    }
    return this.#client;
  }

  /**
   * @param {RtcOptions} [options]
   * @returns {Rtc} always the same
   */
  createRTC(options) {
    if (typeof options === 'object' && options !== null) {
      const { audio = true, video = true, cameraId } = options;
      this.#local.allowed = { audio: audio !== false, video: video !== false };
      this.#stages.facing(cameraId === 'back' ? 'back' : 'front');
      this.#arrange().catch(() => {});
    }
    return this.#rtc;
  }

  /** @param {import('./stages.js').Owner} owner a component that shows the call */
  bind(owner) {
    return this.#stages.add(owner);
  }

  /** @param {unknown} options @returns {Promise<Uid>} */
  async #join(options) {
    const { channelId, uid = null, token = null } = /** @type {JoinOptions} */ (options ?? {});
    if (this.#appId === '') throw badArgument('Invalid appId: init comes before joinChannel');
    if (typeof channelId !== 'string' || channelId === '') throw badArgument('Invalid channelId: a string that is not empty');
    this.#turn += 1;
    const turn = this.#turn;
    await this.#leave();
    if (this.#turn !== turn) throw disconnected();
    const core = this.#enter();
    try {
      const own = await core.join({ app: this.#appId, room: channelId, token: token || null, uid: uid === '' ? null : uid });
      if (this.#core !== core) throw disconnected();
      this.#local.enter(core);
      this.#stages.enter(core);
      this.#arrange().catch(() => {});
      return own;
    } catch (cause) {
      if (this.#core !== core) throw disconnected();
      this.#core = null;
      throw cause;
    }
  }

  /** @returns {CoreClient} */
  #enter() {
    if (this.server === null) throw new AgoraError(901, 'no server', 'no server is named: withServer(…)');
    const core = new CoreClient({ server: this.server, ...this.#surroundings });
    this.#core = core;
    this.#listen(core);
    return core;
  }

  /** @param {CoreClient} core */
  #listen(core) {
    const client = this.#client;
    core.on('participant-joined', ({ uid }) => client.emit('joinedChannel', uid));
    core.on('participant-left', ({ uid }) => client.emit('userOffline', uid));
    core.on('network-quality', (qualities) => {
      const own = qualities.find(({ uid }) => String(uid) === String(core.uid));
      if (own === undefined) return;
      client.emit('network-quality', { uplinkNetworkQuality: own.uplink, downlinkNetworkQuality: own.downlink });
    });
    core.on('token-expiring', () => client.emit('token-privilege-will-expire'));
    core.on('token-expired', () => client.emit('token-privilege-did-expire'));
    core.on('push-state', (_stream, { phase, code }) => {
      if (phase === 'failed' && code === NETWORK_LOST.pusher) this.#fail(new AgoraError(501, 'the pusher has lost its connection'));
    });
    core.on('exception', (cause) => {
      if (this.#core === core) this.#fail(agoraError(cause));
    });
    core.on('ended', (error) => {
      if (this.#core !== core) return;
      void this.#hangUp();
      this.#fail(agoraError(error));
    });
  }

  async #leave() {
    const core = this.#core;
    this.#core = null;
    this.#local.exit();
    this.#stages.exit();
    await core?.leave();
  }

  async #hangUp() {
    this.#turn += 1;
    this.#local.started = { audio: false, video: false };
    this.#show();
    await this.#leave();
  }

  /** @param {unknown} token */
  async #renewToken(token) {
    if (this.#core === null) throw disconnected();
    if (typeof token !== 'string' || token === '') throw badArgument('Invalid token: a string that is not empty');
    await this.#core.renewToken(token);
  }

  /** @param {{ audio?: boolean, video?: boolean }} devices @returns {Promise<void>} */
  #start(devices) {
    this.#local.started = { ...this.#local.started, ...devices };
    return this.#answer(() => this.#arrange(), undefined, undefined);
  }

  /** @returns {Promise<void>} */
  #arrange() {
    this.#show();
    return this.#local.arrange();
  }

  #show() {
    this.#stages.devices(this.#local.wanted);
  }

  /** @param {AgoraError} error */
  #fail({ code, reason }) {
    this.#client.emit('error', { code, reason });
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
      throw agoraError(cause);
    });
    return answer(told, onSuccess, onFailure, argumentsOf);
  }
}
