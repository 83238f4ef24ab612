import { answer } from '../core/answer.js';

/** @typedef {import('./component.js').LiveComponent} LiveComponent */

/**
 * Attributes of a player as the page's list has them; its WXML gives them to `live-player`. Others are kept as well.
 *
 * @typedef {object} PlayerAttributes
 * @property {string} [id] the streamID; has to be the element's `id`, by which its context is found
 * @property {string} [streamID] the same, for `wx:key`
 * @property {string} [url] the SDK's alone
 * @property {'RTC' | 'live'} [mode]
 * @property {boolean} [autoPlay]
 * @property {boolean} [muteAudio]
 * @property {boolean} [muteVideo]
 * @property {'vertical' | 'horizontal'} [orientation]
 * @property {'contain' | 'fillCrop'} [objectFit]
 * @property {number} [minCache] seconds
 * @property {number} [maxCache] seconds
 * @property {'speaker' | 'ear'} [soundMode]
 * @property {boolean} [enableRecvMessage]
 * @property {boolean} [autoPauseIfNavigate]
 * @property {boolean} [autoPauseIfOpenNative]
 */

/**
 * @typedef {object} PlayOption
 * @property {string} [streamParams] is not needed: the address is complete
 * @property {boolean} [isMix] there is no mixer: a stream of this id is played
 * @property {'CDN' | 'BGP'} [sourceType] both come the one way that there is
 */

/** One player of the page's list. Methods of the component take `{success, fail}` and return a promise as well. */
export class LivePlayer {
  #component;
  #play;
  #stop;

  /**
   * @param {LiveComponent} component
   * @param {(option: PlayOption | undefined) => Promise<void>} play
   * @param {() => void} stop
   */
  constructor(component, play, stop) {
    this.#component = component;
    this.#play = play;
    this.#stop = stop;
  }

  /** @returns {PlayerAttributes} as they stand in the page's list */
  get attributes() {
    return this.#component.attributes;
  }

  /**
   * A stream that is not there yet is waited for, five minutes at most.
   *
   * @param {PlayOption} [option]
   * @returns {Promise<true>} when the component has started. Rejects with a ZegoError, which `playerStateUpdate` tells too
   */
  play(option) {
    return answer(this.#play(option).then(() => /** @type {const} */ (true)), undefined, undefined);
  }

  /** Ends it and takes it out of the page's list. */
  stop() {
    this.#stop();
  }

  /** @param {object} [options] */
  pause(options) {
    return this.#component.call('pause', options);
  }

  /** @param {object} [options] */
  resume(options) {
    return this.#component.call('resume', options);
  }

  /** Of the component: again to hear it. @param {object} [options] */
  mute(options) {
    return this.#component.call('mute', options);
  }

  /** @param {object} [options] `{direction}` */
  requestFullScreen(options) {
    return this.#component.call('requestFullScreen', options);
  }

  /** @param {object} [options] */
  exitFullScreen(options) {
    return this.#component.call('exitFullScreen', options);
  }

  /** @param {object} [options] */
  requestPictureInPicture(options) {
    return this.#component.call('requestPictureInPicture', options);
  }

  /** @param {object} [options] */
  exitPictureInPicture(options) {
    return this.#component.call('exitPictureInPicture', options);
  }

  /** @param {object} [options] @returns {Promise<any>} `{tempImagePath, …}` */
  snapshot(options) {
    return this.#component.call('snapshot', options);
  }
}
