import { backoffMs, wait } from './backoff.js';
import { asSessionError, errorFromRefusal, SessionError } from './errors.js';
import { iceServers, resolveLocation, retryAfterMs } from './headers.js';
import { applyRestart, restartFragment } from './sdp.js';

/** A server that has not answered a request by then is not going to. */
const REQUEST_TIMEOUT_MS = 10_000;
/** ICE and DTLS take three round trips; a path that is not up by then is blocked. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Radio networks lose a second or two all the time; ICE often recovers by itself. */
const DISCONNECTED_GRACE_MS = 2_000;
/** A restart takes two round trips; after that a new session is the better bet. */
const RESTART_TIMEOUT_MS = 5_000;
/** While the network is away a restart is tried this often before the session is given up for a new one. */
const MAX_RESTARTS = 3;
/** How soon to ask again for a stream that is not there, when the server does not say. */
const WAITING_RETRY_MS = 2_000;

/**
 * What a session is doing. `waiting` is for something that somebody else must do first, as `error` says;
 * `reconnecting` goes on by itself; `failed` is final.
 *
 * @typedef {{ name: 'idle' } | { name: 'connecting' } | { name: 'live' }
 *   | { name: 'waiting', error: SessionError }
 *   | { name: 'reconnecting', error: SessionError | null }
 *   | { name: 'failed', error: SessionError }} State
 */

/**
 * @typedef {object} SessionOptions
 * @property {string} url absolute
 * @property {string} [token] sent as Bearer
 * @property {(peer: RTCPeerConnection) => void} prepare adds what a new connection shall offer
 * @property {(sdp: string) => string} [adaptOffer] a last change to every offer
 * @property {(error: SessionError) => boolean} [waitsOut] refusals to wait out instead of failing
 * @property {(state: State) => void} onState
 */

/**
 * One WHIP or WHEP session from the first POST to the DELETE, across every reconnection in between: ICE restart by
 * PATCH first, then a new POST. A session is used once. The server is ICE-lite and reachable, so the offer goes out
 * at once, without candidates, and none are trickled.
 */
export class MediaSession {
  #options;
  #ending = new AbortController();
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /** @type {string | null} the session's URL on the server */
  #resource = null;

  /** @param {SessionOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** The connection now in use. Another one may take its place when the session reconnects. */
  get peer() {
    return this.#peer;
  }

  /**
   * Resolves when media can flow. Rejects with a SessionError, `stopped` if `stop` came first.
   *
   * @returns {Promise<RTCPeerConnection>}
   */
  async start() {
    globalThis.addEventListener('pagehide', () => this.stop(), { signal: this.#ending.signal });
    try {
      const peer = await this.#establish({ again: false });
      void this.#supervise(peer);
      return peer;
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  /** Ends the session here and on the server. May be called at any time, also while the page unloads. */
  stop() {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#release();
    this.#options.onState({ name: 'idle' });
  }

  /** @param {State} state */
  #enter(state) {
    if (!this.#ending.signal.aborted) this.#options.onState(state);
  }

  /**
   * @param {unknown} cause
   * @returns {SessionError} for the caller to throw
   */
  #fail(cause) {
    const error = asSessionError(cause);
    this.#enter({ name: 'failed', error });
    this.#ending.abort();
    this.#release();
    return error;
  }

  #throwIfStopped() {
    if (this.#ending.signal.aborted) throw new SessionError('stopped', 'the session was stopped');
  }

  /**
   * Connects, and tries again for as long as that makes sense.
   *
   * @param {{ again: boolean }} options whether the session was up before: then a failing network is no reason to stop
   * @returns {Promise<RTCPeerConnection>}
   */
  async #establish({ again }) {
    if (!again) this.#enter({ name: 'connecting' });
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#connect();
      } catch (cause) {
        this.#release();
        this.#throwIfStopped();
        const error = asSessionError(cause);
        const waitsOut = this.#options.waitsOut?.(error) ?? false;
        if (!waitsOut && !(error.transient && (again || attempt > 0))) throw error;
        this.#enter({ name: waitsOut ? 'waiting' : 'reconnecting', error });
        const fallbackMs = waitsOut ? WAITING_RETRY_MS : backoffMs(attempt, Math.random());
        await wait(error.retryAfterMs ?? fallbackMs, this.#ending.signal);
        this.#throwIfStopped();
      }
    }
  }

  /** @returns {Promise<RTCPeerConnection>} */
  async #connect() {
    if (typeof RTCPeerConnection === 'undefined') {
      throw new SessionError('no_webrtc', 'this browser has no WebRTC');
    }
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#peer = peer;
    this.#options.prepare(peer);
    const offer = await this.#offer(peer);
    const response = await this.#request('POST', this.#options.url, offer, { 'Content-Type': 'application/sdp' });
    this.#resource = resolveLocation(response.headers.get('Location'), response.url);
    const servers = iceServers(response.headers.get('Link'));
    const sdp = await response.text();
    this.#throwIfStopped();
    if (servers.length > 0) peer.setConfiguration({ ...peer.getConfiguration(), iceServers: servers });
    await acceptAnswer(peer, sdp);
    if (!(await isConnected(peer, CONNECT_TIMEOUT_MS, this.#ending.signal))) {
      throw new SessionError('no_media_path', 'no media path to the server over UDP');
    }
    return peer;
  }

  /**
   * @param {RTCPeerConnection} peer
   * @param {RTCOfferOptions} [options]
   * @returns {Promise<string>} the local description now in force
   */
  async #offer(peer, options) {
    const { sdp = '' } = await peer.createOffer(options);
    const adapted = this.#options.adaptOffer?.(sdp) ?? sdp;
    await peer.setLocalDescription({ type: 'offer', sdp: adapted });
    return peer.localDescription?.sdp ?? adapted;
  }

  /**
   * Keeps the session up until it is stopped or cannot be kept.
   *
   * @param {RTCPeerConnection} first
   */
  async #supervise(first) {
    let peer = first;
    try {
      for (;;) {
        this.#enter({ name: 'live' });
        await isBroken(peer, this.#ending.signal);
        this.#throwIfStopped();
        this.#enter({ name: 'reconnecting', error: null });
        if (await this.#restartIce(peer)) continue;
        this.#release();
        peer = await this.#establish({ again: true });
      }
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /**
   * ICE restart (RFC 9725 section 4.3.3): new credentials by PATCH, the rest of the session stands.
   *
   * @param {RTCPeerConnection} peer
   * @returns {Promise<boolean>} whether media can flow again; if not, the session is of no more use
   */
  async #restartIce(peer) {
    for (let attempt = 0; attempt < MAX_RESTARTS; attempt += 1) {
      try {
        await this.#exchangeCredentials(peer);
        return await isConnected(peer, RESTART_TIMEOUT_MS, this.#ending.signal);
      } catch (cause) {
        this.#throwIfStopped();
        const error = asSessionError(cause);
        // Another publisher has this uid now; taking it back would only start a fight.
        if (error.code === 'replaced') throw error;
        if (error.code === 'session_not_found') this.#resource = null;
        if (!error.transient) return false;
        this.#enter({ name: 'reconnecting', error });
        await wait(backoffMs(attempt, Math.random()), this.#ending.signal);
        this.#throwIfStopped();
      }
    }
    return false;
  }

  /** @param {RTCPeerConnection} peer */
  async #exchangeCredentials(peer) {
    if (this.#resource === null) throw new SessionError('bad_answer', 'the server named no session to restart');
    const fragment = restartFragment(await this.#offer(peer, { iceRestart: true }));
    if (fragment === null) throw new SessionError('bad_answer', 'the offer has no ICE credentials');
    const response = await this.#request('PATCH', this.#resource, fragment, {
      'Content-Type': 'application/trickle-ice-sdpfrag',
      // RFC 9725 section 4.3.3: a restart applies whatever ICE session is in force.
      'If-Match': '*',
    });
    const sdp = applyRestart(peer.remoteDescription?.sdp ?? '', await response.text());
    this.#throwIfStopped();
    if (sdp === null) throw new SessionError('bad_answer', 'the server sent no ICE credentials');
    await acceptAnswer(peer, sdp);
  }

  /** Frees the session on the server and closes the connection. */
  #release() {
    const peer = this.#peer;
    const resource = this.#resource;
    this.#peer = null;
    this.#resource = null;
    if (resource === null) {
      peer?.close();
      return;
    }
    // Closing first would end the session before the DELETE arrives, which then finds nothing. Nobody can act on a
    // DELETE that fails: the server ends a silent session by itself.
    const close = () => peer?.close();
    this.#request('DELETE', resource).then(close, close);
  }

  /**
   * @param {'POST' | 'PATCH' | 'DELETE'} method
   * @param {string} url
   * @param {string} [body]
   * @param {Record<string, string>} [headers]
   * @returns {Promise<Response>} a success
   */
  async #request(method, url, body, headers = {}) {
    const { token } = this.#options;
    const response = await fetch(url, {
      method,
      body,
      headers: token ? { ...headers, Authorization: `Bearer ${token}` } : headers,
      cache: 'no-store',
      // A DELETE must outlive the page that sends it.
      keepalive: method === 'DELETE',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (response.ok) return response;
    throw errorFromRefusal({
      status: response.status,
      body: await response.text(),
      retryAfterMs: retryAfterMs(response.headers.get('Retry-After'), Date.now()),
    });
  }
}

/**
 * @param {RTCPeerConnection} peer
 * @param {string} sdp
 */
async function acceptAnswer(peer, sdp) {
  try {
    await peer.setRemoteDescription({ type: 'answer', sdp });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new SessionError('bad_answer', message, { cause });
  }
}

/**
 * @param {RTCPeerConnection} peer
 * @param {number} timeoutMs
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} false when it failed, took too long or was given up
 */
async function isConnected(peer, timeoutMs, signal) {
  await stateSettles(peer, ({ connectionState }) => {
    if (connectionState === 'connected' || isOver(connectionState)) return 0;
    return null;
  }, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  return peer.connectionState === 'connected' && !signal.aborted;
}

/**
 * Resolves when the connection needs help, or when `signal` says that nobody cares any more.
 *
 * @param {RTCPeerConnection} peer
 * @param {AbortSignal} signal
 */
function isBroken(peer, signal) {
  return stateSettles(peer, ({ connectionState }) => {
    if (isOver(connectionState)) return 0;
    return connectionState === 'disconnected' ? DISCONNECTED_GRACE_MS : null;
  }, signal);
}

/** @param {RTCPeerConnectionState} state */
function isOver(state) {
  return state === 'failed' || state === 'closed';
}

/**
 * Resolves once a state has lasted as long as `patienceMs` gives it (null: for ever), or on abort.
 *
 * @param {RTCPeerConnection} peer
 * @param {(peer: RTCPeerConnection) => number | null} patienceMs
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function stateSettles(peer, patienceMs, signal) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const finish = () => {
      clearTimeout(timer);
      listening.abort();
      resolve();
    };
    const look = () => {
      clearTimeout(timer);
      const delayMs = patienceMs(peer);
      if (delayMs === 0 || signal.aborted) finish();
      else if (delayMs !== null) timer = setTimeout(finish, delayMs);
    };
    peer.addEventListener('connectionstatechange', look, { signal: listening.signal });
    signal.addEventListener('abort', finish, { signal: listening.signal });
    look();
  });
}
