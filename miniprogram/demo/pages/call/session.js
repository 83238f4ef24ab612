const { Client } = require('../../lib/queqiao.js');
const { tokenFor } = require('../../services/tokens.js');
const { isDeviceCode } = require('../../utils/codes.js');
const { uidOf } = require('../../utils/room.js');

/** @typedef {import('../../lib/queqiao.js').RtcError} RtcError */
/** @typedef {{ reason: string, message: string }} Failure an RtcError, or one of services/tokens.js */
/** @typedef {string | number} Uid */
/** @typedef {import('../../../src/core/view.js').PusherItem} PusherItem */
/** @typedef {import('../../../src/core/view.js').PlayerItem} PlayerItem */
/** @typedef {{ pushers: PusherItem[], players: PlayerItem[] }} Media */
/** @typedef {import('../../../src/core/client.js').ClientEvents} ClientEvents */
/** @typedef {'live' | 'muted' | 'blocked'} Track */

/**
 * @typedef {object} State
 * @property {'joining' | 'in' | 'ended'} phase
 * @property {boolean} reconnecting
 * @property {'host' | 'audience'} role
 * @property {boolean} video whether pictures are sent at all, or the call is by voice
 * @property {Track} mic
 * @property {Track} camera
 * @property {'' | 'device' | 'push'} fault why the others do not see or hear this phone
 * @property {number} count of people in the room
 */

/**
 * @typedef {object} SessionEvents
 * @property {(state: Partial<State>) => void} changed
 * @property {(media: Media) => void} media what the components are to do
 * @property {() => void} people somebody's state or network has changed
 * @property {(message: { from: Uid, text: string }) => void} message
 * @property {(error: Failure) => void} failed something did not work
 * @property {(error: Failure) => void} ended not by leaving
 * @property {(role: 'host' | 'audience') => void} role somebody has changed it
 */

/** One stay in a room: between the SDK and the page. */
class Session {
  /**
   * @param {import('../../utils/room.js').Call} call
   * @param {SessionEvents} events
   */
  constructor(call, events) {
    this.call = call;
    this.events = events;
    /** @type {Map<string, number>} */
    this.levels = new Map();
    this.client = new Client({ server: call.server, role: call.role });
    this.view = this.client.bind({ setData: (media) => events.media(/** @type {Media} */ (media)) });
    /** @type {State} */
    this.state = {
      phase: 'joining', reconnecting: false, role: call.role, video: call.video, mic: 'live', camera: 'live', fault: '', count: 1,
    };
    this.closed = false;
    this.listen();
  }

  async join() {
    try {
      const { app, room, uid } = this.call;
      const token = await tokenFor(this.call);
      if (this.closed) return;
      await this.client.join({ app, room, uid: uidOf(uid), token });
      this.set({ phase: 'in', role: this.client.role ?? this.call.role });
      this.countPeople();
      if (this.client.role === 'host') await this.publish();
    } catch (error) {
      if (this.closed) return;
      if (this.state.phase === 'joining') this.end(/** @type {Failure} */ (error));
      else this.events.failed(/** @type {Failure} */ (error));
    }
  }

  /** Nothing is told any more. Others see at once that this phone is gone. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.view.release();
    this.client.leave();
  }

  /** @param {'mic' | 'camera'} device */
  async toggle(device) {
    const track = this.state[device];
    if (track === 'blocked') return this.events.failed({ reason: 'blocked', message: 'blocked' });
    if (device === 'camera' && !this.state.video) return this.startVideo();
    // Muted at the server: to turn the camera itself off makes WeChat's sound lag by seconds.
    return this.attempt(async () => {
      this.set({ [device]: await this.client.mute(device === 'mic' ? 'audio' : 'video', track === 'live') });
    });
  }

  /** From voice to video: pictures need a pusher that begins with them. */
  startVideo() {
    return this.attempt(async () => {
      await this.client.publish({ video: true });
      // The view has not written the new address yet: the pusher that gets it begins with its camera on.
      this.set({ video: true, camera: 'live' });
    });
  }

  /** @param {'host' | 'audience'} role */
  changeRole(role) {
    return this.attempt(async () => {
      await this.client.setRole(role);
      this.set({ role });
      if (role === 'host') await this.publish();
    });
  }

  /** @param {string} text @returns {Promise<boolean>} whether it was sent */
  async say(text) {
    return (await this.attempt(() => this.client.sendMessage(text))) !== undefined;
  }

  /** A component whose permission was refused, or that was stopped in the background, is built anew. */
  async pushAgain() {
    if (!this.client.publishes()) return;
    this.set({ fault: '' });
    await this.attempt(() => this.client.publishAgain());
  }

  /** The mini-program is in front again. The SDK has looked after its connection; a pusher may have been stopped for good. */
  foreground() {
    if (this.state.fault !== 'device' && this.client.pusher().phase === 'failed') this.pushAgain();
  }

  publish() {
    return this.client.publish({ video: this.state.video });
  }

  listen() {
    const { client, events } = this;
    /**
     * @template {keyof ClientEvents} Name
     * @param {Name} name
     * @param {(...args: ClientEvents[Name]) => void} listener
     */
    const heard = (name, listener) => client.on(name, (...args) => {
      if (!this.closed) listener(...args);
    });
    heard('state', (state) => this.set({ reconnecting: state === 'RECONNECTING' }));
    for (const name of /** @type {const} */ (['participant-joined', 'participant-left', 'participant-connection', 'participant-role'])) {
      heard(name, () => this.countPeople());
    }
    heard('network-quality', (qualities) => this.measured(qualities));
    heard('push-state', (_stream, { phase, code }) => this.pushed(phase, code));
    heard('push-ended', () => this.set({ mic: 'live', camera: 'live', fault: '' }));
    heard('local-track-state', (_stream, kind, state) => {
      if (state !== 'absent') this.set({ [kind === 'audio' ? 'mic' : 'camera']: state });
    });
    heard('role', (role) => this.roleGiven(role));
    heard('message', ({ from, text }) => {
      if (text !== undefined) events.message({ from, text });
    });
    heard('token-expiring', () => this.renewToken());
    heard('ended', (error) => this.end(error));
  }

  /** @param {string} phase of the pusher @param {number | null} code that brought it there */
  pushed(phase, code) {
    if (phase === 'failed') this.set({ fault: isDeviceCode(code) ? 'device' : 'push' });
    else if (phase === 'live') this.set({ fault: '' });
  }

  /** @param {'host' | 'audience'} role */
  roleGiven(role) {
    if (role === this.state.role) return;
    this.set({ role });
    this.events.role(role);
  }

  /** @param {ClientEvents['network-quality'][0]} qualities */
  measured(qualities) {
    for (const { uid, uplink, downlink } of qualities) {
      const mine = uid === this.client.uid;
      // Of the others only what they send matters here.
      this.levels.set(String(uid), mine ? Math.max(uplink, downlink) : uplink);
    }
    this.events.people();
  }

  /** @param {Uid} uid @returns {number} of their network, 0 unknown to 6 unusable */
  level(uid) {
    return this.levels.get(String(uid)) ?? 0;
  }

  countPeople() {
    const here = new Set([this.client.uid, ...this.client.participants.map(({ uid }) => uid)].map(String));
    for (const uid of [...this.levels.keys()]) if (!here.has(uid)) this.levels.delete(uid);
    this.set({ count: here.size });
    this.events.people();
  }

  async renewToken() {
    try {
      const token = await tokenFor(this.call);
      if (token !== null) await this.client.renewToken(token);
    } catch {
      if (!this.closed) this.events.failed({ reason: 'token_expiring', message: 'no new token' });
    }
  }

  /** @param {Failure} error */
  end(error) {
    this.set({ phase: 'ended', reconnecting: false });
    this.events.ended(error);
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T | undefined>} undefined if it failed, which has been told
   */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (!this.closed) this.events.failed(/** @type {Failure} */ (error));
      return undefined;
    }
  }

  /** @param {Partial<State>} changes */
  set(changes) {
    Object.assign(this.state, changes);
    if (!this.closed) this.events.changed(changes);
  }
}

module.exports = { Session };
