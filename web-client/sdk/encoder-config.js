import { invalid } from './errors.js';

/**
 * @typedef {object} VideoEncoderConfiguration
 * @property {number | ConstrainULong} [width]
 * @property {number | ConstrainULong} [height]
 * @property {number | ConstrainDouble} [frameRate]
 * @property {number} [bitrateMin] kbit/s; browsers offer no way to say it, so it is kept and not used
 * @property {number} [bitrateMax] kbit/s
 */

/**
 * @typedef {object} AudioEncoderConfiguration
 * @property {number} [sampleRate]
 * @property {boolean} [stereo]
 * @property {number} [bitrate] kbit/s
 */

/**
 * By the names of Agora's presets: width, height, frames a second, kbit/s.
 *
 * @type {Readonly<Record<string, readonly [number, number, number, number]>>}
 */
const VIDEO_PRESETS = {
  '120p_1': [160, 120, 15, 65], '120p_3': [120, 120, 15, 50],
  '180p_1': [320, 180, 15, 140], '180p_3': [180, 180, 15, 100], '180p_4': [240, 180, 15, 120],
  '240p_1': [320, 240, 15, 200], '240p_3': [240, 240, 15, 140], '240p_4': [424, 240, 15, 220],
  '360p_1': [640, 360, 15, 400], '360p_3': [360, 360, 15, 260], '360p_4': [640, 360, 30, 600],
  '360p_6': [360, 360, 30, 400], '360p_7': [480, 360, 15, 320], '360p_8': [480, 360, 30, 490],
  '360p_9': [640, 360, 15, 800], '360p_10': [640, 360, 24, 800], '360p_11': [640, 360, 24, 1000],
  '480p_1': [640, 480, 15, 500], '480p_2': [640, 480, 30, 1000], '480p_3': [480, 480, 15, 400],
  '480p_4': [640, 480, 30, 750], '480p_6': [480, 480, 30, 600], '480p_8': [848, 480, 15, 610],
  '480p_9': [848, 480, 30, 930], '480p_10': [640, 480, 10, 400],
  '720p_1': [1280, 720, 15, 1130], '720p_2': [1280, 720, 30, 2000], '720p_3': [1280, 720, 30, 1710],
  '720p_5': [960, 720, 15, 910], '720p_6': [960, 720, 30, 1380], '720p_auto': [1280, 720, 30, 3000],
  '1080p_1': [1920, 1080, 15, 2080], '1080p_2': [1920, 1080, 30, 3000], '1080p_3': [1920, 1080, 30, 3150],
  '1080p_5': [1920, 1080, 60, 4780],
};

/** Likewise: kHz, stereo, kbit/s. @type {Readonly<Record<string, readonly [number, boolean, number]>>} */
const AUDIO_PRESETS = {
  speech_low_quality: [16, false, 24],
  speech_standard: [32, false, 24],
  music_standard: [48, false, 40],
  standard_stereo: [48, true, 64],
  high_quality: [48, false, 128],
  high_quality_stereo: [48, true, 192],
};

/** What Agora's Web SDK sends if nobody asks for anything else. */
export const DEFAULT_VIDEO = '480p_1';
export const DEFAULT_SCREEN = { frameRate: 15, bitrateMax: 2500 };
export const DEFAULT_AUDIO = 'music_standard';

/**
 * @param {string | VideoEncoderConfiguration} config
 * @returns {VideoEncoderConfiguration}
 */
export function videoConfig(config) {
  if (typeof config !== 'string') return config;
  const preset = VIDEO_PRESETS[/_\d+$|_auto$/.test(config) ? config : `${config}_1`];
  if (preset === undefined) throw invalid('encoderConfig', `there is no preset ${config}`);
  const [width, height, frameRate, bitrateMax] = preset;
  return { width, height, frameRate, bitrateMax };
}

/**
 * @param {string | AudioEncoderConfiguration} config
 * @returns {AudioEncoderConfiguration}
 */
export function audioConfig(config) {
  if (typeof config !== 'string') return config;
  const preset = AUDIO_PRESETS[config];
  if (preset === undefined) throw invalid('encoderConfig', `there is no preset ${config}`);
  const [kilohertz, stereo, bitrate] = preset;
  return { sampleRate: kilohertz * 1000, stereo, bitrate };
}

/**
 * A wish: a camera that has only other sizes still works.
 *
 * @param {number | ConstrainULong | ConstrainDouble | undefined} value
 */
function wish(value) {
  return typeof value === 'number' ? { ideal: value } : value;
}

/**
 * @param {VideoEncoderConfiguration} config
 * @returns {MediaTrackConstraints}
 */
export function videoConstraints({ width, height, frameRate }) {
  return {
    ...(width === undefined ? {} : { width: wish(width) }),
    ...(height === undefined ? {} : { height: wish(height) }),
    ...(frameRate === undefined ? {} : { frameRate: typeof frameRate === 'number' ? { ideal: frameRate, max: frameRate } : frameRate }),
  };
}

/**
 * What an encoder does under the limits of the server.
 *
 * @param {import('./peer-session.js').Encoding} encoding without them
 * @param {import('../core/client.js').PublishLimits} limits
 * @param {{ width?: number, height?: number }} picture of the track
 * @returns {import('./peer-session.js').Encoding}
 */
export function withLimits(encoding, { maxKbps, shortSide }, { width = 0, height = 0 }) {
  const side = Math.min(width, height);
  return {
    ...encoding,
    maxBitrate: Math.min(encoding.maxBitrate ?? Infinity, maxKbps * 1000),
    ...(shortSide === undefined || side <= shortSide ? {} : { scaleResolutionDownBy: side / shortSide }),
  };
}

/**
 * @param {VideoEncoderConfiguration} config
 * @param {'motion' | 'detail' | 'balanced'} mode what to keep when there is not enough of the network
 * @returns {import('./peer-session.js').Encoding}
 */
export function videoEncoding({ bitrateMax, frameRate }, mode) {
  const maxFramerate = typeof frameRate === 'number' ? frameRate : frameRate?.max ?? frameRate?.exact;
  return {
    ...(bitrateMax === undefined ? {} : { maxBitrate: bitrateMax * 1000 }),
    ...(maxFramerate === undefined ? {} : { maxFramerate }),
    degradationPreference: { motion: /** @type {const} */ ('maintain-framerate'), detail: /** @type {const} */ ('maintain-resolution'), balanced: /** @type {const} */ ('balanced') }[mode],
  };
}
