import { isPublished } from '../../../web-client/core/protocol.js';
import { ERROR_CODES, VolcEngineRTCError } from './errors.js';
import { EVENTS } from './events.js';
import { Peers } from './peers.js';
import { PublishedStreams, streamOf } from './published.js';
import { Subscriptions } from './subscriptions.js';

/** @typedef {import('../core/client.js').Client} CoreClient */
/** @typedef {import('../core/client.js').StreamName} StreamName */
/** @typedef {import('../core/client.js').Kind} Kind */

/**
 * How long a connection may stay away: less than the server keeps the session without one (20 s), so that until then
 * nothing is lost.
 */
export const PATIENCE_MS = 15_000;
/** The attribute of a stream that holds the business ID of its publisher. */
const BUSINESS_ID = 'business_id';
/** Ways of ending after which coming back by itself would be wrong. */
const BANNED = ['replaced', 'kicked', 'banned', 'room_closed'];
/** Codes of a closed WebSocket: it broke (RFC 6455 section 7.4.1); the server has ended the session (docs/signalling.md). */
const ABNORMAL_CLOSURE = 1006;
const SESSION_ENDED = 4003;

/** One stay in a room, as Volcengine's SDK has it. */
export class Room {
  #core;
  #tell;
  #subscriptions;
  #businessId;
  #left = false;
  #publishing = false;
  /** While what is published ends because the page wants it. */
  #ending = false;

  /**
   * @param {object} options
   * @param {CoreClient} options.core that is not in a room yet; its persistence is without rejoining
   * @param {import('./events.js').Tell} options.tell is called until the room is left
   * @param {(end: import('./events.js').Failure | 'banned') => void} options.over it has ended, not by leaving
   * @param {string | null} options.businessId
   */
  constructor({ core, tell, over, businessId }) {
    this.#core = core;
    this.#tell = /** @type {import('./events.js').Tell} */ ((name, ...args) => {
      if (!this.#left) tell(name, ...args);
    });
    this.#businessId = businessId;
    this.#subscriptions = new Subscriptions(core, this.#tell);
    this.#listenToOthers();
    core.on('push-state', (_stream, { phase, code }) => {
      if (phase === 'failed') this.#pushFailed(`live-pusher reported ${code}`);
    });
    core.on('push-ended', () => {
      if (!this.#ending && core.state !== 'DISCONNECTED') this.#pushFailed('the server has ended it');
    });
    core.on('play-state', (uid, stream, { phase, code }) => {
      if (phase === 'failed' && isPublished(stream)) {
        this.#tell(EVENTS.STREAM_FAILED, { ...streamOf(uid, stream), reason: `live-player reported ${code}` });
      }
    });
    core.on('ended', ({ reason }) => {
      const code = reason === 'unreachable' ? ABNORMAL_CLOSURE : SESSION_ENDED;
      if (!this.#left) over(BANNED.includes(reason) ? 'banned' : { code, reason });
    });
  }

  get state() {
    return this.#core.state;
  }

  /** @param {{ app: string, token: string, room: string, uid: string }} room @returns {Promise<string>} the uid */
  async join(room) {
    return String(await this.#core.join(room));
  }

  /** Never rejects. Nothing is told from now on. */
  async leave() {
    this.#left = true;
    await this.#core.leave();
  }

  /** @returns {Promise<string>} an address, a new one if the pusher has failed with the one before */
  async publish() {
    const works = this.#core.publishes() && this.#core.pusher().phase !== 'failed';
    if (this.#publishing || works) throw new VolcEngineRTCError(ERROR_CODES.ALREADY_PUBLISHED, 'published already');
    this.#publishing = true;
    try {
      return await this.#core.publish(this.#businessId === null ? {} : { attributes: { [BUSINESS_ID]: this.#businessId } });
    } finally {
      this.#publishing = false;
    }
  }

  async unpublish() {
    this.#assertPublished();
    await this.#endingPush(() => this.#core.unpublish());
  }

  /** @param {import('./arguments.js').Switches} mutes true: muted */
  async muteLocal(mutes) {
    this.#assertPublished();
    const kinds = /** @type {Kind[]} */ (Object.keys(mutes));
    await Promise.all(kinds.map((kind) => this.#core.mute(kind, mutes[kind] === true)));
  }

  /**
   * @param {string} uid
   * @param {StreamName} stream
   * @param {{ audio: boolean, video: boolean }} tracks
   * @returns {Promise<string>} the address
   */
  subscribe(uid, stream, tracks) {
    return this.#subscriptions.subscribe(uid, stream, tracks);
  }

  /** @param {string} uid @param {StreamName} stream */
  unsubscribe(uid, stream) {
    return this.#subscriptions.unsubscribe(uid, stream);
  }

  /** @param {string} uid @param {StreamName} stream @param {import('./arguments.js').Switches} mutes true: muted */
  muteRemote(uid, stream, mutes) {
    return this.#subscriptions.mute(uid, stream, mutes);
  }

  /** @param {boolean} visible who is not publishes nothing any longer */
  setVisible(visible) {
    return this.#endingPush(() => this.#core.setRole(visible ? 'host' : 'audience'));
  }

  /** @param {string | Uint8Array} content @param {string} [to] all others if absent @returns {Promise<number>} its id */
  sendMessage(content, to) {
    return this.#core.sendMessage(content, to);
  }

  /** @param {unknown} event */
  pusherState(event) {
    this.#core.pusherState(event);
  }

  /** @param {unknown} event */
  pusherNetStatus(event) {
    this.#core.pusherNetStatus(event);
  }

  /** @param {string} uid @param {unknown} event @param {StreamName} [stream] every one that is received if absent */
  playerState(uid, event, stream) {
    for (const name of this.#players(uid, stream)) this.#core.playerState(uid, event, name);
  }

  /** @param {string} uid @param {unknown} event @param {StreamName} [stream] every one that is received if absent */
  playerNetStatus(uid, event, stream) {
    for (const name of this.#players(uid, stream)) this.#core.playerNetStatus(uid, event, name);
  }

  #listenToOthers() {
    const core = this.#core;
    const peers = new Peers(this.#tell);
    const published = new PublishedStreams(this.#tell);
    core.on('participant-joined', (user) => peers.changed(user));
    core.on('participant-role', (user) => peers.changed(user));
    core.on('participant-left', (user) => peers.left(user));
    core.on('stream-added', (stream) => published.changed(stream));
    core.on('track-state', (stream) => published.changed(stream));
    core.on('stream-removed', (uid, stream) => {
      this.#subscriptions.ended(String(uid), stream);
      published.ended(uid, stream);
    });
    core.on('message', (message) => tellMessage(this.#tell, message, message.private ? 'user' : 'room'));
  }

  /** @param {string} reason */
  #pushFailed(reason) {
    this.#tell(EVENTS.STREAM_FAILED, { ...streamOf(this.#core.uid ?? '', 'camera'), reason });
  }

  #assertPublished() {
    if (this.#publishing || this.#core.publishes()) return;
    throw new VolcEngineRTCError(ERROR_CODES.NOT_PUBLISHED, 'nothing is published');
  }

  /** @param {() => Promise<void>} act */
  async #endingPush(act) {
    this.#ending = true;
    try {
      await act();
    } finally {
      this.#ending = false;
    }
  }

  /** @param {string} uid @param {StreamName} [stream] */
  #players(uid, stream) {
    return stream === undefined ? this.#subscriptions.streamsOf(uid) : [stream];
  }
}

const MESSAGES = /** @type {const} */ ({
  user: [EVENTS.USER_MESSAGE_RECEIVED, EVENTS.USER_BINARY_MESSAGE_RECEIVED],
  room: [EVENTS.ROOM_MESSAGE_RECEIVED, EVENTS.ROOM_BINARY_MESSAGE_RECEIVED],
  outside: [EVENTS.USER_MESSAGE_RECEIVED_OUTSIDE_ROOM, EVENTS.USER_BINARY_MESSAGE_RECEIVED_OUTSIDE_ROOM],
});

/**
 * @param {import('./events.js').Tell} tell
 * @param {import('../core/client.js').Message} message
 * @param {keyof typeof MESSAGES} way
 */
export function tellMessage(tell, { from, text, data }, way) {
  const [textual, binary] = MESSAGES[way];
  const uid = String(from);
  if (text !== undefined) tell(textual, { uid, message: text });
  else if (data !== undefined) tell(binary, { uid, message: data.slice().buffer });
}
