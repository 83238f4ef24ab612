/**
 * @typedef {object} RtcOptions
 * @property {'live' | 'rtc'} [mode] makes no difference here
 * @property {'h264'} [codec] the only one that mini-programs have
 * @property {string} [microphoneId] WeChat chooses the microphone
 * @property {string} [cameraId] `'back'` for the camera that looks away from the user
 * @property {boolean} [audio] false: the microphone is never used
 * @property {boolean} [video] false: the camera is never used
 */

/**
 * One's own camera and microphone. What is started before joining is published as soon as the channel is joined. Each
 * method resolves when it is done; what the server refuses is told by the client's `error` as well.
 */
export class Rtc {
  #start;

  /** @param {(devices: { audio?: boolean, video?: boolean }) => Promise<void>} start */
  constructor(start) {
    this.#start = start;
  }

  /** Shows the camera's picture, and sends it in a channel. @returns {Promise<void>} */
  startLocalPreview() {
    return this.#start({ video: true });
  }

  /** Sends what the microphone hears. @returns {Promise<void>} */
  startLocalAudio() {
    return this.#start({ audio: true });
  }

  /** Lets go of the camera. @returns {Promise<void>} */
  stopLocalPreview() {
    return this.#start({ video: false });
  }

  /** @returns {Promise<void>} */
  stopLocalAudio() {
    return this.#start({ audio: false });
  }
}
