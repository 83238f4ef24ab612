/** @typedef {import('./protocol.js').Uid} Uid */
/** @typedef {import('./protocol.js').Kind} Kind */
/** @typedef {import('./protocol.js').StreamName} StreamName */
/** @typedef {import('./protocol.js').TrackState} TrackState */
/** @typedef {import('./protocol.js').Role} Role */

/** @type {readonly Kind[]} */
export const KINDS = ['audio', 'video'];

/**
 * @typedef {object} RemoteStream
 * @property {StreamName} name
 * @property {TrackState} audio
 * @property {TrackState} video
 * @property {Map<string, string>} attributes
 */

/**
 * Somebody else in the room. The same object for as long as they are in it; when they have left it stays as it was,
 * without streams.
 *
 * @typedef {object} RemoteUser
 * @property {Uid} uid
 * @property {string} platform `web`, `native`, `miniprogram`, `encoder`, or what a later server adds
 * @property {Role} role
 * @property {'connected' | 'reconnecting'} state
 * @property {Map<StreamName, RemoteStream>} streams
 */

/**
 * What is different now.
 *
 * @typedef {{ type: 'user-joined', user: RemoteUser }
 *   | { type: 'user-left', user: RemoteUser, reason: string }
 *   | { type: 'user-published', user: RemoteUser, stream: StreamName, kind: Kind }
 *   | { type: 'user-unpublished', user: RemoteUser, stream: StreamName, kind: Kind }
 *   | { type: 'stream-ended', user: RemoteUser, stream: StreamName }
 *   | { type: 'track-state', user: RemoteUser, stream: StreamName, kind: Kind, state: TrackState, by?: Uid }
 *   | { type: 'role-changed', user: RemoteUser, role: Role }
 *   | { type: 'platform-changed', user: RemoteUser, platform: string }
 *   | { type: 'user-connection', user: RemoteUser, state: 'connected' | 'reconnecting' }
 *   | { type: 'stream-attribute', user: RemoteUser, stream: StreamName, key: string, value: string | null }
 *   | { type: 'room-attribute', key: string, value: string | null, by?: Uid }} Change
 */

/**
 * @param {Uid} uid
 * @returns {string} the same for all forms of a uid
 */
export const uidKey = (uid) => String(uid);

/**
 * The others in the room and what they publish, as the server tells it. One's own streams are not in it.
 * Every method returns what it has changed, in the order in which to tell it.
 */
export class Room {
  /** @type {Map<string, RemoteUser>} */
  #users = new Map();
  /** @type {Map<string, string>} */
  attributes = new Map();

  /** In the order in which they joined. */
  get users() {
    return [...this.#users.values()];
  }

  /**
   * @param {Uid} uid
   * @returns {RemoteUser | undefined}
   */
  user(uid) {
    return this.#users.get(uidKey(uid));
  }

  /**
   * Everything anew, from the reply to a join.
   *
   * @param {Pick<import('./protocol.js').Response<'join'>, 'participants' | 'attributes'>} reply
   * @returns {Change[]} after a rejoin no more than what is really different
   */
  reset({ participants, attributes }) {
    const present = new Set(participants.map(({ uid }) => uidKey(uid)));
    /** @type {Change[]} */
    const changes = [];
    for (const user of this.users) {
      // Nobody has said why: it went while nobody was listening.
      if (!present.has(uidKey(user.uid))) changes.push(...this.#remove(user, 'left'));
    }
    for (const participant of participants) changes.push(...this.#put(participant));
    const now = new Map(Object.entries(attributes));
    for (const key of this.attributes.keys()) {
      if (!now.has(key)) changes.push(...this.#setAttribute(key, null));
    }
    for (const [key, value] of now) changes.push(...this.#setAttribute(key, value));
    return changes;
  }

  /** Forgets everything: there is no room any more. */
  clear() {
    for (const user of this.users) user.streams.clear();
    this.#users.clear();
    this.attributes.clear();
  }

  /**
   * @param {import('./protocol.js').Event} event one about somebody who is not known changes nothing
   * @returns {Change[]}
   */
  apply(event) {
    if (event.event === 'participant_joined') return this.#put(event.participant);
    if (event.event === 'room_attribute') return this.#setAttribute(event.key, event.value, event.by);
    const user = 'uid' in event ? this.user(event.uid) : undefined;
    if (user === undefined) return [];
    switch (event.event) {
      case 'participant_left':
        return this.#remove(user, event.reason);
      case 'participant_reconnecting':
        return setConnection(user, 'reconnecting');
      case 'participant_reconnected':
        return setConnection(user, 'connected');
      case 'stream_published':
      case 'stream_changed':
        return setStream(user, event);
      case 'stream_unpublished':
        return endStream(user, event.stream);
      case 'muted':
        return user.streams.has(event.stream) ? setTrack(user, event.stream, event.kind, event.state, event.by) : [];
      case 'role_changed':
        return setRole(user, event.role);
      case 'stream_attribute':
        return setStreamAttribute(user, event.stream, event.key, event.value);
      default:
        return [];
    }
  }

  /**
   * @param {import('./protocol.js').Participant} participant as it is now
   * @returns {Change[]}
   */
  #put(participant) {
    const { uid, platform, role, state, streams } = participant;
    const known = this.user(uid);
    const user = known ?? { uid, platform, role, state, streams: new Map() };
    /** @type {Change[]} */
    const changes = [];
    if (known === undefined) {
      this.#users.set(uidKey(uid), user);
      changes.push({ type: 'user-joined', user });
    } else {
      known.uid = uid;
      if (known.platform !== platform) {
        known.platform = platform;
        changes.push({ type: 'platform-changed', user, platform });
      }
      changes.push(...setRole(user, role), ...setConnection(user, state));
    }
    const names = new Set(streams.map(({ stream }) => stream));
    for (const name of [...user.streams.keys()]) {
      if (!names.has(name)) changes.push(...endStream(user, name));
    }
    for (const stream of streams) changes.push(...setStream(user, stream));
    return changes;
  }

  /**
   * @param {RemoteUser} user
   * @param {string} reason
   * @returns {Change[]}
   */
  #remove(user, reason) {
    const changes = [...user.streams.keys()].flatMap((name) => endStream(user, name));
    this.#users.delete(uidKey(user.uid));
    return [...changes, { type: 'user-left', user, reason }];
  }

  /**
   * @param {string} key
   * @param {string | null} value
   * @param {Uid} [by]
   * @returns {Change[]}
   */
  #setAttribute(key, value, by) {
    if (!setIn(this.attributes, key, value)) return [];
    return [{ type: 'room-attribute', key, value, ...(by === undefined ? {} : { by }) }];
  }
}

/**
 * @param {RemoteUser} user
 * @param {RemoteUser['state']} state
 * @returns {Change[]}
 */
function setConnection(user, state) {
  if (user.state === state) return [];
  user.state = state;
  return [{ type: 'user-connection', user, state }];
}

/**
 * @param {RemoteUser} user
 * @param {Role} role
 * @returns {Change[]}
 */
function setRole(user, role) {
  if (user.role === role) return [];
  user.role = role;
  return [{ type: 'role-changed', user, role }];
}

/**
 * @param {RemoteUser} user
 * @param {import('./protocol.js').Participant['streams'][number]} now
 * @returns {Change[]}
 */
function setStream(user, now) {
  const { stream: name } = now;
  const attributes = new Map(Object.entries(now.attributes ?? {}));
  const stream = user.streams.get(name);
  if (stream === undefined) {
    // No attribute of a new stream is a change of its own: whoever hears of the stream looks at it.
    user.streams.set(name, { name, audio: 'absent', video: 'absent', attributes });
    return KINDS.flatMap((kind) => setTrack(user, name, kind, now[kind]));
  }
  const changes = KINDS.flatMap((kind) => setTrack(user, name, kind, now[kind]));
  const gone = [...stream.attributes.keys()].filter((key) => !attributes.has(key));
  for (const key of gone) changes.push(...setStreamAttribute(user, name, key, null));
  for (const [key, value] of attributes) changes.push(...setStreamAttribute(user, name, key, value));
  return changes;
}

/**
 * @param {RemoteUser} user
 * @param {StreamName} stream
 * @returns {Change[]}
 */
function endStream(user, stream) {
  if (!user.streams.has(stream)) return [];
  const changes = KINDS.flatMap((kind) => setTrack(user, stream, kind, 'absent'));
  user.streams.delete(stream);
  return [...changes, { type: 'stream-ended', user, stream }];
}

/**
 * @param {RemoteUser} user
 * @param {StreamName} name
 * @param {Kind} kind
 * @param {TrackState} state
 * @param {Uid} [by]
 * @returns {Change[]}
 */
function setTrack(user, name, kind, state, by) {
  const stream = user.streams.get(name);
  const previous = stream?.[kind];
  if (stream === undefined || previous === state) return [];
  stream[kind] = state;
  if (state === 'absent') return [{ type: 'user-unpublished', user, stream: name, kind }];
  /** @type {Change[]} */
  const changes = previous === 'absent' ? [{ type: 'user-published', user, stream: name, kind }] : [];
  // A track that begins muted is told as such: whoever knows only live ones has to hear of it.
  if (previous !== 'absent' || state !== 'live') {
    changes.push({ type: 'track-state', user, stream: name, kind, state, ...(by === undefined ? {} : { by }) });
  }
  return changes;
}

/**
 * @param {RemoteUser} user
 * @param {StreamName} name
 * @param {string} key
 * @param {string | null} value
 * @returns {Change[]}
 */
function setStreamAttribute(user, name, key, value) {
  const stream = user.streams.get(name);
  if (stream === undefined || !setIn(stream.attributes, key, value)) return [];
  return [{ type: 'stream-attribute', user, stream: name, key, value }];
}

/**
 * @param {Map<string, string>} map
 * @param {string} key
 * @param {string | null} value null removes it
 * @returns {boolean} whether that changed anything
 */
function setIn(map, key, value) {
  if (value === null) return map.delete(key);
  if (map.get(key) === value) return false;
  map.set(key, value);
  return true;
}
