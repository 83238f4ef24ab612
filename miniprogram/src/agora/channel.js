import { Client as CoreClient, rotationOf } from '../core/client.js';
import { NETWORK_LOST } from '../core/component.js';
import { log } from './log.js';
import { Receiving } from './receiving.js';
import { Remotes } from './remotes.js';
import { Sending } from './sending.js';
import { uint32, Uids } from './uids.js';

/** @typedef {import('../core/client.js').Role} Role */
/** @typedef {import('./arguments.js').JoinRequest} JoinRequest */
/** @typedef {import('./client.js').ClientEvents} ClientEvents */

/**
 * Pages of this vendor's join anew by themselves once they are told that the connection is lost. They are told when the
 * server no longer keeps the session, which is after 20 s; what comes back before needs nobody's help.
 */
const PERSISTENCE = { rejoins: false, patienceMs: 20_000 };

/**
 * @typedef {object} ChannelOptions
 * @property {string} server
 * @property {Role | undefined} role
 * @property {JoinRequest} request
 * @property {import('../../../web-client/core/ports.js').Platform} platform
 * @property {import('../core/wx.js').Wx | null} wx
 * @property {<Name extends keyof ClientEvents>(event: Name, payload: ClientEvents[Name]) => void} emit
 * @property {(role: Role) => void} roleChanged also without having been asked to
 * @property {(error: import('../core/client.js').RtcError) => void} ended the stay is over, not by leaving
 */

/** One stay in a channel. Is used once. */
export class Channel {
  #core;
  #request;
  #platform;
  #emit;
  #uids;
  /** @type {unknown} */
  #comparing = null;

  /** @param {ChannelOptions} options */
  constructor({ server, role, request, platform, wx, emit, roleChanged, ended }) {
    const core = new CoreClient({
      server,
      platform,
      persistence: PERSISTENCE,
      ...(wx === null ? {} : { wx }),
      ...(role === undefined ? {} : { role }),
    });
    this.#core = core;
    this.#request = request;
    this.#platform = platform;
    this.#emit = emit;
    this.#uids = new Uids(request.strings, request.uid);
    new Remotes(core, this.#uids, emit);
    this.sending = new Sending(core, request.audioOnly);
    this.receiving = new Receiving(core);
    core.on('token-expiring', () => emit('token-privilege-will-expire', undefined));
    core.on('token-expired', () => emit('token-privilege-did-expire', undefined));
    core.on('push-state', (_stream, { phase, code }) => {
      if (phase === 'failed' && code === NETWORK_LOST.pusher) this.#mediaLost();
    });
    core.on('state', (current, previous) => log('info', `${previous} to ${current}`));
    core.on('exception', (cause) => log('error', cause instanceof Error ? cause.message : String(cause)));
    core.on('role', roleChanged);
    core.on('ended', ended);
  }

  /** Whether calls reach the server, now or as soon as the connection is back. */
  get connected() {
    return this.#core.state === 'CONNECTED' || this.#core.state === 'RECONNECTING';
  }

  /** Whether this page names people by strings. */
  get strings() {
    return this.#request.strings;
  }

  /**
   * @param {string} app
   * @param {unknown[]} known uids whose streams the page shows: it is told which of them are gone
   * @returns {Promise<number | string>} one's own uid
   */
  async join(app, known) {
    const { channel: room, token, uid } = this.#request;
    const effective = await this.#core.join({ app, room, token, uid });
    // After the events about the streams that are there, so that nobody is taken for gone who is not.
    this.#comparing = this.#platform.clock.setTimer(() => {
      this.#comparing = null;
      this.#tellGone(known);
    }, 0);
    return effective;
  }

  /** Never rejects. */
  async leave() {
    this.#stopComparing();
    await this.#core.leave();
  }

  /** @param {Role} role */
  async setRole(role) {
    await this.#core.setRole(role);
  }

  /** @param {string} token */
  async renewToken(token) {
    await this.#core.renewToken(token);
  }

  /** @param {number | string} name as the page calls a stream */
  source(name) {
    return this.#uids.source(name);
  }

  /** @param {number | string} name @returns {boolean} whether somebody publishes this stream */
  has(name) {
    return this.#uids.has(name);
  }

  /** @param {import('./uids.js').Source} source @returns {number} degrees by which its picture has to be turned */
  rotation({ uid, stream }) {
    const found = this.#core.stream(uid, stream);
    return found === undefined ? 0 : rotationOf(found);
  }

  /** @param {'state' | 'status'} what @param {unknown} event of the pusher */
  pusherReport(what, event) {
    if (what === 'state') this.#core.pusherState(event);
    else this.#core.pusherNetStatus(event);
  }

  /** @param {'state' | 'status'} what @param {number | string} name @param {unknown} event of a player */
  playerReport(what, name, event) {
    const { uid, stream } = this.source(name);
    if (what === 'state') this.#core.playerState(uid, event, stream);
    else this.#core.playerNetStatus(uid, event, stream);
  }

  /** @param {unknown[]} known */
  #tellGone(known) {
    const { strings, uid: own } = this.#request;
    for (const entry of known) {
      const name = strings ? String(entry) : uint32(entry);
      if (name !== null && name !== own && !this.#uids.has(name)) this.#emit('stream-removed', { uid: name });
    }
  }

  #stopComparing() {
    if (this.#comparing !== null) this.#platform.clock.clearTimer(this.#comparing);
    this.#comparing = null;
  }

  /** Later than the page's own look at the code, which is still under way. */
  #mediaLost() {
    void Promise.resolve().then(() => {
      if (this.connected) this.#emit('error', { code: 501, reason: 'the pusher has lost its connection' });
    });
  }
}
