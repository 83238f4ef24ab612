import { LiveComponent } from './component.js';
import { Code, ZegoError, errorOf } from './errors.js';
import { LivePlayer } from './live-player.js';
import { LivePusher } from './live-pusher.js';
import { PageData } from './page.js';
import { Playing } from './playing.js';
import { Publication } from './publication.js';
import { checkStreamID } from './text.js';

/** @typedef {import('./room.js').Room} Room */
/** @typedef {import('./page.js').WxContext} WxContext */
/** @typedef {import('./stream.js').Sink} Sink */
/** @typedef {import('./live-pusher.js').PusherAttributes} PusherAttributes */
/** @typedef {import('./live-player.js').PlayerAttributes} PlayerAttributes */

/** A participant's streams: the first that is published is the one, the second the other. */
const SLOTS = /** @type {const} */ (['camera', 'screen']);
/** Attributes that are the SDK's to say. */
const RESERVED = ['url', 'id', 'streamID'];

/**
 * @typedef {object} StreamsOptions
 * @property {import('./emitter.js').ZegoEmitter} emitter
 * @property {import('../../../web-client/core/ports.js').Clock} clock
 * @property {() => import('./system.js').ZegoWx} wx
 * @property {() => Room[]} rooms that are logged in to
 * @property {import('./log.js').Log} log
 */

/** Everything that an engine publishes and plays, and the page that shows it. */
export class Streams {
  #options;
  /** @type {PageData | null} */
  #page = null;
  /** @type {{ pusher: LivePusher, component: LiveComponent, publication: Publication | null } | null} */
  #pusher = null;
  /** The page's list, in its order. @type {Map<string, { player: LivePlayer, component: LiveComponent }>} */
  #players = new Map();
  /** @type {Map<string, Publication>} */
  #publications = new Map();
  /** @type {Map<string, Playing>} */
  #plays = new Map();

  /** @param {StreamsOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get pusher() {
    return this.#pusher?.pusher ?? null;
  }

  /** @param {WxContext} wxContext @param {string | undefined} pushAtr @param {string | undefined} playAtr */
  attach(wxContext, pushAtr, playAtr) {
    if (this.#page?.is(wxContext, pushAtr, playAtr)) return;
    // The components of another page are not those of this one.
    this.#pusher?.publication?.stop();
    this.#pusher = null;
    for (const streamID of [...this.#players.keys()]) this.#removePlayer(streamID);
    this.#page = new PageData(wxContext, pushAtr, playAtr);
  }

  /** @param {PusherAttributes} attributes @returns {LivePusher | null} null: there is no page */
  createPusher(attributes) {
    const page = this.#page;
    if (page === null) return null;
    if (this.#pusher === null) {
      const { clock, wx } = this.#options;
      const component = new LiveComponent({
        after: (delayMs, run) => void clock.setTimer(run, delayMs),
        context: () => wx().createLivePusherContext(page.wxContext),
        write: (all) => page.writePusher(all),
        moving: () => this.#pusher?.publication?.moving ?? false,
      }, 'start', { enableCamera: true, enableMic: true, ...page.ownPusher, url: '' });
      const pusher = new LivePusher(
        component,
        (streamID, option) => this.#push(streamID, option),
        () => this.#pusher?.publication?.stop(),
      );
      this.#pusher = { pusher, component, publication: null };
    }
    this.setPusherAttributes(attributes);
    return this.#pusher.pusher;
  }

  /** @param {PusherAttributes} attributes */
  setPusherAttributes(attributes) {
    if (this.#pusher === null) return;
    const { component, publication } = this.#pusher;
    const before = { ...component.attributes };
    void component.set(ownOnly(attributes));
    const { enableCamera, enableMic } = component.attributes;
    if (enableCamera !== before['enableCamera']) publication?.mute('video', enableCamera === false);
    if (enableMic !== before['enableMic']) publication?.mute('audio', enableMic === false);
  }

  /** @param {'audio' | 'video'} kind @param {boolean} muted */
  mutePublished(kind, muted) {
    this.setPusherAttributes(kind === 'video' ? { enableCamera: !muted } : { enableMic: !muted });
    for (const publication of this.#publications.values()) {
      if (publication.sink === null) publication.mute(kind, muted);
    }
  }

  /**
   * @param {string} streamID
   * @param {WxContext | undefined} wxContext the component that the player's element is in, if not the page
   * @returns {LivePlayer | null} null: there is no page
   */
  player(streamID, wxContext) {
    const page = this.#page;
    if (page === null || typeof streamID !== 'string' || streamID === '') return null;
    const known = this.#players.get(streamID);
    if (known !== undefined) return known.player;
    const { clock, wx } = this.#options;
    const component = new LiveComponent({
      after: (delayMs, run) => void clock.setTimer(run, delayMs),
      context: () => wx().createLivePlayerContext(streamID, wxContext ?? page.wxContext),
      write: () => this.#writePlayers(),
      moving: () => this.#plays.get(streamID)?.moving ?? false,
    }, 'play', { id: streamID, streamID, url: '' });
    const play = async () => {
      if (!this.#players.has(streamID)) {
        this.#players.set(streamID, { player, component });
        void this.#writePlayers();
      }
      if (this.#players.get(streamID)?.component !== component) throw alreadyPlaying();
      const { muteAudio, muteVideo } = component.attributes;
      await this.play(streamID, component, { audio: muteAudio !== true, video: muteVideo !== true });
    };
    const player = new LivePlayer(component, play, () => {
      if (this.#players.get(streamID)?.component === component) this.#removePlayer(streamID);
    });
    this.#players.set(streamID, { player, component });
    void this.#writePlayers();
    return player;
  }

  /** @param {string} [streamID] all if absent @returns {PlayerAttributes[]} */
  playerList(streamID) {
    return [...this.#players].filter(([id]) => streamID === undefined || id === streamID)
      .map(([, { component }]) => ({ ...component.attributes }));
  }

  /** @param {string} streamID @param {PlayerAttributes} attributes @returns {boolean} whether there is such a player */
  setPlayerAttributes(streamID, attributes) {
    const component = this.#players.get(streamID)?.component;
    if (component === undefined) return false;
    void component.set(ownOnly(attributes));
    const { muteAudio, muteVideo } = component.attributes;
    this.#plays.get(streamID)?.setTracks({ audio: muteAudio !== true, video: muteVideo !== true });
    return true;
  }

  /**
   * @param {string} streamID
   * @param {import('./live-pusher.js').PublishOption | null | undefined} option
   * @param {Sink | null} sink
   * @param {(publication: Publication) => void} [begun] is called before anything has come back
   * @returns {Promise<string>} the address. Rejects with a ZegoError
   */
  async publish(streamID, option, sink, begun) {
    const { roomID, extraInfo } = option ?? {};
    if (this.#publications.has(streamID)) throw new ZegoError(Code.alreadyPublishing, 'this streamID is published already');
    const { emitter, clock } = this.#options;
    /** @type {Publication} */
    let publication;
    try {
      checkStreamID(streamID);
      const room = this.#roomOf(roomID);
      if (room.directory.find(streamID) !== undefined) {
        throw new ZegoError(Code.alreadyPublishing, 'somebody else publishes this streamID');
      }
      const slot = SLOTS.find((name) => ![...this.#publications.values()].some((other) => other.room === room && other.slot === name));
      if (slot === undefined) throw new ZegoError(Code.badParameter, `a user publishes ${SLOTS.length} streams at most`);
      publication = new Publication({
        streamID, room, slot, sink, emitter, clock,
        over: (ended) => {
          if (this.#publications.get(streamID) === ended) this.#publications.delete(streamID);
          if (this.#pusher?.publication === ended) this.#pusher.publication = null;
        },
      });
    } catch (cause) {
      const { errorCode, extendedData } = errorOf(cause);
      emitter.emit('publisherStateUpdate', { streamID, state: 'NO_PUBLISH', errorCode, extendedData });
      throw cause;
    }
    this.#publications.set(streamID, publication);
    begun?.(publication);
    return publication.start(extraInfo);
  }

  /** @param {string} streamID @returns {boolean} whether it was published */
  stopPublishing(streamID) {
    const publication = this.#publications.get(streamID);
    publication?.stop();
    return publication !== undefined;
  }

  /** @param {string} streamID @param {string} extraInfo */
  async setExtraInfo(streamID, extraInfo) {
    const publication = this.#publications.get(streamID);
    if (publication === undefined) throw new ZegoError(Code.publishStreamNotFound, 'this streamID is not published');
    await publication.setExtraInfo(extraInfo);
  }

  /**
   * @param {string} streamID
   * @param {Sink | null} sink
   * @param {{ audio: boolean, video: boolean }} [tracks]
   * @returns {Promise<string>} the address. Rejects with a ZegoError
   */
  async play(streamID, sink, tracks = { audio: true, video: true }) {
    if (this.#plays.has(streamID)) throw alreadyPlaying();
    const { emitter, clock, rooms } = this.#options;
    /** @type {import('./playing.js').Target | null} */
    let target;
    try {
      if (rooms().length === 0) throw new ZegoError(Code.notLoggedIn, 'log in to a room first');
      if (this.#publications.has(streamID)) throw new ZegoError(Code.playStreamNotFound, 'a user does not play their own stream');
      target = this.#find(streamID);
      // What browsers publish has ids that the vendor's rules may not allow.
      if (target === null) checkStreamID(streamID);
    } catch (cause) {
      const { errorCode, extendedData } = errorOf(cause);
      emitter.emit('playerStateUpdate', { streamID, state: 'NO_PLAY', errorCode, extendedData });
      throw cause;
    }
    const playing = new Playing({
      streamID, sink, tracks, emitter, clock,
      over: (ended) => {
        if (this.#plays.get(streamID) === ended) this.#plays.delete(streamID);
      },
    });
    this.#plays.set(streamID, playing);
    return playing.start(target);
  }

  /** @param {string} streamID */
  stopPlaying(streamID) {
    this.#plays.get(streamID)?.stop();
  }

  /** @param {string} streamID @returns {string} empty if there is none */
  nextUrl(streamID) {
    return this.#publications.get(streamID)?.nextUrl() ?? this.#plays.get(streamID)?.nextUrl() ?? '';
  }

  /**
   * Pages pass on what pushers and players report by the same calls, and not all know their own streamID.
   *
   * @param {unknown} streamID
   * @param {unknown} event
   * @returns {Publication | Playing | null} what the event is about
   */
  reporter(streamID, event) {
    const named = typeof streamID === 'string' && streamID !== '' ? streamID : null;
    const byName = named === null ? undefined : this.#publications.get(named) ?? this.#plays.get(named);
    const found = byName ?? this.#plays.get(elementOf(event));
    if (found !== undefined) return found;
    return named === null ? this.#pusher?.publication ?? null : null;
  }

  /** @param {Room} room @param {string} streamID @param {import('../core/client.js').RemoteStream} stream */
  appeared(room, streamID, { uid, stream }) {
    this.#plays.get(streamID)?.appeared({ room, client: room.client, uid, stream });
  }

  /** @param {string} streamID */
  disappeared(streamID) {
    this.#plays.get(streamID)?.disappeared();
  }

  /** The room is over, and what was published and played in it. @param {Room} room @param {number} [errorCode] @param {string} [extendedData] */
  roomOver(room, errorCode, extendedData) {
    for (const publication of [...this.#publications.values()]) {
      if (publication.room === room) publication.stop(errorCode, extendedData);
    }
    const last = this.#options.rooms().every((other) => other === room);
    for (const playing of [...this.#plays.values()]) {
      // What is waited for may still come in another room.
      if (playing.room !== room && !(last && playing.room === null)) continue;
      playing.stop(errorCode, extendedData);
      this.#removePlayer(playing.streamID);
    }
    if (last) for (const streamID of [...this.#players.keys()]) this.#removePlayer(streamID);
  }

  /** @param {string} streamID @param {import('./live-pusher.js').PublishOption | undefined} option */
  async #push(streamID, option) {
    const own = this.#pusher;
    if (own === null) throw new ZegoError(Code.badParameter, 'the page of this pusher is gone');
    if (own.publication !== null) throw new ZegoError(Code.alreadyPublishing, 'the pusher publishes already');
    await this.publish(streamID, option, own.component, (publication) => {
      own.publication = publication;
      // The server is asked right after publishing: it answers in the same order.
      Promise.resolve().then(() => {
        const { enableCamera, enableMic } = own.component.attributes;
        if (enableCamera === false) publication.mute('video', true);
        if (enableMic === false) publication.mute('audio', true);
      });
    });
  }

  /** @param {string | undefined} roomID */
  #roomOf(roomID) {
    const room = this.#options.rooms().find(({ id }) => roomID === undefined || id === roomID);
    if (room === undefined) throw new ZegoError(Code.notLoggedIn, 'log in to the room first');
    return room;
  }

  /** @param {string} streamID @returns {import('./playing.js').Target | null} */
  #find(streamID) {
    for (const room of this.#options.rooms()) {
      const found = room.directory.find(streamID);
      if (found !== undefined) return { room, client: room.client, uid: found.uid, stream: found.stream };
    }
    return null;
  }

  /** @param {string} streamID */
  #removePlayer(streamID) {
    this.#plays.get(streamID)?.stop();
    const entry = this.#players.get(streamID);
    if (entry === undefined) return;
    this.#players.delete(streamID);
    entry.component.forget();
    void this.#writePlayers();
  }

  /** @returns {Promise<void>} */
  #writePlayers() {
    return this.#page?.writePlayers(this.playerList().map((attributes) => ({ ...attributes }))) ?? Promise.resolve();
  }
}

function alreadyPlaying() {
  return new ZegoError(Code.alreadyPlaying, 'this streamID is played already');
}

/** @param {object} attributes @returns {Record<string, unknown>} those that are a page's to say */
function ownOnly(attributes) {
  return Object.fromEntries(Object.entries(attributes ?? {}).filter(([name]) => !RESERVED.includes(name)));
}

/** @param {unknown} event @returns {string} the id of its element; a player's is the streamID */
function elementOf(event) {
  const { currentTarget, target } = /** @type {{ currentTarget?: { id?: unknown }, target?: { id?: unknown } }} */ (
    typeof event === 'object' && event !== null ? event : {});
  const id = currentTarget?.id ?? target?.id;
  return typeof id === 'string' ? id : '';
}
