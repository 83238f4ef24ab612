/**
 * Status codes of the two components, as `bindstatechange` gives them, and what they say.
 */

/** What a live-pusher reports. @type {Readonly<Record<number, string>>} */
export const PUSHER_CODES = {
  1001: 'connected to the server',
  1002: 'handshake done, pushing',
  1003: 'camera opened',
  1005: 'resolution changed',
  1006: 'bitrate changed',
  1007: 'first frame captured',
  1008: 'encoder started',
  1101: 'the uplink is too slow',
  1102: 'disconnected, reconnecting',
  1104: 'video encoding failed, the encoder restarts',
  3001: 'the name of the server was not found',
  3002: 'the server was not reached',
  3003: 'the RTMP handshake failed',
  3004: 'the server closed the connection',
  3005: 'reading or writing failed',
  4998: 'microphone switched',
  4999: 'muting switched',
  5000: 'suspended, push stopped',
  5001: 'interrupted by a call',
  [-1301]: 'the camera could not be opened',
  [-1303]: 'video encoding failed',
  [-1304]: 'audio encoding failed',
  [-1307]: 'disconnected, and all attempts to reconnect failed',
};

/** What a live-player reports. @type {Readonly<Record<number, string>>} */
export const PLAYER_CODES = {
  2001: 'connected to the server',
  2002: 'pulling the stream',
  2003: 'first video packet received',
  2004: 'playing',
  2007: 'loading',
  2008: 'decoder started',
  2009: 'resolution changed',
  2012: 'message received',
  2101: 'a picture could not be decoded',
  2102: 'sound could not be decoded',
  2103: 'disconnected, reconnecting',
  3001: 'the name of the server was not found',
  3002: 'the server was not reached',
  3003: 'the RTMP handshake failed',
  3005: 'reading or writing failed',
  [-2301]: 'disconnected, and all attempts to reconnect failed',
};

/** What `binderror` of a live-pusher reports. @type {Readonly<Record<number, string>>} */
export const ERROR_CODES = {
  10001: 'the user has forbidden the camera',
  10002: 'the user has forbidden the microphone',
  10003: 'the background music could not be loaded',
  10004: 'the waiting image could not be loaded',
};

/** Codes by which a connection fails, in the order of its steps. */
export const FAILURE = Object.freeze({ NAME: 3001, CONNECT: 3002, HANDSHAKE: 3003, REFUSED: 3004, BROKEN: 3005 });
