/** The page's one way to the SDK, and the names that the page has for its types. */

import sdk from '../sdk/index.js';

/** @typedef {typeof sdk} Sdk */
/** @typedef {ReturnType<Sdk['createClient']>} Client */
/** @typedef {Awaited<ReturnType<Sdk['createMicrophoneAudioTrack']>>} MicrophoneTrack */
/** @typedef {Awaited<ReturnType<Sdk['createCameraVideoTrack']>>} CameraTrack */
/** @typedef {Client['localTracks'][number]} LocalTrack */
/** @typedef {Client['remoteUsers'][number]} RemoteUser */
/** @typedef {RemoteUser['uid']} Uid */
/** @typedef {NonNullable<RemoteUser['videoTrack']>} RemoteVideoTrack */
/** @typedef {NonNullable<RemoteUser['audioTrack']>} RemoteAudioTrack */
/** @typedef {'audio' | 'video' | 'screen' | 'screen-audio'} MediaType */

export { sdk };
