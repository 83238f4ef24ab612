import { audioConfig, DEFAULT_AUDIO, DEFAULT_SCREEN, DEFAULT_VIDEO, videoConfig, videoConstraints } from './encoder-config.js';
import { deviceError, invalid, sdkError } from './errors.js';
import { LocalAudioTrack } from './local-audio-track.js';
import { LocalVideoTrack } from './local-video-track.js';

/** @typedef {import('./encoder-config.js').VideoEncoderConfiguration} VideoEncoderConfiguration */
/** @typedef {import('./encoder-config.js').AudioEncoderConfiguration} AudioEncoderConfiguration */

/**
 * @typedef {object} MicrophoneConfig
 * @property {string} [microphoneId]
 * @property {string | AudioEncoderConfiguration} [encoderConfig] `music_standard` if absent
 * @property {boolean} [AEC] echo cancellation; true if absent, as are the next two
 * @property {boolean} [ANS] noise suppression
 * @property {boolean} [AGC] gain control
 */

/**
 * @typedef {object} CameraConfig
 * @property {string} [cameraId]
 * @property {'user' | 'environment'} [facingMode]
 * @property {string | VideoEncoderConfiguration} [encoderConfig] `480p_1` if absent
 * @property {'motion' | 'detail' | 'balanced'} [optimizationMode]
 * @property {1 | 2 | 3} [layers] in how many sizes it is sent at once; if absent three from 720 lines on, two from 480 on
 */

/**
 * @typedef {object} ScreenConfig
 * @property {string | VideoEncoderConfiguration} [encoderConfig]
 * @property {'motion' | 'detail' | 'balanced'} [optimizationMode] `detail` if absent
 * @property {'monitor' | 'window' | 'browser'} [displaySurface]
 */

/** @param {MicrophoneConfig} [config] */
export async function createMicrophoneAudioTrack(config = {}) {
  const open = microphone(config);
  return microphoneTrack(config, await open(), open);
}

/** @param {CameraConfig} [config] */
export async function createCameraVideoTrack(config = {}) {
  const open = camera(config);
  return cameraTrack(config, await open(), open);
}

/**
 * Both with one question to the user.
 *
 * @param {MicrophoneConfig} [audio]
 * @param {CameraConfig} [video]
 * @returns {Promise<[LocalAudioTrack, LocalVideoTrack]>}
 */
export async function createMicrophoneAndCameraTracks(audio = {}, video = {}) {
  const stream = await openDevices({ audio: audioConstraints(audio), video: cameraConstraints(video) });
  return [microphoneTrack(audio, only(stream, 'audio'), microphone(audio)), cameraTrack(video, only(stream, 'video'), camera(video))];
}

/**
 * @param {ScreenConfig} [config]
 * @param {'enable' | 'disable' | 'auto'} [withAudio] `enable` fails without sound, `auto` shares it if there is some
 * @returns {Promise<LocalVideoTrack | [LocalVideoTrack, LocalAudioTrack]>}
 */
export async function createScreenVideoTrack(config = {}, withAudio = 'disable') {
  const encoderConfig = videoConfig(config.encoderConfig ?? DEFAULT_SCREEN);
  const optimizationMode = config.optimizationMode ?? 'detail';
  const surface = config.displaySurface === undefined ? {} : { displaySurface: config.displaySurface };
  requireDevices();
  const stream = await navigator.mediaDevices
    .getDisplayMedia({ video: { ...videoConstraints(encoderConfig), ...surface }, audio: withAudio !== 'disable' })
    .catch((cause) => Promise.reject(deviceError(cause)));
  const picture = only(stream, 'video');
  const [sound] = stream.getAudioTracks();
  if (withAudio === 'enable' && sound === undefined) {
    picture.stop();
    throw sdkError('SHARE_AUDIO_NOT_ALLOWED', 'no_shared_audio', 'no sound was shared');
  }
  picture.contentHint = optimizationMode === 'motion' ? 'motion' : 'detail';
  const video = new LocalVideoTrack({
    mediaStreamTrack: picture, stream: 'screen', reopen: null, encoderConfig, optimizationMode, layers: 1, player: { mirror: false, fit: 'contain' },
  });
  if (sound === undefined) return video;
  return [video, new LocalAudioTrack({ mediaStreamTrack: sound, stream: 'screen', reopen: null, encoding: { maxBitrate: 128_000 } })];
}

/** @param {{ mediaStreamTrack: MediaStreamTrack, encoderConfig?: string | AudioEncoderConfiguration }} config */
export function createCustomAudioTrack({ mediaStreamTrack, encoderConfig = DEFAULT_AUDIO }) {
  requireKind(mediaStreamTrack, 'audio');
  return new LocalAudioTrack({ mediaStreamTrack, stream: 'camera', reopen: null, encoding: audioEncoding(encoderConfig) });
}

/**
 * @param {object} config
 * @param {MediaStreamTrack} config.mediaStreamTrack
 * @param {number} [config.bitrateMax] kbit/s
 * @param {'motion' | 'detail' | 'balanced'} [config.optimizationMode]
 * @param {1 | 2 | 3} [config.layers] in how many sizes it is sent at once; one if absent
 */
export function createCustomVideoTrack({ mediaStreamTrack, bitrateMax, optimizationMode = 'balanced', layers = 1 }) {
  requireKind(mediaStreamTrack, 'video');
  return new LocalVideoTrack({
    mediaStreamTrack, stream: 'camera', reopen: null, optimizationMode, layers,
    encoderConfig: bitrateMax === undefined ? {} : { bitrateMax }, player: { mirror: false, fit: 'contain' },
  });
}

/** @typedef {(change?: { deviceId?: string }) => Promise<MediaStreamTrack>} Open */

/**
 * Opens the microphone that was asked for last.
 *
 * @param {MicrophoneConfig} config
 * @returns {Open}
 */
function microphone(config) {
  let { microphoneId } = config;
  return async ({ deviceId = microphoneId } = {}) => {
    const stream = await openDevices({ audio: audioConstraints({ ...config, ...(deviceId === undefined ? {} : { microphoneId: deviceId }) }) });
    microphoneId = deviceId;
    return only(stream, 'audio');
  };
}

/**
 * @param {CameraConfig} config
 * @returns {Open}
 */
function camera(config) {
  let { cameraId } = config;
  return async ({ deviceId = cameraId } = {}) => {
    const stream = await openDevices({ video: cameraConstraints({ ...config, ...(deviceId === undefined ? {} : { cameraId: deviceId }) }) });
    cameraId = deviceId;
    return only(stream, 'video');
  };
}

/**
 * @param {MicrophoneConfig} config
 * @param {MediaStreamTrack} mediaStreamTrack
 * @param {Open} reopen
 */
function microphoneTrack({ encoderConfig = DEFAULT_AUDIO }, mediaStreamTrack, reopen) {
  return new LocalAudioTrack({ mediaStreamTrack, stream: 'camera', reopen, encoding: audioEncoding(encoderConfig) });
}

/**
 * @param {CameraConfig} config
 * @param {MediaStreamTrack} mediaStreamTrack
 * @param {Open} open
 */
function cameraTrack({ encoderConfig = DEFAULT_VIDEO, optimizationMode = 'balanced', facingMode, layers }, mediaStreamTrack, open) {
  const track = new LocalVideoTrack({
    mediaStreamTrack, stream: 'camera', optimizationMode, encoderConfig: videoConfig(encoderConfig),
    player: { mirror: facingMode !== 'environment', fit: 'cover' },
    ...(layers === undefined ? {} : { layers }),
    reopen: async (change) => {
      const fresh = await open(change);
      await fresh.applyConstraints(videoConstraints(track.encoderConfig));
      return fresh;
    },
  });
  return track;
}

/** @param {string | AudioEncoderConfiguration} config */
function audioEncoding(config) {
  const { bitrate } = audioConfig(config);
  return bitrate === undefined ? {} : { maxBitrate: bitrate * 1000 };
}

/** @param {MicrophoneConfig} config */
function audioConstraints({ microphoneId, encoderConfig = DEFAULT_AUDIO, AEC = true, ANS = true, AGC = true }) {
  const { sampleRate, stereo } = audioConfig(encoderConfig);
  return {
    ...device(microphoneId),
    echoCancellation: AEC,
    noiseSuppression: ANS,
    autoGainControl: AGC,
    ...(sampleRate === undefined ? {} : { sampleRate: { ideal: sampleRate } }),
    ...(stereo === undefined ? {} : { channelCount: { ideal: stereo ? 2 : 1 } }),
  };
}

/** @param {CameraConfig} config */
function cameraConstraints({ cameraId, facingMode, encoderConfig = DEFAULT_VIDEO }) {
  return {
    ...device(cameraId),
    ...(facingMode === undefined || cameraId !== undefined ? {} : { facingMode: { ideal: facingMode } }),
    ...videoConstraints(videoConfig(encoderConfig)),
  };
}

/** @param {string | undefined} id */
function device(id) {
  return id === undefined || id === '' ? {} : { deviceId: { exact: id } };
}

/**
 * @param {MediaStreamConstraints} constraints
 * @returns {Promise<MediaStream>}
 */
async function openDevices(constraints) {
  requireDevices();
  return navigator.mediaDevices.getUserMedia(constraints).catch((cause) => Promise.reject(deviceError(cause)));
}

export function requireDevices() {
  // Browsers hide mediaDevices from pages that came over plain HTTP from another machine.
  if (globalThis.navigator?.mediaDevices === undefined) {
    throw sdkError('WEB_SECURITY_RESTRICT', 'insecure_context', 'cameras and microphones need HTTPS or localhost');
  }
}

/**
 * @param {MediaStream} stream
 * @param {'audio' | 'video'} kind
 */
function only(stream, kind) {
  const [track] = kind === 'audio' ? stream.getAudioTracks() : stream.getVideoTracks();
  if (track === undefined) throw sdkError('DEVICE_NOT_FOUND', 'device_missing', `the browser gave no ${kind}`);
  return track;
}

/**
 * @param {MediaStreamTrack} track
 * @param {'audio' | 'video'} kind
 */
function requireKind(track, kind) {
  if (track?.kind !== kind) throw invalid('mediaStreamTrack', `a track of ${kind} is needed`);
}
