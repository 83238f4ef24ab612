import { backoffMs } from './backoff.js';
import { codeOf, localError, RtcError } from './errors.js';
import { decode, encode, VERSION } from './protocol.js';
import { Requests } from './requests.js';

/** Opening a socket and joining take four round trips and a look at a token. */
const CONNECT_TIMEOUT_MS = 8_000;
/** The server counts a connection as lost after as long a silence. */
const SILENCE_MS = 15_000;
/** How long a connection may take to show that it has survived a change of network or a sleep. */
const PROBE_TIMEOUT_MS = 2_000;
/** Leaving is for the others' sake; nobody waits longer for it. */
const LEAVE_TIMEOUT_MS = 2_000;
/** After as long the connection counts as good, and the next loss is retried quickly. */
const STABLE_MS = 10_000;
/** A first join that fails this often is told to its caller; once in a room there is no end to trying. */
const FIRST_ATTEMPTS = 3;
/** The longest that a server may ask a client to wait. */
const MAX_ASKED_WAIT_MS = 60_000;
/** Events that are missing again after they were asked for once will not come. */
const MAX_GAPS = 2;

/** @typedef {'DISCONNECTED' | 'CONNECTING' | 'CONNECTED' | 'RECONNECTING' | 'DISCONNECTING'} ConnectionState */
/**
 * @typedef {'LEAVE' | 'NETWORK_ERROR' | 'SERVER_ERROR' | 'UID_BANNED' | 'CHANNEL_BANNED' | 'TOKEN_EXPIRE'
 *   | 'UID_CONFLICT'} DisconnectedReason
 */
/** @typedef {import('./protocol.js').Response<'join'>} JoinReply */
/** @typedef {Omit<import('./protocol.js').Request<'join'>, 'version'>} JoinRequest */

/**
 * What happens when the session is lost.
 *
 * @typedef {object} Persistence
 * @property {boolean} [rejoins] a new session follows a lost one (the default); otherwise the stay ends with `session_lost`
 * @property {number} [patienceMs] how long the stay goes on without a connection before it ends; for ever if absent
 */

/**
 * @typedef {object} ConnectionEvents called one after the other, in the order of the signalling
 * @property {(current: ConnectionState, previous: ConnectionState, reason?: DisconnectedReason) => void} changed
 * @property {(reply: JoinReply, again: boolean) => void} joined `again`: the earlier session is lost. Requests made
 *   in this call go before those that were waiting
 * @property {() => void} resumed the session stood; what was missed follows
 * @property {(event: import('./protocol.js').Event) => void} event
 * @property {(error: RtcError) => void} ended for another reason than leaving, after being in the room
 */

/**
 * @typedef {object} Link
 * @property {import('./ports.js').Socket | null} socket null while it is being made
 * @property {boolean} begun it is open, and joining or resuming has been asked for
 */

/** What a server should not have sent. */
export class Counters {
  /** Messages that could not be understood. */
  malformed = 0;
  /** Events that are not known here. */
  unknown = 0;
  /** Answers to nothing that was asked. */
  unmatched = 0;
  /** Events that came a second time. */
  duplicate = 0;
  /** Times that events were missing. */
  gaps = 0;
}

/**
 * One stay in a room, across every socket that it takes: resumes its session after a loss, joins again where that is
 * impossible. Is used once.
 */
export class Connection {
  counters = new Counters();
  /** The last round trip to the server, or null. @type {number | null} */
  rttMs = null;
  #url;
  #platform;
  #events;
  #requests;
  #rejoins;
  #patienceMs;
  /** Runs while a stay that was in the room is without a connection. @type {unknown} */
  #patience = null;
  /** @type {JoinRequest} */
  #join;
  /** @type {ConnectionState} */
  #state = 'DISCONNECTED';
  /** The socket in use; what an earlier one reports is nobody's concern. @type {Link | null} */
  #link = null;
  /** @type {string | null} */
  #session = null;
  #lastSeq = 0;
  #ready = false;
  #joined = false;
  #attempts = 0;
  #gaps = 0;
  /** @type {number | null} */
  #readySince = null;
  #lastHeard = 0;
  #heartbeatMs = 5_000;
  /** One for what the connection waits for now, one for the heartbeat, one for a probe. @type {Map<string, unknown>} */
  #timers = new Map();
  /** @type {{ resolve: (reply: JoinReply) => void, reject: (error: Error) => void } | null} */
  #starting = null;
  /** @type {Promise<void> | null} */
  #leaving = null;

  /**
   * @param {object} options
   * @param {string} options.url of the signalling
   * @param {import('./ports.js').Platform} options.platform
   * @param {JoinRequest} options.join
   * @param {ConnectionEvents} options.events
   * @param {Persistence} [options.persistence]
   */
  constructor({ url, platform, join, events, persistence: { rejoins = true, patienceMs = Infinity } = {} }) {
    this.#url = url;
    this.#platform = platform;
    this.#join = join;
    this.#events = events;
    this.#rejoins = rejoins;
    this.#patienceMs = patienceMs;
    this.#requests = new Requests(platform.clock, (text) => this.#send(text));
  }

  get state() {
    return this.#state;
  }

  /**
   * Joins the room.
   *
   * @returns {Promise<JoinReply>} rejects if the server refuses or cannot be reached
   */
  start() {
    return new Promise((resolve, reject) => {
      // Throws here rather than after a connection was made for it.
      encode(0, 'join', { version: VERSION, ...this.#join });
      this.#starting = { resolve, reject };
      this.#enter('CONNECTING');
      this.#connect();
    });
  }

  /**
   * Asks the server. Without a connection it waits for one.
   *
   * @template {import('./protocol.js').RequestType} T
   * @param {T} type
   * @param {import('./protocol.js').Request<T>} fields
   * @param {import('./requests.js').RequestOptions<T>} [options]
   * @returns {Promise<import('./protocol.js').Response<T>>}
   */
  request(type, fields, options) {
    if (!this.#joined || (this.#state !== 'CONNECTED' && this.#state !== 'RECONNECTING')) {
      return Promise.reject(localError('not_connected', `${type}: not in a room`));
    }
    return this.#requests.add(type, fields, options);
  }

  /**
   * What to say when the room has to be joined again.
   *
   * @param {Partial<Pick<JoinRequest, 'token' | 'role' | 'uid'>>} changes
   */
  amend(changes) {
    this.#join = { ...this.#join, ...changes };
  }

  /** The network may have changed, or the device slept: finds out whether the connection is still good, at once. */
  probe() {
    if (this.#ready) {
      this.#after('probe', PROBE_TIMEOUT_MS, () => this.#lose());
      this.#ping();
    } else if (this.#link === null && this.#timers.has('next')) {
      this.#attempts = 0;
      this.#connect();
    }
  }

  /** The session is of no more use: joins the room again, after a wait that grows if this happens often. */
  rejoin() {
    if (!this.#joined || (this.#state !== 'CONNECTED' && this.#state !== 'RECONNECTING')) return;
    if (!this.#rejoins) return this.#endLost();
    const inUse = this.#session !== null && this.#link?.begun === true;
    this.#session = null;
    // Without a connection, or with one that joins already, the next is a new session anyway.
    if (inUse) this.#lose();
  }

  /** Leaves the room. Never rejects; afterwards nothing is left. */
  leave() {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave() {
    if (this.#state === 'DISCONNECTED') return;
    this.#enter('DISCONNECTING');
    // Also while joining: the server takes requests in their order, and would keep the participant otherwise.
    if (this.#link?.begun) {
      const options = { immediate: true, timeoutMs: LEAVE_TIMEOUT_MS };
      await this.#requests.add('leave', {}, options).catch(() => {});
    }
    this.#end('LEAVE', localError('left', 'left the room'));
  }

  #connect() {
    this.#clearTimers();
    /** @type {Link} */
    const link = { socket: null, begun: false };
    this.#link = link;
    /** @param {() => void} act */
    const ifCurrent = (act) => {
      if (this.#link === link) act();
    };
    this.#after('next', CONNECT_TIMEOUT_MS, () => this.#lose());
    try {
      const socket = this.#platform.openSocket(this.#url, {
        opened: () => ifCurrent(() => this.#begin(link)),
        received: (data) => ifCurrent(() => this.#receive(data)),
        closed: () => ifCurrent(() => this.#lose()),
      });
      if (this.#link === link) link.socket = socket;
      else socket.close();
    } catch {
      ifCurrent(() => this.#lose());
    }
  }

  /** @param {Link} link */
  #begin(link) {
    link.begun = true;
    this.#lastHeard = this.#platform.clock.now();
    if (this.#session === null) this.#enterRoom();
    else this.#resume(this.#session);
  }

  /** @param {string} session */
  #resume(session) {
    this.#first('resume', { session, last_seq: this.#lastSeq }, () => {
      if (!this.#settleIn()) return;
      this.#events.resumed();
      if (this.#ready) this.#requests.flush();
    }, () => {
      if (!this.#rejoins) return this.#endLost();
      this.#session = null;
      this.#enterRoom();
    });
  }

  #endLost() {
    this.#end('NETWORK_ERROR', localError('session_lost', 'the session is over, and no new one was wanted'));
  }

  #enterRoom() {
    this.#first('join', { version: VERSION, ...this.#join }, (reply) => {
      const again = this.#joined;
      this.#joined = true;
      this.#session = reply.session;
      this.#lastSeq = 0;
      this.#gaps = 0;
      this.#heartbeatMs = reply.heartbeat_seconds * 1000;
      this.#requests.startSession();
      const starting = this.#starting;
      if (!this.#settleIn()) return;
      this.#starting = null;
      starting?.resolve(reply);
      this.#events.joined(reply, again);
      if (this.#ready) this.#requests.flush();
    }, (error) => this.#refused(error));
  }

  /**
   * The first request on a socket. If it is not answered, the time for connecting runs out.
   *
   * @template {'join' | 'resume'} T
   * @param {T} type
   * @param {import('./protocol.js').Request<T>} fields
   * @param {(reply: import('./protocol.js').Response<T>) => void} apply
   * @param {(error: unknown) => void} refused
   */
  #first(type, fields, apply, refused) {
    const link = this.#link;
    const options = { immediate: true, timeoutMs: CONNECT_TIMEOUT_MS * 2, apply };
    this.#requests.add(type, fields, options).catch((error) => {
      if (this.#link === link && !this.#ready && this.#state !== 'DISCONNECTING') refused(error);
    });
  }

  /** @param {unknown} error */
  #refused(error) {
    const known = error instanceof RtcError ? error : localError('bad_response', String(error));
    const passing = known.reason === 'rate_limited' || (this.#joined && known.reason === 'too_many_rooms');
    if (passing) this.#lose(known.data.retryAfterMs);
    else this.#end(disconnectedReason(known.reason), known);
  }

  /**
   * The session is there, on this socket.
   *
   * @returns {boolean} whether somebody still wants it
   */
  #settleIn() {
    if (this.#state === 'DISCONNECTING') return false;
    this.#clearTimers();
    this.#stopPatience();
    this.#ready = true;
    this.#readySince = this.#platform.clock.now();
    this.#after('heartbeat', this.#heartbeatMs, () => this.#beat());
    this.#requests.open();
    this.#enter('CONNECTED');
    return this.#ready;
  }

  #beat() {
    if (this.#platform.clock.now() - this.#lastHeard >= SILENCE_MS) return this.#lose();
    this.#after('heartbeat', this.#heartbeatMs, () => this.#beat());
    this.#ping();
  }

  #ping() {
    const { clock } = this.#platform;
    const sentAt = clock.now();
    const apply = () => {
      this.rttMs = clock.now() - sentAt;
    };
    // A ping that is not answered needs no answer here: silence is noticed by the heartbeat.
    this.#requests.add('ping', {}, { immediate: true, timeoutMs: SILENCE_MS, apply }).catch(() => {});
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#lastHeard = this.#platform.clock.now();
    this.#cancel('probe');
    const message = decode(data);
    if (message.type === 'response' || message.type === 'refusal') {
      const outcome = this.#requests.settle(message);
      if (outcome !== 'done') this.counters[outcome] += 1;
      return;
    }
    if (message.type !== 'event') this.counters[message.type] += 1;
    if (message.seq === null || !this.#ready || !this.#inOrder(message.seq) || message.type !== 'event') return;
    this.#events.event(message.event);
    if (message.event.event === 'session_ended') this.#ended(message.event);
  }

  /**
   * @param {number} seq
   * @returns {boolean} whether this is the next event
   */
  #inOrder(seq) {
    if (seq <= this.#lastSeq) {
      this.counters.duplicate += 1;
      return false;
    }
    if (seq > this.#lastSeq + 1) {
      this.counters.gaps += 1;
      this.#gaps += 1;
      if (this.#gaps >= MAX_GAPS && !this.#rejoins) this.#endLost();
      else {
        if (this.#gaps >= MAX_GAPS) this.#session = null;
        this.#lose();
      }
      return false;
    }
    this.#lastSeq = seq;
    this.#gaps = 0;
    return true;
  }

  /** @param {import('./protocol.js').Event<'session_ended'>} event */
  #ended({ reason, message, seconds }) {
    if (this.#state === 'DISCONNECTED') return;
    /** @type {import('./errors.js').ErrorData} */
    const data = {};
    if (message !== undefined) data.message = message;
    if (seconds !== undefined) data.seconds = seconds;
    this.#end(disconnectedReason(reason), new RtcError(codeOf(reason), reason, `the server ended the session: ${reason}`, data));
  }

  /**
   * The socket is of no more use.
   *
   * @param {number} [delayMs] before the next, at least
   */
  #lose(delayMs = 0) {
    const { clock, random } = this.#platform;
    this.#drop();
    this.#requests.suspend();
    // Whoever leaves now is told so by the request that has just failed.
    if (this.#state === 'DISCONNECTING') return;
    if (this.#joined) {
      if (this.#readySince !== null && clock.now() - this.#readySince >= STABLE_MS) this.#attempts = 0;
      this.#readySince = null;
    } else if (this.#attempts + 1 >= FIRST_ATTEMPTS) {
      return this.#end('NETWORK_ERROR', localError('unreachable', `no connection to ${this.#url}`));
    }
    const waitMs = Math.max(Math.min(delayMs, MAX_ASKED_WAIT_MS), backoffMs(this.#attempts, random()));
    this.#attempts += 1;
    this.#after('next', waitMs, () => this.#connect());
    if (!this.#joined) return;
    if (this.#patience === null && this.#patienceMs !== Infinity) {
      this.#patience = clock.setTimer(() => this.#giveUp(), this.#patienceMs);
    }
    this.#enter('RECONNECTING');
  }

  #giveUp() {
    this.#patience = null;
    this.#end('NETWORK_ERROR', localError('unreachable', `no connection for ${this.#patienceMs / 1000} s`));
  }

  #stopPatience() {
    if (this.#patience !== null) this.#platform.clock.clearTimer(this.#patience);
    this.#patience = null;
  }

  /**
   * @param {DisconnectedReason} reason
   * @param {RtcError} error for everything that still waits for an answer
   */
  #end(reason, error) {
    if (this.#state === 'DISCONNECTED') return;
    this.#drop();
    this.#stopPatience();
    this.#session = null;
    this.#requests.close(error);
    const starting = this.#starting;
    this.#starting = null;
    this.#enter('DISCONNECTED', reason);
    if (starting !== null) starting.reject(error);
    else if (reason !== 'LEAVE') this.#events.ended(error);
  }

  /** Lets go of the socket and of every timer. */
  #drop() {
    const link = this.#link;
    this.#link = null;
    this.#ready = false;
    this.#clearTimers();
    try {
      link?.socket?.close();
    } catch {
      // It is gone already.
    }
  }

  /** @param {string} text */
  #send(text) {
    try {
      this.#link?.socket?.send(text);
    } catch {
      // It will be reported as closed, or stay silent, which is noticed as well.
    }
  }

  /**
   * @param {ConnectionState} state
   * @param {DisconnectedReason} [reason]
   */
  #enter(state, reason) {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#events.changed(state, previous, reason);
  }

  /**
   * @param {'next' | 'heartbeat' | 'probe'} name
   * @param {number} delayMs
   * @param {() => void} run
   */
  #after(name, delayMs, run) {
    const { clock } = this.#platform;
    this.#cancel(name);
    this.#timers.set(name, clock.setTimer(() => {
      this.#timers.delete(name);
      run();
    }, delayMs));
  }

  /** @param {'next' | 'heartbeat' | 'probe'} name */
  #cancel(name) {
    if (this.#timers.has(name)) this.#platform.clock.clearTimer(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #clearTimers() {
    for (const timer of this.#timers.values()) this.#platform.clock.clearTimer(timer);
    this.#timers.clear();
  }
}

/**
 * @param {string} reason of the server
 * @returns {DisconnectedReason}
 */
function disconnectedReason(reason) {
  const code = codeOf(reason);
  if (code === 'UID_BANNED' || code === 'UID_CONFLICT' || code === 'CHANNEL_BANNED' || code === 'TOKEN_EXPIRE') return code;
  return 'SERVER_ERROR';
}
