/**
 * The names of the events. Volcengine publishes the constants, not their values: a page uses `EVENTS`. For the messages of
 * 3.3 it publishes neither; they are named like the callbacks of its native SDKs.
 */
export const EVENTS = Object.freeze(/** @type {const} */ ({
  STREAM_ADDED: 'stream-added',
  STREAM_REMOVED: 'stream-removed',
  UPDATE_URL: 'update-url',
  STREAM_FAILED: 'stream-failed',
  MUTE_AUDIO: 'mute-audio',
  UNMUTE_AUDIO: 'unmute-audio',
  MUTE_VIDEO: 'mute-video',
  UNMUTE_VIDEO: 'unmute-video',
  CLIENT_BANNED: 'client-banned',
  PEER_ONLINE: 'peer-online',
  PEER_LEAVE: 'peer-leave',
  ERROR: 'error',
  DISCONNECT: 'disconnect',
  CLOSE: 'close',
  USER_MESSAGE_RECEIVED: 'user-message-received',
  USER_BINARY_MESSAGE_RECEIVED: 'user-binary-message-received',
  ROOM_MESSAGE_RECEIVED: 'room-message-received',
  ROOM_BINARY_MESSAGE_RECEIVED: 'room-binary-message-received',
  USER_MESSAGE_RECEIVED_OUTSIDE_ROOM: 'user-message-received-outside-room',
  USER_BINARY_MESSAGE_RECEIVED_OUTSIDE_ROOM: 'user-binary-message-received-outside-room',
  LOGOUT: 'logout',
}));

/** @typedef {{ uid: string, screen: boolean }} StreamOf one of the two streams of a user */
/** @typedef {{ code: number, reason: string }} Failure */
/** @typedef {{ uid: string, message: string }} TextMessage */
/** @typedef {{ uid: string, message: ArrayBuffer }} BinaryMessage */

/**
 * What listeners get, by the value of the event.
 *
 * @typedef {object} EventArguments
 * @property {[StreamOf & { streamPublishState: { audio: boolean, video: boolean } }]} stream-added somebody's stream that
 *   has at least one of the two switched on
 * @property {[StreamOf]} stream-removed it is not published any more, or both are switched off
 * @property {[StreamOf & { url: string }]} update-url for the player, in place of the address that it has
 * @property {[StreamOf & { reason: string }]} stream-failed publish or subscribe anew; the uid may be one's own
 * @property {[StreamOf]} mute-audio the picture goes on
 * @property {[StreamOf]} unmute-audio
 * @property {[StreamOf]} mute-video the sound goes on
 * @property {[StreamOf]} unmute-video
 * @property {[]} client-banned the stay is over: the uid has joined elsewhere, or an admin has removed it
 * @property {[{ uid: string }]} peer-online
 * @property {[{ uid: string }]} peer-leave
 * @property {[Failure]} error a connection could not be made
 * @property {[Failure]} disconnect the stay is over, and the page may join again; `code` is that of a closed WebSocket
 * @property {[Failure]} close after `disconnect`, for pages that know only this one; not for a client that was destroyed
 *   meanwhile
 * @property {[TextMessage]} user-message-received
 * @property {[BinaryMessage]} user-binary-message-received
 * @property {[TextMessage]} room-message-received
 * @property {[BinaryMessage]} room-binary-message-received
 * @property {[TextMessage]} user-message-received-outside-room
 * @property {[BinaryMessage]} user-binary-message-received-outside-room
 * @property {[{ reason: string }]} logout not by `logout()`: the uid has logged in elsewhere, or its token has expired
 */

/** @typedef {keyof EventArguments} EventName */
/** @typedef {<N extends EventName>(name: N, ...args: EventArguments[N]) => void} Tell */
