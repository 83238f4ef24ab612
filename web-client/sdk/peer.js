import { sdkError } from './errors.js';
import { IceRepair } from './ice-repair.js';
import { log } from './log.js';
import { PeerSession } from './peer-session.js';
import { Pulse } from './pulse.js';

/** Longer than sound pauses under discontinuous transmission, and than a burst of loss. */
const SILENCE_MS = 1_000;
/** Twice as long as the server's reports of what it receives are apart, looked at once a second. */
const NO_REPORT_MS = 2_500;

/** @typedef {import('../core/ports.js').Media} Media */

/**
 * The media of one stay in a room: one PeerConnection at a time, which is repaired by ICE restarts and replaced when
 * the core has joined anew.
 *
 * @implements {Media}
 */
export class Peer {
  #hooks;
  #connect;
  #giveUp;
  #repair;
  /** @type {Pulse[]} */
  #pulses;
  /** @type {PeerSession | null} */
  #session = null;
  #closed = false;

  /**
   * @param {object} options
   * @param {import('../core/ports.js').MediaUplink} options.uplink
   * @param {import('../core/ports.js').Clock} options.clock
   * @param {() => RTCPeerConnection} options.connect
   * @param {import('./peer-session.js').SessionHooks} options.hooks
   * @param {() => number | undefined} options.bytesReceived of everything, as last measured
   * @param {(trouble: boolean) => void} options.troubled media are interrupted, or flow again
   */
  constructor({ uplink, clock, connect, hooks, bytesReceived, troubled }) {
    this.#hooks = hooks;
    this.#connect = connect;
    this.#giveUp = () => uplink.giveUp();
    this.#repair = new IceRepair({ clock, restart: () => uplink.iceRestart(), giveUp: this.#giveUp, troubled });
    const stalled = () => this.#repair.suspect();
    this.#pulses = [
      new Pulse({ clock, stallMs: SILENCE_MS, newest: (seen) => this.#session?.packetSince(seen), stalled }),
      new Pulse({ clock, stallMs: NO_REPORT_MS, newest: () => (this.#session?.sends ? bytesReceived() : undefined), stalled }),
    ];
  }

  /** The PeerConnection and its sections, or null before the first offer. */
  get session() {
    return this.#session;
  }

  /** Whether media can flow; null while there is nothing to carry, or ICE has not finished its first round. */
  get healthy() {
    if (this.#repair.trouble) return false;
    return this.#session !== null && this.#repair.healthy ? true : null;
  }

  /** An offer says what is different: nothing has to be done before. */
  publish() {}

  /** An offer says what is different: nothing has to be done before. */
  subscribe() {}

  /** @param {import('../core/protocol.js').StreamName} stream */
  unpublish(stream) {
    for (const kind of /** @type {const} */ (['audio', 'video'])) {
      this.#session?.refresh(stream, kind).catch(this.#hooks.report);
    }
  }

  /** The server takes the sections back with its next offer. */
  unsubscribe() {}

  /**
   * @param {number} _revision
   * @param {string} sdp
   * @param {import('../core/protocol.js').Mids} mids
   */
  offer(_revision, sdp, mids) {
    if (this.#closed) return Promise.reject(new Error('the room is left'));
    this.#session ??= this.#open();
    return this.#session.offer(sdp, mids).catch((cause) => {
      // What a browser says of a description quotes it.
      log.debug('an offer that cannot be answered', cause);
      const { name } = cause instanceof Error ? cause : new Error();
      throw sdkError('UNEXPECTED_RESPONSE', 'bad_offer', `the server's offer cannot be answered: ${name}`);
    });
  }

  resumed() {
    this.#repair.check();
  }

  reset() {
    this.#repair.reset();
    this.#drop();
  }

  close() {
    this.#closed = true;
    this.#repair.close();
    this.#drop();
  }

  networkChanged() {
    this.#repair.networkChanged();
  }

  /** The device was asleep, or the page hidden. */
  woke() {
    this.#repair.check();
  }

  /**
   * @param {import('../core/protocol.js').StreamName} stream
   * @param {import('../core/protocol.js').Kind} kind
   */
  async refresh(stream, kind) {
    await this.#session?.refresh(stream, kind);
  }

  /**
   * @param {import('../core/protocol.js').StreamName} stream
   * @param {readonly import('../core/protocol.js').Layer[]} layers
   */
  layersWanted(stream, layers) {
    this.#session?.layersWanted(stream, layers).catch(this.#hooks.report);
  }

  #open() {
    const connection = this.#connect();
    const session = new PeerSession(connection, this.#hooks);
    connection.addEventListener('iceconnectionstatechange', () => {
      if (this.#session === session) this.#repair.changed(connection.iceConnectionState);
    });
    connection.addEventListener('connectionstatechange', () => {
      // With ICE in order it is DTLS that failed, which no ICE restart repairs.
      const failed = connection.connectionState === 'failed' && connection.iceConnectionState !== 'failed';
      if (this.#session === session && failed) this.#giveUp();
    });
    for (const pulse of this.#pulses) pulse.start();
    return session;
  }

  #drop() {
    for (const pulse of this.#pulses) pulse.stop();
    const session = this.#session;
    this.#session = null;
    session?.close();
  }
}
