/** @typedef {import('../core/protocol.js').Uid} Uid */

/** Somebody else in the room. The same object for as long as they are in it. */
export class RemoteUser {
  /** In the form in which they joined: a number or a string. @type {Uid} */
  uid;
  /** `web`, `native`, `miniprogram` or `encoder` (RTMP, WHIP, WHEP, HTTP-FLV). @type {string} */
  platform;
  /** @type {import('../core/protocol.js').Role} */
  role;
  /** False while their connection is lost and may come back. */
  connected = true;
  hasAudio = false;
  hasVideo = false;
  hasScreen = false;
  hasScreenAudio = false;
  /** Published, and held back by them or by an admin. */
  audioMuted = false;
  videoMuted = false;
  /** While subscribed to. @type {import('./remote-track.js').RemoteAudioTrack | undefined} */
  audioTrack = undefined;
  /** @type {import('./remote-track.js').RemoteVideoTrack | undefined} */
  videoTrack = undefined;
  /** @type {import('./remote-track.js').RemoteVideoTrack | undefined} */
  screenTrack = undefined;
  /** @type {import('./remote-track.js').RemoteAudioTrack | undefined} */
  screenAudioTrack = undefined;
  /** What they say of their streams. @type {Record<'camera' | 'screen', Record<string, string>>} */
  attributes = { camera: {}, screen: {} };

  /** @param {import('../core/room.js').RemoteUser} known */
  constructor(known) {
    this.uid = known.uid;
    this.platform = known.platform;
    this.role = known.role;
    this.refresh(known);
  }

  /** For clients: takes over what the room knows of the person. @param {import('../core/room.js').RemoteUser} known */
  refresh(known) {
    this.uid = known.uid;
    this.platform = known.platform;
    this.role = known.role;
    this.connected = known.state === 'connected';
    for (const name of /** @type {const} */ (['camera', 'screen'])) {
      this.attributes[name] = Object.fromEntries(known.streams.get(name)?.attributes ?? []);
    }
  }
}
