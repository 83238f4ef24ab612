import { webrtcUrl } from './commands.js';
import { find } from './dom.js';
import { SessionError } from './errors.js';
import { Panel } from './panel.js';
import { WhepClient } from './whep.js';

/** A publisher that sends nothing for this many seconds has more than a short gap. */
const SILENT_SECONDS = 3;

/** One stream of the room, from waiting for it to its last frame. */
export class WatchPanel extends EventTarget {
  #words;
  #fields;
  #server;
  #client = new WhepClient({
    onState: (state) => this.#enter(state),
    onStream: (stream) => this.#play(stream),
  });
  #panel;
  #video = find('remote-video', HTMLVideoElement);
  #empty = find('watch-empty', HTMLParagraphElement);
  #form = find('watch-form', HTMLFormElement);
  #silentSeconds = 0;

  /**
   * @param {object} context
   * @param {import('./words.js').Words} context.words
   * @param {import('./fields.js').Fields} context.fields
   * @param {() => import('./commands.js').Server} context.server
   */
  constructor({ words, fields, server }) {
    super();
    this.#words = words;
    this.#fields = fields;
    this.#server = server;
    this.#panel = new Panel('watch', {
      words,
      videoId: 'remote-video',
      peer: () => this.#client.peer,
      onFigures: (figures) => this.#noticeSilence(figures),
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.watch();
    });
    find('stop-watch', HTMLButtonElement).addEventListener('click', () => this.stop());
    this.#video.addEventListener('playing', () => this.#panel.showFailure(null));
    words.addEventListener('change', () => this.#writeEmpty());
    this.#writeEmpty();
  }

  get state() {
    return this.#panel.state;
  }

  get busy() {
    return this.#panel.busy;
  }

  /** Watches the uid in the field. */
  async watch() {
    if (!this.#fields.complete() || !this.#form.reportValidity()) return;
    const address = this.#fields.address(this.#fields.watchUid);
    try {
      await this.#client.watch({ url: webrtcUrl(this.#server(), 'whep', address), token: address.token });
    } catch (error) {
      // The state has told the person already.
      if (!(error instanceof SessionError)) throw error;
    }
  }

  stop() {
    this.#client.stop();
  }

  /** @param {import('./session.js').State} state */
  #enter(state) {
    this.#panel.show(state);
    // A broken connection keeps its last picture: it may be back in a second.
    if (state.name !== 'live' && state.name !== 'reconnecting') this.#show(null);
    this.#writeEmpty();
    this.dispatchEvent(new Event('change'));
  }

  /** @param {MediaStream} stream */
  #play(stream) {
    this.#show(stream);
    this.#video.play().catch((/** @type {unknown} */ cause) => {
      const refused = cause instanceof DOMException && cause.name === 'NotAllowedError';
      if (refused) this.#panel.showFailure({ code: 'play_blocked', message: cause.message });
    });
  }

  /** @param {MediaStream | null} stream */
  #show(stream) {
    this.#panel.showStream(stream);
    this.#video.controls = stream !== null;
  }

  /**
   * A publisher may go and come back within one session, so silence is told apart from the state of the session.
   *
   * @param {import('./stats.js').Figures | null} figures
   */
  #noticeSilence(figures) {
    this.#silentSeconds = this.state.name === 'live' && figures?.bitrateBps === 0 ? this.#silentSeconds + 1 : 0;
    const known = this.#panel.failure?.code === 'silent';
    if (this.#silentSeconds >= SILENT_SECONDS && !known) {
      this.#panel.showFailure({ code: 'silent', message: 'the publisher sends nothing' });
    } else if (this.#silentSeconds === 0 && known) {
      this.#panel.showFailure(null);
    }
  }

  #writeEmpty() {
    this.#empty.textContent =
      this.state.name === 'waiting'
        ? this.#words.say('watch.empty.waiting', { uid: this.#fields.watchUid })
        : this.#words.say('watch.empty');
  }
}
