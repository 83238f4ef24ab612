import { answer } from '../core/answer.js';

/** @typedef {import('./component.js').LiveComponent} LiveComponent */

/**
 * Attributes of a pusher as the page's data has them; a page's WXML gives them to `live-pusher`. Others are kept as well.
 *
 * @typedef {object} PusherAttributes
 * @property {string} [id]
 * @property {string} [url] the SDK's alone
 * @property {'SD' | 'HD' | 'FHD' | 'RTC'} [mode]
 * @property {boolean} [enableCamera]
 * @property {boolean} [enableMic]
 * @property {boolean} [enableAgc]
 * @property {boolean} [enableAns]
 * @property {number} [minBitrate] kbit/s
 * @property {number} [maxBitrate] kbit/s
 * @property {'front' | 'back'} [frontCamera]
 * @property {boolean} [enableZoom]
 * @property {number} [videoWidth] pixels
 * @property {number} [videoHeight] pixels
 * @property {number} [beautyLevel] 0 to 9
 * @property {'smooth' | 'nature'} [beautyStyle]
 * @property {number} [whitenessLevel] 0 to 9
 * @property {'vertical' | 'horizontal'} [videoOrientation]
 * @property {boolean} [enableRemoteMirror]
 * @property {'auto' | 'enable' | 'disable'} [localMirror]
 * @property {'low' | 'high'} [audioQuality]
 * @property {'auto' | 'media' | 'voicecall'} [audioVolumeType]
 * @property {number} [audioReverbType] 0 to 7
 * @property {string} [filter]
 */

/**
 * @typedef {object} PublishOption
 * @property {string} [extraInfo] of the stream, at most 1024 bytes
 * @property {string} [roomID] the first that is logged in to if absent
 * @property {'CDN' | 'BGP'} [sourceType] both go the one way that there is
 * @property {string} [streamParams] is not needed: the address is complete
 * @property {number} [inspectFlag] nothing inspects streams here
 */

/** The page's pusher. Methods of the component take `{success, fail}` and return a promise as well. */
export class LivePusher {
  #component;
  #publish;
  #unpublish;

  /**
   * @param {LiveComponent} component
   * @param {(streamID: string, option: PublishOption | undefined) => Promise<void>} publish
   * @param {() => void} unpublish
   */
  constructor(component, publish, unpublish) {
    this.#component = component;
    this.#publish = publish;
    this.#unpublish = unpublish;
  }

  /** @returns {PusherAttributes} as they stand in the page's data */
  get attributes() {
    return this.#component.attributes;
  }

  /**
   * @param {string} streamID
   * @param {PublishOption} [option]
   * @returns {Promise<true>} when the component has started. Rejects with a ZegoError, which `publisherStateUpdate` tells too
   */
  start(streamID, option) {
    return answer(this.#publish(streamID, option).then(() => /** @type {const} */ (true)), undefined, undefined);
  }

  /** Ends the stream and takes the address out of the page's data. */
  stop() {
    this.#unpublish();
  }

  /** @param {object} [options] */
  pause(options) {
    return this.#component.call('pause', options);
  }

  /** @param {object} [options] */
  resume(options) {
    return this.#component.call('resume', options);
  }

  /** @param {object} [options] */
  startPreview(options) {
    return this.#component.call('startPreview', options);
  }

  /** @param {object} [options] */
  stopPreview(options) {
    return this.#component.call('stopPreview', options);
  }

  /** @param {object} [options] */
  switchCamera(options) {
    return this.#component.call('switchCamera', options);
  }

  /** @param {object} [options] @returns {Promise<any>} `{tempImagePath, …}` */
  snapshot(options) {
    return this.#component.call('snapshot', options);
  }

  /** @param {object} [options] */
  toggleTorch(options) {
    return this.#component.call('toggleTorch', options);
  }

  /** @param {{ url: string }} options */
  playBGM(options) {
    return this.#component.call('playBGM', options);
  }

  /** @param {object} [options] */
  pauseBGM(options) {
    return this.#component.call('pauseBGM', options);
  }

  /** @param {object} [options] */
  resumeBGM(options) {
    return this.#component.call('resumeBGM', options);
  }

  /** @param {object} [options] */
  stopBGM(options) {
    return this.#component.call('stopBGM', options);
  }

  /** @param {{ volume: number }} options 0 to 1 */
  setBGMVolume(options) {
    return this.#component.call('setBGMVolume', options);
  }

  /** @param {{ volume: number }} options 0 to 1 */
  setMICVolume(options) {
    return this.#component.call('setMICVolume', options);
  }
}
