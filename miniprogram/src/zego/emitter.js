import { Emitter } from '../../../web-client/core/emitter.js';
import { reportPageError } from '../core/answer.js';

/** @typedef {'DISCONNECTED' | 'CONNECTING' | 'CONNECTED'} RoomState */
/**
 * @typedef {'LOGINING' | 'LOGINED' | 'LOGIN_FAILED' | 'RECONNECTING' | 'RECONNECTED' | 'RECONNECT_FAILED' | 'KICKOUT' | 'LOGOUT'
 *   | 'LOGOUT_FAILED'} RoomStateReason
 */
/** @typedef {{ userID: string, userName: string }} ZegoUser `userName` is the userID of who has not given one */
/**
 * @typedef {object} ZegoStream
 * @property {string} streamID
 * @property {ZegoUser} user
 * @property {string} extraInfo
 * @property {string} urlsFLV empty, as are the others: addresses hold a ticket, which playing asks for
 * @property {string} urlsRTMP
 * @property {string} urlsHLS
 * @property {string} urlsHttpsFLV
 * @property {string} urlsHttpsHLS
 */
/** @typedef {{ streamID: string, state: 'PUBLISHING' | 'NO_PUBLISH' | 'PUBLISH_REQUESTING', errorCode: number, extendedData: string }} PublisherState */
/** @typedef {{ streamID: string, state: 'NO_PLAY' | 'PLAY_REQUESTING' | 'PLAYING', errorCode: number, extendedData: string }} PlayerState */
/**
 * What a component measured last; rates in kbit/s, sizes in pixels.
 *
 * @typedef {object} StreamStats
 * @property {{ videoBitrate?: number, videoFPS?: number, frameWidth?: number, frameHeight?: number }} video
 * @property {{ audioBitrate?: number, audioLevel?: number }} audio `audioLevel` is what `updateAudioVolumeNotify` was told
 */

/**
 * @typedef {object} ZegoEvents
 * @property {[roomID: string, state: RoomState, errorCode: number, extendedData: string]} roomStateUpdate
 * @property {[roomID: string, reason: RoomStateReason, errorCode: number, extendedData: string]} roomStateChanged
 * @property {[roomID: string, updateType: 'ADD' | 'DELETE', userList: ZegoUser[]]} roomUserUpdate with `userUpdate` alone
 * @property {[roomID: string, count: number]} roomOnlineUserCountUpdate
 * @property {[roomID: string, updateType: 'ADD' | 'DELETE', streamList: ZegoStream[], extendedData: string]} roomStreamUpdate
 * @property {[roomID: string, streamList: { streamID: string, user: ZegoUser, extraInfo: string }[]]} streamExtraInfoUpdate
 * @property {[state: PublisherState]} publisherStateUpdate
 * @property {[state: PlayerState]} playerStateUpdate
 * @property {[streamID: string, stats: StreamStats]} publishQualityUpdate
 * @property {[streamID: string, stats: StreamStats]} playQualityUpdate
 * @property {[roomID: string, messages: { fromUser: ZegoUser, message: string, sendTime: number, messageID: number }[]]} IMRecvBroadcastMessage
 * @property {[roomID: string, messages: { fromUser: ZegoUser, message: string, sendTime: number, messageID: string }[]]} IMRecvBarrageMessage
 * @property {[roomID: string, fromUser: ZegoUser, command: string]} IMRecvCustomCommand
 * @property {[roomID: string, infos: { key: string, value: string, updateUser: ZegoUser, updateTime: number }[]]} roomExtraInfoUpdate
 * @property {[roomID: string]} tokenWillExpire
 * @property {[taskID: string, infoList: object[]]} mixerRelayCDNStateUpdate never: there is no mixer
 * @property {[state: RoomState, errorCode: number, extendedData: string]} hallStateUpdate never: there are no halls
 */

/** Tells a page. What a listener throws becomes an error of the page's own. @extends {Emitter<ZegoEvents>} */
export class ZegoEmitter extends Emitter {
  constructor() {
    super(reportPageError);
  }
}
