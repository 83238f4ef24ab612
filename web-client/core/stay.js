import { fromBase64 } from './base64.js';
import { Connection } from './connection.js';
import { RtcError } from './errors.js';
import { Ledger } from './ledger.js';
import { Negotiation } from './negotiation.js';
import { KINDS, Room, uidKey } from './room.js';

/** @typedef {import('./protocol.js').StreamName} StreamName */
/** @typedef {import('./protocol.js').ReceivedName} ReceivedName */
/** @typedef {import('./protocol.js').Uid} Uid */
/** @typedef {import('./protocol.js').Role} Role */
/** @typedef {import('./client.js').ClientEvents} ClientEvents */

/**
 * @template {keyof ClientEvents} [N=keyof ClientEvents]
 * @typedef {{ [K in N]: { name: K, args: ClientEvents[K] } }[N]} Told
 */

/**
 * One stay in a room, from joining to leaving: what the signalling says and the media need of each other, and what has
 * to be told. Is used once.
 */
export class Stay {
  room = new Room();
  ledger = new Ledger();
  /** What the server asks of one's own streams. @type {Map<StreamName, import('./client.js').PublishLimits>} */
  limits = new Map();
  admin = false;
  /** @type {Uid} */
  uid;
  /** @type {Role | undefined} */
  role;
  #platform;
  #tell;
  #createMedia;
  #connection;
  #negotiation;
  /** @type {import('./ports.js').Media | null} */
  #media = null;
  /** What is told only when whoever joined knows that they have. @type {Told[] | null} */
  #held = [];
  /** @type {unknown} */
  #releaseTimer = null;

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {import('./ports.js').Platform} options.platform
   * @param {import('./connection.js').JoinRequest} options.join
   * @param {(uplink: import('./ports.js').MediaUplink) => import('./ports.js').Media} options.createMedia
   * @param {(told: Told) => void} options.tell
   * @param {import('./connection.js').Persistence} [options.persistence]
   */
  constructor({ url, platform, join, createMedia, tell, persistence }) {
    this.uid = join.uid;
    this.role = join.role;
    this.#platform = platform;
    this.#createMedia = createMedia;
    this.#tell = tell;
    this.#connection = new Connection({
      url,
      platform,
      join,
      ...(persistence === undefined ? {} : { persistence }),
      events: {
        changed: (current, previous, reason) => this.#changed(current, previous, reason),
        joined: (reply, again) => this.#joined(reply, again),
        resumed: () => this.#carry((media) => media.resumed()),
        event: (event) => this.#event(event),
        ended: (error) => {
          if (error.code === 'TOKEN_EXPIRE') this.#say('token-privilege-did-expire');
          this.#say('session-ended', error);
        },
      },
    });
    this.#negotiation = new Negotiation({
      offer: (revision, sdp, mids) => this.#offer(revision, sdp, mids),
      answer: (revision, sdp) => this.#answer(revision, sdp),
      failed: (cause) => this.#lostMedia(cause),
    });
  }

  get connection() {
    return this.#connection;
  }

  /** @returns {Promise<Uid>} */
  async join() {
    const { uid } = await this.#connection.start();
    return uid;
  }

  /** @param {import('./protocol.js').Request<'publish'>} request */
  publish(request) {
    return this.#withMedia(() =>
      this.#connection.request('publish', request, { apply: (reply) => this.#published(request, reply) }));
  }

  /** @param {StreamName} stream */
  async unpublish(stream) {
    this.#dropPublication(stream);
    // Once more afterwards: a publish that was under way may have been granted in between.
    const apply = () => this.#dropPublication(stream);
    await this.#connection.request('unpublish', { stream }, { apply }).catch(unless('not_published'));
  }

  /** @param {import('./protocol.js').Request<'subscribe'>} request */
  subscribe(request) {
    return this.#withMedia(() =>
      this.#connection.request('subscribe', request, { apply: (reply) => this.#subscribed(request, reply) }));
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   */
  async unsubscribe(uid, stream) {
    this.#dropSubscription(uid, stream);
    const apply = () => this.#dropSubscription(uid, stream);
    await this.#connection.request('unsubscribe', { uid, stream }, { apply })
      .catch(unless('not_subscribed', 'no_such_stream', 'no_such_participant'));
  }

  /** @param {import('./protocol.js').Request<'mute'>} request */
  async mute(request) {
    const { stream, kind, muted, uid } = request;
    const own = uid === undefined || uidKey(uid) === uidKey(this.uid);
    const { state } = await this.#connection.request('mute', request, {
      apply: (reply) => {
        if (own) this.#muted(stream, kind, muted, reply.state);
      },
    });
    return state;
  }

  /** @param {Role} role */
  async setRole(role) {
    await this.#connection.request('set_role', { role }, { apply: (reply) => this.#setRole(reply.role) });
  }

  /** @param {string} token */
  renewToken(token) {
    return this.#connection.request('renew_token', { token }, {
      apply: (reply) => {
        this.#connection.amend({ token });
        if (reply.role !== this.role) this.#setRole(reply.role);
      },
    });
  }

  /** @param {import('./protocol.js').Request<'set_stream_attribute'>} request */
  async setStreamAttribute(request) {
    const { stream, key, value } = request;
    await this.#connection.request('set_stream_attribute', request, {
      apply: () => {
        const attributes = this.ledger.publication(stream)?.attributes;
        if (value === null) attributes?.delete(key);
        else attributes?.set(key, value);
      },
    });
  }

  /**
   * @param {import('./connection.js').ConnectionState} current
   * @param {import('./connection.js').ConnectionState} previous
   * @param {import('./connection.js').DisconnectedReason} [reason]
   */
  #changed(current, previous, reason) {
    if (current === 'DISCONNECTED') this.#finish();
    this.#tell({ name: 'connection-state-change', args: [current, previous, reason] });
  }

  /**
   * @param {import('./connection.js').JoinReply} reply
   * @param {boolean} again
   */
  #joined(reply, again) {
    this.uid = reply.uid;
    this.admin = reply.admin;
    if (again) {
      // The new session is told anew.
      for (const stream of [...this.limits.keys()]) this.#limit({ stream, max_kbps: null });
      this.#negotiation.reset();
      this.#carry((media) => media.reset());
    } else {
      this.#startMedia();
      this.#releaseTimer = this.#platform.clock.setTimer(() => this.#release(), 0);
    }
    this.#setRole(reply.role);
    this.#apply(this.room.reset(reply));
    if (again) this.#restore();
  }

  /** Brings a new session to where the lost one was. */
  #restore() {
    for (const { stream, audio, video, layers, attributes, state, muted } of this.ledger.publications) {
      const request = { stream, audio, video, ...(layers === 1 ? {} : { layers }), ...attributesOf(attributes) };
      this.#connection.request('publish', request, {
        ofSession: true,
        apply: (reply) => this.#carry((media) => media.publish(reply)),
      }).catch((cause) => this.#unlessAborted(cause, () => this.#endPublication(stream)));
      for (const kind of KINDS) {
        // A block may be over with the lost session, which only asking can tell.
        if (muted[kind] || state[kind] === 'blocked') this.#muteAgain(stream, kind, muted[kind]);
      }
    }
    for (const { uid, stream, audio, video, maxLayer } of this.ledger.subscriptions) {
      const request = { uid, stream, audio, video, ...(maxLayer === 'h' ? {} : { max_layer: maxLayer }) };
      this.#connection.request('subscribe', request, {
        ofSession: true,
        apply: (reply) => this.#carry((media) => media.subscribe(reply)),
      }).catch((cause) => this.#unlessAborted(cause, () => this.#endSubscription(uid, stream)));
    }
  }

  /**
   * @param {StreamName} stream
   * @param {import('./protocol.js').Kind} kind
   * @param {boolean} muted
   */
  #muteAgain(stream, kind, muted) {
    this.#connection.request('mute', { stream, kind, muted }, {
      ofSession: true,
      apply: (reply) => this.#muted(stream, kind, muted, reply.state),
    }).catch((cause) => {
      if (!(cause instanceof RtcError && cause.reason === 'blocked')) this.#unlessAborted(cause, () => {});
    });
  }

  /**
   * @param {StreamName} stream
   * @param {import('./protocol.js').Kind} kind
   * @param {boolean} muted what was asked for
   * @param {import('./protocol.js').TrackState} state what it is
   */
  #muted(stream, kind, muted, state) {
    const publication = this.ledger.publication(stream);
    if (publication === undefined) return;
    publication.muted[kind] = muted;
    publication.state[kind] = state;
  }

  /** @param {import('./protocol.js').Event} event */
  #event(event) {
    if (event.event === 'offer') this.#negotiation.offer(event);
    else if (event.event === 'message') this.#message(event);
    else if (event.event === 'speaker') this.#say('speaker', event.uid);
    else if (event.event === 'network_quality') this.#say('network-quality', event.participants);
    else if (event.event === 'publish_limits') this.#limit(event);
    else if (event.event === 'sei') this.#sei(event);
    else if (event.event === 'layers_wanted') this.#say('layers-wanted', event.stream, event.layers);
    else if (event.event === 'token_expiring') this.#say('token-privilege-will-expire');
    else if ('uid' in event && uidKey(event.uid) === uidKey(this.uid)) this.#ownEvent(event);
    else this.#apply(this.room.apply(event));
  }

  /** What somebody else did to this participant. @param {import('./protocol.js').Event & { uid: Uid }} event */
  #ownEvent(event) {
    if (event.event === 'stream_unpublished') this.#endPublication(event.stream);
    if (event.event === 'role_changed') this.#setRole(event.role);
    if (event.event !== 'muted' && event.event !== 'stream_changed') return;
    const publication = this.ledger.publication(event.stream);
    if (publication === undefined) return;
    for (const kind of KINDS) {
      const state = event.event === 'stream_changed' ? event[kind] : event.kind === kind ? event.state : null;
      if (state === null || state === publication.state[kind]) continue;
      publication.state[kind] = state;
      publication[kind] = state !== 'absent';
      this.#say('local-track-state', event.stream, kind, state, event.event === 'muted' ? event.by : undefined);
    }
  }

  /** @param {import('./protocol.js').Event<'message'>} event */
  #message({ message_id: id, from, private: isPrivate, at, text, data }) {
    const bytes = data === undefined ? null : fromBase64(data);
    this.#say('message', {
      id, from, private: isPrivate, at,
      ...(text === undefined ? {} : { text }),
      ...(bytes === null ? {} : { data: bytes }),
    });
  }

  /** @param {import('./protocol.js').Event<'sei'>} event */
  #sei({ uid, stream, sei_type: type, uuid, text, data }) {
    const bytes = data === undefined ? null : fromBase64(data);
    this.#say('sei', {
      uid, stream, type,
      ...(uuid === undefined ? {} : { uuid }),
      ...(text === undefined ? {} : { text }),
      ...(bytes === null ? {} : { data: bytes }),
    });
  }

  /** @param {Pick<import('./protocol.js').Event<'publish_limits'>, 'stream' | 'max_kbps' | 'short_side'>} event */
  #limit({ stream, max_kbps: maxKbps, short_side: shortSide }) {
    const limits = maxKbps === null ? null : { maxKbps, ...(shortSide === undefined ? {} : { shortSide }) };
    if (limits === null) this.limits.delete(stream);
    else this.limits.set(stream, limits);
    this.#say('publish-limits', stream, limits);
  }

  /** @param {import('./room.js').Change[]} changes */
  #apply(changes) {
    for (const change of changes) {
      if (change.type === 'stream-ended') this.#endSubscription(change.user.uid, change.stream);
      else this.#sayChange(change);
    }
  }

  /** @param {Exclude<import('./room.js').Change, { type: 'stream-ended' }>} change */
  #sayChange(change) {
    switch (change.type) {
      case 'user-joined':
        return this.#say('user-joined', change.user);
      case 'user-left':
        return this.#say('user-left', change.user, change.reason);
      case 'user-published':
        return this.#say('user-published', change.user, change.kind, change.stream);
      case 'user-unpublished':
        return this.#say('user-unpublished', change.user, change.kind, change.stream);
      case 'track-state':
        return this.#say('track-state', change.user, change.kind, change.stream, change.state, change.by);
      case 'role-changed':
        return this.#say('role-changed', change.user, change.role);
      case 'platform-changed':
        return this.#say('platform-changed', change.user, change.platform);
      case 'user-connection':
        return this.#say('user-connection', change.user, change.state);
      case 'stream-attribute':
        return this.#say('stream-attribute', change.user, change.stream, change.key, change.value);
      case 'room-attribute':
        return this.#say('room-attribute', change.key, change.value, change.by);
    }
  }

  /**
   * @param {import('./protocol.js').Request<'publish'>} request
   * @param {import('./ports.js').PublishedMedia} reply
   */
  #published(request, reply) {
    this.ledger.published(request);
    this.#carry((media) => media.publish(reply));
  }

  /**
   * @param {import('./protocol.js').Request<'subscribe'>} request
   * @param {import('./ports.js').SubscribedMedia} reply
   */
  #subscribed(request, reply) {
    this.ledger.subscribed(request);
    this.#carry((media) => media.subscribe(reply));
  }

  /** @param {StreamName} stream */
  #dropPublication(stream) {
    const had = this.ledger.unpublished(stream);
    this.limits.delete(stream);
    if (had) this.#carry((media) => media.unpublish(stream));
    return had;
  }

  /** Without having been asked to. @param {StreamName} stream */
  #endPublication(stream) {
    if (this.#dropPublication(stream)) this.#say('local-unpublished', stream);
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   */
  #dropSubscription(uid, stream) {
    const had = this.ledger.unsubscribed(uid, stream);
    if (had) this.#carry((media) => media.unsubscribe(uid, stream));
    return had;
  }

  /**
   * @param {Uid} uid
   * @param {ReceivedName} stream
   */
  #endSubscription(uid, stream) {
    if (this.#dropSubscription(uid, stream)) this.#say('subscription-ended', uid, stream);
  }

  /** @param {Role} role as the server has it */
  #setRole(role) {
    this.#connection.amend({ role });
    if (role === 'audience') {
      for (const { stream } of this.ledger.publications) this.#endPublication(stream);
    }
    const changed = this.role !== undefined && this.role !== role;
    this.role = role;
    if (changed) this.#say('local-role-changed', role);
  }

  /**
   * A request whose answer nobody waits for.
   *
   * @template {import('./protocol.js').RequestType} T
   * @param {T} type
   * @param {import('./protocol.js').Request<T>} fields
   */
  #ask(type, fields) {
    this.#connection.request(type, fields, { ofSession: true }).catch((cause) => this.#unlessAborted(cause, () => {}));
  }

  /**
   * @param {unknown} cause
   * @param {() => void} then
   */
  #unlessAborted(cause, then) {
    const over = this.#connection.state === 'DISCONNECTED';
    if (over || (cause instanceof RtcError && cause.code === 'OPERATION_ABORTED')) return;
    then();
    this.#say('exception', cause);
  }

  #startMedia() {
    try {
      this.#media = this.#createMedia({
        candidate: (candidate, mid) => this.#ask('candidate', { candidate, ...(mid === undefined ? {} : { mid }) }),
        iceRestart: () => this.#restartIce(),
        giveUp: () => this.#connection.rejoin(),
      });
    } catch (cause) {
      this.#say('exception', cause);
    }
  }

  /** @type {import('./ports.js').Media['offer']} */
  #offer(revision, sdp, mids) {
    return this.#media?.offer(revision, sdp, mids) ?? Promise.reject(new Error('there is nothing to carry media'));
  }

  /**
   * @param {number} revision
   * @param {string} sdp
   */
  #answer(revision, sdp) {
    this.#connection.request('answer', { revision, sdp }, { ofSession: true }).catch((cause) => {
      // After a resume it is sent once more, and may have been taken the first time.
      if (cause instanceof RtcError && cause.reason === 'stale_revision') return;
      this.#unlessAborted(cause, () => this.#connection.rejoin());
    });
  }

  /** The server waits for an answer that does not come. @param {unknown} cause */
  #lostMedia(cause) {
    this.#say('exception', cause);
    this.#connection.rejoin();
  }

  /**
   * If the server has lost the media of this session, asks once more in the next.
   *
   * @template T
   * @param {() => Promise<T>} ask
   * @returns {Promise<T>}
   */
  async #withMedia(ask) {
    try {
      return await ask();
    } catch (cause) {
      if (!(cause instanceof RtcError && cause.reason === 'media_lost')) throw cause;
      this.#connection.rejoin();
      return ask();
    }
  }

  async #restartIce() {
    try {
      await this.#connection.request('ice_restart', {}, { ofSession: true });
    } catch (cause) {
      if (cause instanceof RtcError && cause.reason === 'media_lost') this.#connection.rejoin();
      throw cause;
    }
  }

  /**
   * Media are the platform's: what they throw must not stop the signalling.
   *
   * @param {(media: import('./ports.js').Media) => void} act
   */
  #carry(act) {
    try {
      if (this.#media !== null) act(this.#media);
    } catch (cause) {
      this.#say('exception', cause);
    }
  }

  /**
   * @template {keyof ClientEvents} N
   * @param {N} name
   * @param {ClientEvents[N]} args
   */
  #say(name, ...args) {
    const told = /** @type {Told} */ ({ name, args });
    if (this.#held === null) this.#tell(told);
    else this.#held.push(told);
  }

  #release() {
    this.#releaseTimer = null;
    // A listener may end the stay, or bring about more: everything keeps its order.
    while (this.#held !== null && this.#held.length > 0) {
      const told = this.#held.shift();
      if (told !== undefined) this.#tell(told);
    }
    this.#held = null;
  }

  #finish() {
    if (this.#releaseTimer !== null) this.#platform.clock.clearTimer(this.#releaseTimer);
    this.#held = null;
    this.#negotiation.reset();
    this.#carry((media) => media.close());
    this.#media = null;
    this.ledger.clear();
    this.limits.clear();
    this.room.clear();
  }
}

/**
 * @param {Map<string, string>} attributes
 * @returns {{ attributes?: Record<string, string> }}
 */
function attributesOf(attributes) {
  return attributes.size === 0 ? {} : { attributes: Object.fromEntries(attributes) };
}

/**
 * @param {string[]} reasons for which there is nothing left to do
 * @returns {(cause: unknown) => void}
 */
function unless(...reasons) {
  return (cause) => {
    if (!(cause instanceof RtcError && reasons.includes(cause.reason))) throw cause;
  };
}
