/**
 * The browser SDK of Queqiao, in the shape of Agora's Web SDK 4: docs/web-sdk.md.
 */
import { RtcError } from '../core/errors.js';
import { autoplay } from './autoplay.js';
import { Client } from './client.js';
import { supportedCodecs } from './codecs.js';
import {
  createCameraVideoTrack, createCustomAudioTrack, createCustomVideoTrack, createMicrophoneAndCameraTracks,
  createMicrophoneAudioTrack, createScreenVideoTrack,
} from './create-tracks.js';
import { DeviceWatch, getCameras, getDevices, getMicrophones, getPlaybackDevices } from './devices.js';
import { setLogLevel } from './log.js';

/** The same as in package.json. */
export const VERSION = '0.1.0';

const deviceWatch = new DeviceWatch();

/** @param {import('./client.js').ClientConfig} config */
export function createClient(config) {
  return new Client(config);
}

/** Whether the browser has what a call needs. Whether it has H.264 is said by `getSupportedCodec`. */
export function checkSystemRequirements() {
  const { RTCPeerConnection, WebSocket, MediaStream } = globalThis;
  return [RTCPeerConnection, WebSocket, MediaStream].every((needed) => needed !== undefined)
    && 'getTransceivers' in RTCPeerConnection.prototype;
}

/** What the browser can send. @returns {Promise<{ video: string[], audio: string[] }>} names such as `H264` and `OPUS` */
export async function getSupportedCodec() {
  const { send } = await supportedCodecs();
  return { video: [...send.video], audio: [...send.audio] };
}

/**
 * @template {keyof import('./devices.js').DeviceEvents} Name
 * @param {Name} name
 * @param {(...args: import('./devices.js').DeviceEvents[Name]) => void} listener
 */
export function on(name, listener) {
  deviceWatch.on(name, listener);
}

/**
 * @template {keyof import('./devices.js').DeviceEvents} Name
 * @param {Name} name
 * @param {(...args: import('./devices.js').DeviceEvents[Name]) => void} [listener] all of this name if absent
 */
export function off(name, listener) {
  deviceWatch.off(name, listener);
}

export {
  createCameraVideoTrack, createCustomAudioTrack, createCustomVideoTrack, createMicrophoneAndCameraTracks,
  createMicrophoneAudioTrack, createScreenVideoTrack, getCameras, getDevices, getMicrophones, getPlaybackDevices,
  RtcError, setLogLevel,
};

const Queqiao = {
  VERSION,
  checkSystemRequirements,
  createCameraVideoTrack,
  createClient,
  createCustomAudioTrack,
  createCustomVideoTrack,
  createMicrophoneAndCameraTracks,
  createMicrophoneAudioTrack,
  createScreenVideoTrack,
  getCameras,
  getDevices,
  getMicrophones,
  getPlaybackDevices,
  getSupportedCodec,
  off,
  on,
  RtcError,
  setLogLevel,
  /** Is called when the browser holds sound back until the next gesture, at which it is played. @returns {(() => void) | null} */
  get onAutoplayFailed() {
    return autoplay.failed;
  },
  /** @param {(() => void) | null} listener */
  set onAutoplayFailed(listener) {
    autoplay.failed = listener;
  },
};

export default Queqiao;
