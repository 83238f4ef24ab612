import { Misfit } from './check.js';
import { localError, refusalError } from './errors.js';
import { encode, readResponse } from './protocol.js';

/** A server that has not answered by then is not going to. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Longer than the server keeps a session without a connection: by then it is resumed or joined again, or hopeless. */
const QUEUE_TIMEOUT_MS = 30_000;
/** Far more than an application has under way; one that goes beyond asks in a loop. */
const MAX_REQUESTS = 128;

/**
 * Requests that are not asked again after a lost connection: a message could arrive twice, statistics are old by then,
 * and the others belong to one connection.
 *
 * @type {ReadonlySet<import('./protocol.js').RequestType>}
 */
const NEVER_REPEATED = new Set(['send_message', 'send_sei', 'stats', 'join', 'resume', 'leave', 'ping']);

/**
 * @template {import('./protocol.js').RequestType} T
 * @typedef {object} RequestOptions
 * @property {boolean} [immediate] is sent even if there is no session yet
 * @property {boolean} [ofSession] means nothing to the next session
 * @property {number} [timeoutMs] for the answer
 * @property {(reply: import('./protocol.js').Response<T>) => void} [apply] is called with the answer before anything
 *   that the server said after it is looked at; a promise is later
 */

/**
 * @typedef {object} Pending
 * @property {import('./protocol.js').RequestType} type
 * @property {string} text
 * @property {boolean} sent
 * @property {boolean} ofSession
 * @property {number} timeoutMs
 * @property {(ok: unknown) => void} resolve throws a Misfit if the answer makes no sense
 * @property {(error: Error) => void} reject
 * @property {unknown} timer
 */

/**
 * Requests until they are answered. While there is no session they wait; when it is back they are sent in their order,
 * and those that were sent but not answered once more, where that does no harm.
 */
export class Requests {
  #clock;
  #send;
  #nextId = 1;
  #open = false;
  /** @type {Map<number, Pending>} */
  #pending = new Map();

  /**
   * @param {import('./ports.js').Clock} clock
   * @param {(text: string) => void} send
   */
  constructor(clock, send) {
    this.#clock = clock;
    this.#send = send;
  }

  /** How many are under way. */
  get size() {
    return this.#pending.size;
  }

  /**
   * @template {import('./protocol.js').RequestType} T
   * @param {T} type
   * @param {import('./protocol.js').Request<T>} fields
   * @param {RequestOptions<T>} [options]
   * @returns {Promise<import('./protocol.js').Response<T>>}
   */
  add(type, fields, { immediate = false, ofSession = false, timeoutMs = ANSWER_TIMEOUT_MS, apply } = {}) {
    return new Promise((resolve, reject) => {
      // The server's own requests must get through however much an application asks.
      if (!immediate && this.#pending.size >= MAX_REQUESTS) {
        throw localError('too_many_requests', `${MAX_REQUESTS} requests are waiting already`, { limit: MAX_REQUESTS });
      }
      const id = this.#nextId;
      /** @type {Pending} */
      const pending = {
        type,
        text: encode(id, type, fields),
        sent: false,
        ofSession,
        timeoutMs,
        resolve: (ok) => {
          const reply = readResponse(type, ok);
          apply?.(reply);
          resolve(reply);
        },
        reject,
        timer: null,
      };
      this.#nextId += 1;
      this.#pending.set(id, pending);
      if (this.#open || immediate) this.#dispatch(id, pending);
      else this.#wait(id, pending, QUEUE_TIMEOUT_MS);
    });
  }

  /** There is a session: what is asked from now on is sent at once. */
  open() {
    this.#open = true;
  }

  /** Sends everything that has waited for a session. */
  flush() {
    for (const [id, pending] of [...this.#pending]) {
      if (this.#open && !pending.sent && this.#pending.has(id)) this.#dispatch(id, pending);
    }
  }

  /** The connection is lost. */
  suspend() {
    this.#open = false;
    for (const [id, pending] of [...this.#pending]) {
      if (!pending.sent) continue;
      if (NEVER_REPEATED.has(pending.type)) {
        this.#finish(id, pending);
        pending.reject(localError('outcome_unknown', `the connection broke before ${pending.type} was answered`));
      } else {
        pending.sent = false;
        this.#wait(id, pending, QUEUE_TIMEOUT_MS);
      }
    }
  }

  /** The session is a new one: what only the old one was asked is void. */
  startSession() {
    for (const [id, pending] of [...this.#pending]) {
      if (!pending.ofSession) continue;
      this.#finish(id, pending);
      pending.reject(localError('session_lost', `the session that ${pending.type} was for is over`));
    }
  }

  /** @param {Error} error for everything under way */
  close(error) {
    this.#open = false;
    for (const [id, pending] of [...this.#pending]) {
      this.#finish(id, pending);
      pending.reject(error);
    }
  }

  /**
   * @param {import('./protocol.js').Incoming & { type: 'response' | 'refusal' }} answer
   * @returns {'done' | 'unmatched' | 'malformed'}
   */
  settle(answer) {
    const pending = answer.id === null ? undefined : this.#pending.get(answer.id);
    if (answer.id === null || pending === undefined || !pending.sent) return 'unmatched';
    this.#finish(answer.id, pending);
    if (answer.type === 'refusal') {
      pending.reject(refusalError(answer.error));
      return 'done';
    }
    try {
      pending.resolve(answer.ok);
      return 'done';
    } catch (cause) {
      if (!(cause instanceof Misfit)) throw cause;
      pending.reject(localError('bad_response', `the answer to ${pending.type}: ${cause.message}`));
      return 'malformed';
    }
  }

  /**
   * @param {number} id
   * @param {Pending} pending
   */
  #dispatch(id, pending) {
    pending.sent = true;
    this.#wait(id, pending, pending.timeoutMs);
    this.#send(pending.text);
  }

  /**
   * @param {number} id
   * @param {Pending} pending
   * @param {number} timeoutMs
   */
  #wait(id, pending, timeoutMs) {
    if (pending.timer !== null) this.#clock.clearTimer(pending.timer);
    pending.timer = this.#clock.setTimer(() => {
      pending.timer = null;
      this.#finish(id, pending);
      const why = pending.sent ? 'was not answered' : 'found no connection';
      pending.reject(localError('timed_out', `${pending.type} ${why} in ${timeoutMs / 1000} s`));
    }, timeoutMs);
  }

  /**
   * @param {number} id
   * @param {Pending} pending
   */
  #finish(id, pending) {
    this.#pending.delete(id);
    if (pending.timer !== null) this.#clock.clearTimer(pending.timer);
    pending.timer = null;
  }
}
