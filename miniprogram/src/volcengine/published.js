import { uidKey } from '../../../web-client/core/room.js';
import { EVENTS } from './events.js';

/** @typedef {import('../core/client.js').Uid} Uid */
/** @typedef {import('../core/client.js').StreamName} StreamName */

/** @typedef {{ audio: boolean, video: boolean }} PublishState which of the two are on */

/** @type {PublishState} */
const OFF = { audio: false, video: false };

/**
 * @param {Uid} uid
 * @param {StreamName} stream
 * @returns {import('./events.js').StreamOf}
 */
export function streamOf(uid, stream) {
  return { uid: String(uid), screen: stream === 'screen' };
}

/** The streams of the others as Volcengine tells of them: one that has nothing switched on is as good as none. */
export class PublishedStreams {
  /** Those that were told of. @type {Map<string, PublishState>} */
  #told = new Map();
  #tell;

  /** @param {import('./events.js').Tell} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /** @param {import('../core/client.js').RemoteStream} stream as it is now */
  changed({ uid, stream, audio, video }) {
    this.#become(uid, stream, { audio: audio === 'live', video: video === 'live' });
  }

  /** @param {Uid} uid @param {StreamName} stream */
  ended(uid, stream) {
    this.#become(uid, stream, OFF);
  }

  /** @param {Uid} uid @param {StreamName} name @param {PublishState} now */
  #become(uid, name, now) {
    const key = `${uidKey(uid)}/${name}`;
    const before = this.#told.get(key) ?? OFF;
    const stream = streamOf(uid, name);
    if (!isOn(now)) {
      if (this.#told.delete(key)) this.#tell(EVENTS.STREAM_REMOVED, stream);
      return;
    }
    this.#told.set(key, now);
    if (!isOn(before)) return this.#tell(EVENTS.STREAM_ADDED, { ...stream, streamPublishState: { ...now } });
    // What is switched on comes first: in between, the stream has at least one.
    if (now.audio && !before.audio) this.#tell(EVENTS.UNMUTE_AUDIO, stream);
    if (now.video && !before.video) this.#tell(EVENTS.UNMUTE_VIDEO, stream);
    if (!now.audio && before.audio) this.#tell(EVENTS.MUTE_AUDIO, stream);
    if (!now.video && before.video) this.#tell(EVENTS.MUTE_VIDEO, stream);
  }
}

/** @param {PublishState} state */
function isOn({ audio, video }) {
  return audio || video;
}
