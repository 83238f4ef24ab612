/** Cameras and microphones. */

/** The value of a choice that sends nothing. */
export const NONE = 'none';

/**
 * @typedef {object} Quality
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 * @property {number} maxBitrateBps
 */

/** Bits per pixel that look good in H.264 at these sizes; a phone decodes all of them. */
const BITS_PER_PIXEL = 0.1;
/** Below this no picture with movement is worth watching. */
const MIN_BITRATE_BPS = 250_000;

/**
 * Reads a choice of picture such as `640x360@30`.
 *
 * @param {string} text
 * @returns {Quality}
 */
export function parseQuality(text) {
  const match = /^(\d+)x(\d+)@(\d+)$/.exec(text);
  if (match === null) throw new RangeError(`not a picture size and rate: ${text}`);
  const [width = 0, height = 0, fps = 0] = match.slice(1).map(Number);
  return { width, height, fps, maxBitrateBps: Math.max(Math.round(width * height * fps * BITS_PER_PIXEL), MIN_BITRATE_BPS) };
}

/**
 * @typedef {object} Choice
 * @property {string} camera device id, '' for the default, NONE for no video
 * @property {string} microphone likewise
 * @property {Quality} quality
 */

/**
 * What to ask the browser for. The size is a wish: a camera that has only others still works.
 *
 * @param {Choice} choice
 * @returns {MediaStreamConstraints}
 */
export function constraints({ camera, microphone, quality }) {
  const { width, height, fps } = quality;
  return {
    video: camera !== NONE && {
      ...exactDevice(camera),
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: fps, max: fps },
    },
    audio: microphone !== NONE && {
      ...exactDevice(microphone),
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
  };
}

/** @param {string} id */
function exactDevice(id) {
  return id === '' ? {} : { deviceId: { exact: id } };
}

/** A camera or microphone that could not be opened, with a code that the page has words for. */
export class DeviceError extends Error {
  /**
   * @param {'insecure_context' | 'nothing_to_send' | 'device_denied' | 'device_missing' | 'device_busy' | 'device_failed'} code
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(code, message, cause) {
    super(message, { cause });
    this.name = 'DeviceError';
    this.code = code;
  }
}

/** @type {Readonly<Record<string, DeviceError['code']>>} */
const CODES = {
  NotAllowedError: 'device_denied',
  SecurityError: 'device_denied',
  NotFoundError: 'device_missing',
  OverconstrainedError: 'device_missing',
  NotReadableError: 'device_busy',
  AbortError: 'device_busy',
};

/**
 * Opens what was chosen; the browser asks its user the first time. The caller ends the tracks.
 *
 * @param {Choice} choice
 * @returns {Promise<MediaStream>}
 * @throws {DeviceError}
 */
export async function openStream(choice) {
  if (choice.camera === NONE && choice.microphone === NONE) {
    throw new DeviceError('nothing_to_send', 'neither camera nor microphone is chosen');
  }
  // Browsers hide mediaDevices from pages that came over plain HTTP from another machine.
  if (!('mediaDevices' in navigator)) {
    throw new DeviceError('insecure_context', 'cameras need HTTPS or localhost');
  }
  try {
    return await navigator.mediaDevices.getUserMedia(constraints(choice));
  } catch (cause) {
    const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
    throw new DeviceError(CODES[name] ?? 'device_failed', message, cause);
  }
}

/**
 * @param {MediaStream | null} stream
 */
export function closeStream(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/**
 * Devices whose names the browser tells, which it does only after a first permission.
 *
 * @param {'videoinput' | 'audioinput'} kind
 * @returns {Promise<{ id: string, label: string }[]>}
 */
export async function namedDevices(kind) {
  if (!('mediaDevices' in navigator)) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === kind && device.label !== '' && device.deviceId !== 'default')
    .map(({ deviceId, label }) => ({ id: deviceId, label }));
}
