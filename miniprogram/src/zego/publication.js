import { NETWORK_LOST } from '../core/component.js';
import { EXTRA_INFO, STREAM_ID, USER_NAME } from './directory.js';
import { Code, ZegoError, errorOf } from './errors.js';
import { Retry } from './retry.js';
import { Listeners, QualityPace, TICKET_MS } from './stream.js';

/** @typedef {import('../core/client.js').StreamName} StreamName */
/** @typedef {import('../core/client.js').Kind} Kind */
/** @typedef {import('./stream.js').Sink} Sink */

/** Codes of a pusher that a new connection may mend: three tries failed, or WeChat has suspended it. */
const MENDABLE = [NETWORK_LOST.pusher, 5000];

/**
 * @typedef {object} PublicationOptions
 * @property {string} streamID
 * @property {import('./room.js').Room} room
 * @property {StreamName} slot which of our two streams it is
 * @property {Sink | null} sink null: the page has a pusher of its own
 * @property {import('./emitter.js').ZegoEmitter} emitter
 * @property {import('../../../web-client/core/ports.js').Clock} clock
 * @property {(publication: Publication) => void} over
 */

/** One stream that is published, from `start` until it is over. */
export class Publication {
  #options;
  #client;
  #retry;
  #quality;
  #listeners = new Listeners();
  /** @type {'PUBLISHING' | 'NO_PUBLISH' | 'PUBLISH_REQUESTING'} */
  #state = 'NO_PUBLISH';
  #over = false;
  #claimed = false;
  #url = '';
  /** When the address was new, or media flowed. */
  #goodAt = 0;
  /** @type {{ resolve: (url: string) => void, reject: (error: ZegoError) => void } | null} */
  #starting = null;

  /** @param {PublicationOptions} options throws a ZegoError outside the room */
  constructor(options) {
    this.#options = options;
    this.#client = options.room.client;
    this.#quality = new QualityPace(options.clock);
    this.#retry = new Retry(options.clock, () => this.#restart(), () =>
      this.#fail(new ZegoError(Code.publishRetryTimeout, 'the stream could not be pushed for five minutes')));
  }

  get slot() {
    return this.#options.slot;
  }

  get room() {
    return this.#options.room;
  }

  get sink() {
    return this.#options.sink;
  }

  /** Empty before there is one. */
  get url() {
    return this.#url;
  }

  /** There is one server, so that the next address is the newest; it is replaced when its ticket may be void. */
  nextUrl() {
    if (this.#url !== '' && this.#options.clock.now() - this.#goodAt > TICKET_MS) this.#again();
    return this.#url;
  }

  /**
   * @param {string} [extraInfo]
   * @returns {Promise<string>} the address, when the component has started, if it is the SDK's. Rejects with a ZegoError
   */
  start(extraInfo) {
    const { streamID, room, slot } = this.#options;
    this.#tell('PUBLISH_REQUESTING');
    this.#listen();
    const attributes = {
      [STREAM_ID]: streamID,
      ...(room.userName === null ? {} : { [USER_NAME]: room.userName }),
      ...(extraInfo === undefined ? {} : { [EXTRA_INFO]: extraInfo }),
    };
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#begin({ stream: slot, attributes }).catch((cause) => {
        if (!this.#over) this.#fail(errorOf(cause));
      });
    });
  }

  /** @param {{ stream: StreamName, attributes: Record<string, string> }} stream */
  async #begin(stream) {
    const url = await this.#client.publish(stream);
    if (this.#over) return;
    if (!this.#claimed) throw new ZegoError(Code.alreadyPublishing, 'somebody else publishes this streamID');
    await this.#address(url);
    this.#starting?.resolve(url);
    this.#starting = null;
  }

  /** @param {number} [errorCode] @param {string} [extendedData] why, if nobody has asked for it */
  stop(errorCode = Code.ok, extendedData = '') {
    if (this.#over) return;
    this.#over = true;
    this.#listeners.clear();
    this.#retry.stop();
    // A stay that is over has taken its streams with it.
    this.#client.unpublish(this.slot).catch(() => {});
    this.sink?.hide();
    if (this.#claimed) this.room.release(this.#options.streamID);
    this.#options.over(this);
    this.#starting?.reject(errorCode === Code.ok
      ? new ZegoError(Code.publishCancelled, 'stopped while it was asked for') : new ZegoError(errorCode, extendedData));
    this.#starting = null;
    this.#tell('NO_PUBLISH', errorCode, extendedData);
  }

  /** @param {Kind} kind @param {boolean} muted */
  mute(kind, muted) {
    // Without a connection the server hears of it when there is one again; if it refuses, nothing is held back.
    this.#client.mute(kind, muted, { stream: this.slot }).catch(() => {});
  }

  /** @param {string} extraInfo */
  async setExtraInfo(extraInfo) {
    await this.#client.setStreamAttribute(EXTRA_INFO, extraInfo, this.slot);
  }

  /** @param {unknown} event of `bindstatechange` */
  stateChange(event) {
    this.#client.pusherState(event, this.slot);
  }

  /** @param {unknown} event of `bindnetstatus` */
  netStatus(event) {
    this.#client.pusherNetStatus(event, this.slot);
    const { phase, info } = this.#client.pusher(this.slot);
    if (phase === 'live') this.#goodAt = this.#options.clock.now();
    const stats = phase === 'live' ? this.#quality.take(info) : null;
    if (stats !== null) this.#options.emitter.emit('publishQualityUpdate', this.#options.streamID, stats);
  }

  /** @param {unknown} event of `bindaudiovolumenotify` */
  volume(event) {
    this.#quality.volume(event);
  }

  /** Whether the component reports, or has reported, that it is under way. */
  get moving() {
    return !['idle', 'starting'].includes(this.#client.pusher(this.slot).phase);
  }

  #listen() {
    const client = this.#client;
    this.#listeners.on(client, 'push-state', (stream, { phase, code }) => {
      if (stream === this.slot && !this.#over) this.#phase(phase, code);
    });
    this.#listeners.on(client, 'push-url', (stream, url) => {
      if (stream === this.slot && !this.#over) this.#move(url);
    });
    this.#listeners.on(client, 'publish-limits', (stream, limits) => {
      if (stream === this.slot) this.sink?.limit(limits);
    });
    this.#listeners.on(client, 'push-ended', (stream) => {
      // If the stay is over, the room says why.
      if (stream !== this.slot || this.#over || client.state === 'DISCONNECTED') return;
      // Who may publish no longer learns of the streams first and of the role right after.
      Promise.resolve().then(() => {
        const code = client.role === 'audience' ? Code.noPublishPrivilege : Code.roomInternal;
        this.stop(code, 'the server has ended the stream');
      });
    });
  }

  /** @param {import('../core/component.js').Phase} phase @param {number | null} code */
  #phase(phase, code) {
    // The server has granted the stream: nothing that it said later has been looked at yet.
    if (phase === 'starting' && !this.#claimed && this.#url === '') this.#claimed = this.room.directory.claim(this.#options.streamID);
    if (phase === 'live') {
      this.#retry.succeeded();
      this.#tell('PUBLISHING');
    } else if (phase === 'failed') {
      if (code === null || MENDABLE.includes(code)) this.#mend();
      else this.#fail(new ZegoError(code, `live-pusher reported ${code}`));
    } else if (phase !== 'idle') {
      this.#tell('PUBLISH_REQUESTING');
    }
  }

  #mend() {
    this.#tell('PUBLISH_REQUESTING');
    this.#retry.failed();
  }

  /** A page's own pusher is started anew by the page, with the address that it has or asks for. */
  #restart() {
    if (this.sink !== null) this.#again();
  }

  /** Asks for a new address. */
  #again() {
    this.#client.publishAgain(this.slot).then(
      (url) => {
        if (!this.#over) this.#move(url);
      },
      (cause) => {
        if (this.#over || this.#client.state === 'DISCONNECTED') return;
        const error = errorOf(cause);
        if (error.errorCode === Code.noPublishPrivilege) this.#fail(error);
        else this.#mend();
      },
    );
  }

  /** @param {string} url in place of the one before */
  #move(url) {
    this.#address(url).catch((cause) => {
      if (!this.#over) this.#fail(errorOf(cause));
    });
  }

  /** @param {string} url */
  async #address(url) {
    if (url === this.#url) return;
    this.#url = url;
    this.#goodAt = this.#options.clock.now();
    await this.sink?.show(url);
  }

  /** @param {ZegoError} error */
  #fail({ errorCode, extendedData }) {
    this.stop(errorCode, extendedData);
  }

  /**
   * @param {'PUBLISHING' | 'NO_PUBLISH' | 'PUBLISH_REQUESTING'} state
   * @param {number} [errorCode]
   * @param {string} [extendedData]
   */
  #tell(state, errorCode = Code.ok, extendedData = '') {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.emitter.emit('publisherStateUpdate', { streamID: this.#options.streamID, state, errorCode, extendedData });
  }
}
