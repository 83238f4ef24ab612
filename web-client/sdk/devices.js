import { Emitter } from '../core/emitter.js';
import { requireDevices } from './create-tracks.js';
import { deviceError } from './errors.js';

/**
 * @typedef {object} DeviceInfo
 * @property {number} initAt when it was first seen, milliseconds since 1970
 * @property {number} updateAt
 * @property {'ACTIVE' | 'INACTIVE'} state there, or no longer
 * @property {MediaDeviceInfo} device
 */

/**
 * @typedef {object} DeviceEvents
 * @property {[info: DeviceInfo]} camera-changed
 * @property {[info: DeviceInfo]} microphone-changed
 * @property {[info: DeviceInfo]} playback-device-changed
 */

/** @type {Readonly<Record<MediaDeviceKind, keyof DeviceEvents>>} */
const EVENTS = { videoinput: 'camera-changed', audioinput: 'microphone-changed', audiooutput: 'playback-device-changed' };

/**
 * Browsers tell the names of devices only after a first permission, so it is asked for.
 *
 * @param {boolean} [skipPermissionCheck] nothing is asked; names may be empty then
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function getDevices(skipPermissionCheck = false) {
  return named(skipPermissionCheck, ['videoinput', 'audioinput']);
}

/** @param {boolean} [skipPermissionCheck] */
export async function getCameras(skipPermissionCheck = false) {
  return (await named(skipPermissionCheck, ['videoinput'])).filter(({ kind }) => kind === 'videoinput');
}

/** @param {boolean} [skipPermissionCheck] */
export async function getMicrophones(skipPermissionCheck = false) {
  return (await named(skipPermissionCheck, ['audioinput'])).filter(({ kind }) => kind === 'audioinput');
}

/** @param {boolean} [skipPermissionCheck] */
export async function getPlaybackDevices(skipPermissionCheck = false) {
  return (await named(skipPermissionCheck, ['audioinput'])).filter(({ kind }) => kind === 'audiooutput');
}

/**
 * @param {boolean} skip
 * @param {MediaDeviceKind[]} wanted
 */
async function named(skip, wanted) {
  requireDevices();
  const { mediaDevices } = navigator;
  const devices = await mediaDevices.enumerateDevices();
  const nameless = wanted.filter((kind) => devices.some((device) => device.kind === kind && device.label === ''));
  if (skip || nameless.length === 0) return devices;
  const asked = { audio: nameless.includes('audioinput'), video: nameless.includes('videoinput') };
  const stream = await mediaDevices.getUserMedia(asked).catch((cause) => Promise.reject(deviceError(cause)));
  try {
    return await mediaDevices.enumerateDevices();
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

/**
 * Tells of devices that come and go, while somebody listens.
 *
 * @extends {Emitter<DeviceEvents>}
 */
export class DeviceWatch extends Emitter {
  #listening = false;
  /** @type {Map<string, DeviceInfo>} */
  #known = new Map();
  #changed = () => void this.#look().catch(() => {});

  /**
   * @template {keyof DeviceEvents} Name
   * @param {Name} name
   * @param {(...args: DeviceEvents[Name]) => void} listener
   * @override
   */
  on(name, listener) {
    super.on(name, listener);
    this.#listenIfHeard();
  }

  /**
   * @template {keyof DeviceEvents} Name
   * @param {Name} name
   * @param {(...args: DeviceEvents[Name]) => void} [listener]
   * @override
   */
  off(name, listener) {
    super.off(name, listener);
    this.#listenIfHeard();
  }

  #listenIfHeard() {
    const mediaDevices = globalThis.navigator?.mediaDevices;
    const heard = this.listenerCount > 0;
    if (heard === this.#listening || mediaDevices === undefined) return;
    this.#listening = heard;
    if (!heard) return mediaDevices.removeEventListener('devicechange', this.#changed);
    void this.#look(true).catch(() => {});
    mediaDevices.addEventListener('devicechange', this.#changed);
  }

  /** @param {boolean} [first] nothing is told: what is there did not come now */
  async #look(first = false) {
    const now = Date.now();
    const present = await navigator.mediaDevices.enumerateDevices();
    const keys = new Set(present.map(keyOf));
    for (const device of present) {
      if (this.#known.get(keyOf(device))?.state === 'ACTIVE') continue;
      this.#tell({ initAt: this.#known.get(keyOf(device))?.initAt ?? now, updateAt: now, state: 'ACTIVE', device }, first);
    }
    for (const [key, info] of this.#known) {
      if (!keys.has(key) && info.state === 'ACTIVE') this.#tell({ ...info, updateAt: now, state: 'INACTIVE' }, first);
    }
  }

  /**
   * @param {DeviceInfo} info
   * @param {boolean} first
   */
  #tell(info, first) {
    this.#known.set(keyOf(info.device), info);
    if (!first) this.emit(EVENTS[info.device.kind], info);
  }
}

/** @param {MediaDeviceInfo} device */
function keyOf({ kind, deviceId }) {
  return `${kind}/${deviceId}`;
}
