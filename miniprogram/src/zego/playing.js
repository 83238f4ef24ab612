import { Code, ZegoError, errorOf } from './errors.js';
import { GIVE_UP_MS, Retry } from './retry.js';
import { Listeners, QualityPace, TICKET_MS, codeOf } from './stream.js';

/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('../core/client.js').StreamName} StreamName */
/** @typedef {import('../core/client.js').Play} Play */
/** @typedef {import('../core/client.js').Client} Client */
/** @typedef {import('./stream.js').Sink} Sink */

/** Codes of a player that the core takes for information and the vendor for a failure: pictures or sound could not be decoded. */
const DECODING_FAILED = [2101, 2102];

/** @typedef {{ room: import('./room.js').Room, client: Client, uid: Uid, stream: StreamName }} Target where the stream is */

/**
 * @typedef {object} PlayingOptions
 * @property {string} streamID
 * @property {Sink | null} sink null: the page has a player of its own
 * @property {{ audio: boolean, video: boolean }} tracks which are wanted
 * @property {import('./emitter.js').ZegoEmitter} emitter
 * @property {import('../../../web-client/core/ports.js').Clock} clock
 * @property {(playing: Playing) => void} over
 */

/**
 * One stream that is played, from `start` until it is over. It need not be there yet, and may go and come again: it is
 * waited for as long as the vendor does.
 */
export class Playing {
  #options;
  #tracks;
  #retry;
  #quality;
  #listeners = new Listeners();
  /** @type {Target | null} */
  #target = null;
  /** @type {'NO_PLAY' | 'PLAY_REQUESTING' | 'PLAYING'} */
  #state = 'NO_PLAY';
  #over = false;
  /** Addresses of one ticket, the best first. @type {string[]} */
  #urls = [];
  #next = 0;
  /** When the addresses were new, or media flowed. */
  #goodAt = 0;
  /** While no such stream is there. @type {unknown} */
  #waitTimer = null;
  /** @type {{ resolve: (url: string) => void, reject: (error: ZegoError) => void } | null} */
  #starting = null;

  /** @param {PlayingOptions} options */
  constructor(options) {
    this.#options = options;
    this.#tracks = options.tracks;
    this.#quality = new QualityPace(options.clock);
    this.#retry = new Retry(options.clock, () => this.#restart(), () =>
      this.#fail(new ZegoError(Code.playRetryTimeout, 'the stream could not be played for five minutes')));
  }

  get streamID() {
    return this.#options.streamID;
  }

  get sink() {
    return this.#options.sink;
  }

  /** The one that the stream is in; null: none yet. */
  get room() {
    return this.#target?.room ?? null;
  }

  /** The other of the two addresses at every call; empty before there is one. They are replaced when their ticket may be void. */
  nextUrl() {
    if (this.#urls.length === 0) return '';
    if (this.#options.clock.now() - this.#goodAt > TICKET_MS) this.#subscribe();
    this.#next = (this.#next + 1) % this.#urls.length;
    return this.#urls[this.#next] ?? '';
  }

  /**
   * @param {Target | null} target null: it is not there yet
   * @returns {Promise<string>} the address, when the component has started, if it is the SDK's. Rejects with a ZegoError
   */
  start(target) {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#tell('PLAY_REQUESTING');
      if (target === null) this.#wait();
      else this.appeared(target);
    });
  }

  /** @param {number} [errorCode] @param {string} [extendedData] why, if nobody has asked for it */
  stop(errorCode = Code.ok, extendedData = '') {
    if (this.#over) return;
    this.#over = true;
    this.#stopWaiting();
    this.#retry.stop();
    this.#leave();
    this.sink?.hide();
    this.#options.over(this);
    const reason = errorCode === Code.ok ? new ZegoError(Code.playCancelled, 'stopped while it was asked for') : new ZegoError(errorCode, extendedData);
    this.#starting?.reject(reason);
    this.#starting = null;
    this.#tell('NO_PLAY', errorCode, extendedData);
  }

  /** The stream is there. @param {Target} target */
  appeared(target) {
    if (this.#over) return;
    this.#leave();
    this.#stopWaiting();
    this.#target = target;
    this.#listen(target);
    this.#subscribe();
  }

  /** The stream is gone. */
  disappeared() {
    if (this.#over || this.#target === null) return;
    this.#leave();
    this.#retry.stop();
    this.sink?.hide();
    this.#tell('PLAY_REQUESTING');
    this.#wait();
  }

  /** @param {{ audio: boolean, video: boolean }} tracks that are wanted from now on */
  setTracks(tracks) {
    if (tracks.audio === this.#tracks.audio && tracks.video === this.#tracks.video) return;
    this.#tracks = tracks;
    if (this.#target !== null) this.#subscribe();
  }

  /** @param {unknown} event of `bindstatechange` */
  stateChange(event) {
    const target = this.#target;
    if (target === null) return;
    target.client.playerState(target.uid, event, target.stream);
    const code = codeOf(event);
    if (code !== null && DECODING_FAILED.includes(code) && this.#urls.length > 0) this.#mend();
  }

  /** @param {unknown} event of `bindnetstatus` */
  netStatus(event) {
    const target = this.#target;
    if (target === null) return;
    target.client.playerNetStatus(target.uid, event, target.stream);
    const { phase, info } = target.client.player(target.uid, target.stream);
    if (phase === 'live') this.#goodAt = this.#options.clock.now();
    const stats = phase === 'live' ? this.#quality.take(info) : null;
    if (stats !== null) this.#options.emitter.emit('playQualityUpdate', this.streamID, stats);
  }

  /** @param {unknown} event of `bindaudiovolumenotify` */
  volume(event) {
    this.#quality.volume(event);
  }

  /** Whether the component reports, or has reported, that it is under way. */
  get moving() {
    const target = this.#target;
    return target !== null && !['idle', 'starting'].includes(target.client.player(target.uid, target.stream).phase);
  }

  /** @param {Target} target */
  #listen({ client, uid, stream }) {
    const own = (/** @type {Uid} */ otherUid, /** @type {import('../../../web-client/core/protocol.js').ReceivedName} */ otherStream) =>
      `${otherUid}` === `${uid}` && otherStream === stream && !this.#over;
    this.#listeners.on(client, 'play-state', (otherUid, otherStream, { phase }) => {
      if (own(otherUid, otherStream)) this.#phase(phase);
    });
    this.#listeners.on(client, 'play-url', (play) => {
      if (own(play.uid, play.stream)) this.#address(play);
    });
    this.#listeners.on(client, 'play-ended', (otherUid, otherStream) => {
      // If the stay or the stream is over, others say so; here the server does not give it for now.
      if (!own(otherUid, otherStream) || client.state === 'DISCONNECTED' || !this.#wanted) return;
      this.#urls = [];
      this.sink?.hide();
      this.#mend();
    });
  }

  get #wanted() {
    return this.#tracks.audio || this.#tracks.video;
  }

  /** @param {import('../core/component.js').Phase} phase */
  #phase(phase) {
    if (phase === 'live') {
      this.#retry.succeeded();
      this.#tell('PLAYING');
    } else if (phase === 'failed') {
      this.#mend();
    } else if (phase !== 'idle') {
      this.#tell('PLAY_REQUESTING');
    }
  }

  #mend() {
    this.#tell('PLAY_REQUESTING');
    this.#retry.failed();
  }

  /** A page's own player is started anew by the page, with the address that it has or asks for. */
  #restart() {
    if (this.sink !== null || this.#urls.length === 0) this.#subscribe();
  }

  #subscribe() {
    const target = this.#target;
    if (target === null) return;
    const { client, uid, stream } = target;
    if (!this.#wanted) {
      this.#urls = [];
      this.sink?.hide();
      client.unsubscribe(uid, stream).catch(() => {});
      this.#started('');
      return;
    }
    client.subscribe(uid, { stream, ...this.#tracks }).then(
      (play) => {
        if (this.#target === target) this.#address(play);
      },
      (cause) => {
        if (this.#target !== target || client.state === 'DISCONNECTED') return;
        const error = errorOf(cause);
        // A stream that has just gone is waited for, and what the server has no room for is asked for again.
        if (error.errorCode === Code.badParameter) this.#fail(error);
        else this.#mend();
      },
    );
  }

  /** @param {Play} play */
  #address({ url, flv }) {
    if (!this.#wanted || this.#urls[0] === url) return;
    this.#urls = [url, flv];
    this.#next = 0;
    this.#goodAt = this.#options.clock.now();
    if (this.sink === null) this.#started(url);
    else this.sink.show(url).then(() => this.#started(url), (cause) => this.#fail(errorOf(cause)));
  }

  /** @param {string} url */
  #started(url) {
    this.#starting?.resolve(url);
    this.#starting = null;
  }

  #wait() {
    this.#stopWaiting();
    this.#waitTimer = this.#options.clock.setTimer(() => {
      this.#waitTimer = null;
      this.#fail(new ZegoError(Code.playStreamNotFound, 'there is no such stream'));
    }, GIVE_UP_MS);
  }

  #stopWaiting() {
    if (this.#waitTimer !== null) this.#options.clock.clearTimer(this.#waitTimer);
    this.#waitTimer = null;
  }

  /** Lets go of where the stream was. */
  #leave() {
    const target = this.#target;
    this.#target = null;
    this.#urls = [];
    this.#listeners.clear();
    if (target === null) return;
    const { client, uid, stream } = target;
    // A subscription ends with its stream.
    if (client.stream(uid, stream) !== undefined) client.unsubscribe(uid, stream).catch(() => {});
  }

  /** @param {ZegoError} error */
  #fail({ errorCode, extendedData }) {
    if (!this.#over) this.stop(errorCode, extendedData);
  }

  /**
   * @param {'NO_PLAY' | 'PLAY_REQUESTING' | 'PLAYING'} state
   * @param {number} [errorCode]
   * @param {string} [extendedData]
   */
  #tell(state, errorCode = Code.ok, extendedData = '') {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.emitter.emit('playerStateUpdate', { streamID: this.streamID, state, errorCode, extendedData });
  }
}
