/** What is new in a room, put together: many things come at once, and the vendor tells of them in lists. */

/** @typedef {import('./emitter.js').ZegoUser} ZegoUser */
/** @typedef {import('./emitter.js').ZegoStream} ZegoStream */
/** @typedef {{ type: 'ADD' | 'DELETE', user: ZegoUser }} UserNews */
/** @typedef {{ type: 'ADD' | 'DELETE', uid: string, stream: ZegoStream }} StreamNews */
/** @typedef {{ streamID: string, user: ZegoUser, extraInfo: string }} ExtraInfoNews */
/** @typedef {{ key: string, value: string, updateUser: ZegoUser, updateTime: number }} RoomInfoNews */

/** The vendor's numbers for why a stream is gone, by why its owner is. */
const REASONS = /** @type {Record<string, number>} */ ({ left: 1, timed_out: 2, kicked: 4, banned: 4, token_expired: 6 });
/** It was stopped. */
const STOPPED = 1;

/** Lists of one room. */
export class Bulletin {
  #roomID;
  #emitter;
  #count;
  /** @type {UserNews[]} */
  #users = [];
  /** @type {StreamNews[]} */
  #streams = [];
  /** @type {ExtraInfoNews[]} */
  #extraInfos = [];
  /** @type {RoomInfoNews[]} */
  #roomInfos = [];
  /** Why those who have left did. @type {Map<string, string>} */
  #left = new Map();
  #counts = false;
  #scheduled = false;
  #closed = false;

  /**
   * @param {string} roomID
   * @param {import('./emitter.js').ZegoEmitter} emitter
   * @param {() => number} count how many are in the room
   */
  constructor(roomID, emitter, count) {
    this.#roomID = roomID;
    this.#emitter = emitter;
    this.#count = count;
  }

  /** @param {'ADD' | 'DELETE'} type @param {ZegoUser} user */
  user(type, user) {
    this.#users.push({ type, user });
    this.#schedule();
  }

  /** @param {string} uid @param {string} reason */
  left(uid, reason) {
    this.#left.set(uid, reason);
  }

  /** The number of users has changed. */
  count() {
    this.#counts = true;
    this.#schedule();
  }

  /** @param {'ADD' | 'DELETE'} type @param {string} uid @param {ZegoStream} stream */
  stream(type, uid, stream) {
    this.#streams.push({ type, uid, stream });
    this.#schedule();
  }

  /** @param {ExtraInfoNews} info */
  streamExtraInfo(info) {
    this.#extraInfos.push(info);
    this.#schedule();
  }

  /** @param {RoomInfoNews} info */
  roomExtraInfo(info) {
    this.#roomInfos.push(info);
    this.#schedule();
  }

  /** Nothing is told any more. */
  close() {
    this.#closed = true;
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // What one message brings is told within one turn.
    Promise.resolve().then(() => this.#flush());
  }

  #flush() {
    this.#scheduled = false;
    const [users, streams, extraInfos, roomInfos] = [this.#users, this.#streams, this.#extraInfos, this.#roomInfos];
    const left = this.#left;
    const counts = this.#counts;
    [this.#users, this.#streams, this.#extraInfos, this.#roomInfos] = [[], [], [], []];
    this.#left = new Map();
    this.#counts = false;
    const id = this.#roomID;
    const came = users.filter(({ type }) => type === 'ADD').map(({ user }) => user);
    if (came.length > 0) this.#emit('roomUserUpdate', id, 'ADD', came);
    for (const run of runsOf(streams)) this.#tellStreams(run, left);
    const gone = users.filter(({ type }) => type === 'DELETE').map(({ user }) => user);
    if (gone.length > 0) this.#emit('roomUserUpdate', id, 'DELETE', gone);
    if (counts) this.#emit('roomOnlineUserCountUpdate', id, this.#count());
    if (extraInfos.length > 0) this.#emit('streamExtraInfoUpdate', id, extraInfos);
    if (roomInfos.length > 0) this.#emit('roomExtraInfoUpdate', id, roomInfos);
  }

  /** @param {StreamNews[]} run of one type @param {Map<string, string>} left */
  #tellStreams(run, left) {
    const type = run[0]?.type ?? 'ADD';
    const reasons = run.map(({ uid, stream: { streamID } }) => ({ streamID, code: REASONS[left.get(uid) ?? ''] ?? STOPPED }));
    const extendedData = type === 'ADD' ? '' : JSON.stringify({ stream_delete_reason: reasons });
    this.#emit('roomStreamUpdate', this.#roomID, type, run.map(({ stream }) => stream), extendedData);
  }

  /**
   * @template {keyof import('./emitter.js').ZegoEvents} Name
   * @param {Name} name
   * @param {import('./emitter.js').ZegoEvents[Name]} args
   */
  #emit(name, ...args) {
    // A listener may have left the room.
    if (!this.#closed) this.#emitter.emit(name, ...args);
  }
}

/** @param {StreamNews[]} news @returns {StreamNews[][]} those of one type that follow each other */
function runsOf(news) {
  /** @type {StreamNews[][]} */
  const runs = [];
  for (const item of news) {
    const run = runs[runs.length - 1];
    if (run?.[0]?.type === item.type) run.push(item);
    else runs.push([item]);
  }
  return runs;
}
