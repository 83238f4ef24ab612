import { find, swap } from './dom.js';
import { StatsMeter } from './stats.js';

/** What a figure shows while it is not known. */
const UNKNOWN = '–';

/**
 * @typedef {import('./session.js').State} State
 * @typedef {{ code: string, message: string }} Failure
 */

/**
 * What publishing and watching show alike: a badge, a picture with its figures, a failure in words, and one button
 * to start and one to stop.
 */
export class Panel {
  #words;
  #badge;
  #error;
  #stage;
  #video;
  #figures;
  #start;
  #stop;
  /** @type {State} */
  #state = { name: 'idle' };
  /** @type {Failure | null} */
  #failure = null;

  /**
   * @param {'publish' | 'watch'} name
   * @param {object} options
   * @param {import('./words.js').Words} options.words
   * @param {string} options.videoId
   * @param {() => RTCPeerConnection | null} options.peer
   * @param {(figures: import('./stats.js').Figures | null) => void} [options.onFigures] once a second
   */
  constructor(name, { words, videoId, peer, onFigures = () => {} }) {
    this.#words = words;
    this.#badge = find(`${name}-state`, HTMLSpanElement);
    this.#error = find(`${name}-error`, HTMLParagraphElement);
    this.#stage = find(`${name}-stage`, HTMLDivElement);
    this.#video = find(videoId, HTMLVideoElement);
    this.#start = find(name, HTMLButtonElement);
    this.#stop = find(`stop-${name}`, HTMLButtonElement);
    const stats = find(`${name}-stats`, HTMLDListElement);
    this.#figures = [...stats.querySelectorAll('dd')];
    this.#video.addEventListener('resize', () => this.#fitStage());
    words.addEventListener('change', () => this.#write());
    new StatsMeter(peer, (figures) => {
      this.#writeFigures(figures);
      onFigures(figures);
    }).start();
    this.#write();
  }

  get state() {
    return this.#state;
  }

  get failure() {
    return this.#failure;
  }

  get busy() {
    return this.#state.name !== 'idle' && this.#state.name !== 'failed';
  }

  /** @param {State} state */
  show(state) {
    this.#state = state;
    // Waiting for a publisher is no failure: the picture says whom it waits for.
    this.#failure = 'error' in state && state.name !== 'waiting' ? state.error : null;
    this.#write();
  }

  /** @param {Failure | null} failure one that does not end the session, or came before it */
  showFailure(failure) {
    this.#failure = failure;
    this.#write();
  }

  /** @param {MediaStream | null} stream */
  showStream(stream) {
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
    this.#stage.toggleAttribute('data-filled', stream !== null);
    if (stream === null) this.#stage.removeAttribute('data-portrait');
  }

  #write() {
    const { name } = this.#state;
    this.#badge.dataset.state = name;
    this.#badge.textContent = this.#words.say(`state.${name}`);
    if (this.busy) swap(this.#stop, this.#start);
    else swap(this.#start, this.#stop);
    const words = this.#failure === null ? '' : this.#words.explain(this.#failure);
    this.#error.hidden = words === '';
    // Writing the same words again would make a screen reader say them again.
    if (this.#error.textContent !== words) this.#error.textContent = words;
    this.#error.dataset.state = name;
    this.#error.dataset.code = this.#failure?.code ?? '';
  }

  #fitStage() {
    const { videoWidth, videoHeight } = this.#video;
    this.#stage.toggleAttribute('data-portrait', videoHeight > videoWidth);
  }

  /** @param {import('./stats.js').Figures | null} figures */
  #writeFigures(figures) {
    for (const cell of this.#figures) {
      cell.textContent = this.#figure(cell.dataset.figure ?? '', figures) ?? UNKNOWN;
    }
  }

  /**
   * @param {string} name
   * @param {import('./stats.js').Figures | null} figures
   * @returns {string | null}
   */
  #figure(name, figures) {
    if (figures === null) return null;
    const { width, height, fps, bitrateBps, packetsLost, roundTripMs } = figures;
    const number = this.#words.number.bind(this.#words);
    switch (name) {
      case 'size':
        return width !== null && height !== null ? `${width} × ${height}` : null;
      case 'fps':
        return fps === null ? null : number(fps, 0);
      case 'bitrate':
        return bitrateBps === null ? null : `${number(bitrateBps / 1000, 0)} kbit/s`;
      case 'lost':
        return packetsLost === null ? null : number(packetsLost, 0);
      case 'rtt':
        return roundTripMs === null ? null : `${number(roundTripMs, roundTripMs < 10 ? 1 : 0)} ms`;
      default:
        return null;
    }
  }
}
