import { SessionError } from './errors.js';
import { askForStereo, h264First } from './sdp.js';
import { MediaSession } from './session.js';

/**
 * @typedef {object} WhepEvents
 * @property {(state: import('./session.js').State) => void} [onState]
 * @property {(stream: MediaStream) => void} [onStream] what to show; a new one for every new connection
 */

/**
 * Watches a stream by WHEP: waits for a publisher that is not there yet, and reconnects. One stream at a time.
 */
export class WhepClient {
  #onState;
  #onStream;
  /** @type {MediaSession | null} */
  #session = null;

  /** @param {WhepEvents} [events] */
  constructor({ onState = () => {}, onStream = () => {} } = {}) {
    this.#onState = onState;
    this.#onStream = onStream;
  }

  /** The connection now in use, for statistics. */
  get peer() {
    return this.#session?.peer ?? null;
  }

  /**
   * Watches until `stop`.
   *
   * @param {{ url: string, token?: string }} options `url` is the absolute WHEP endpoint of the stream
   * @returns {Promise<RTCPeerConnection>} resolves when media can flow; rejects with a SessionError
   */
  watch({ url, token }) {
    this.stop();
    this.#session = new MediaSession({
      url,
      token,
      prepare: (peer) => this.#receive(peer),
      adaptOffer: askForStereo,
      waitsOut: isNotThereYet,
      onState: this.#onState,
    });
    return this.#session.start();
  }

  stop() {
    this.#session?.stop();
    this.#session = null;
  }

  /** @param {RTCPeerConnection} peer */
  #receive(peer) {
    const codecs = h264First(RTCRtpReceiver.getCapabilities('video')?.codecs ?? []);
    if (codecs.length === 0) throw new SessionError('no_h264', 'this browser cannot decode H.264');
    const stream = new MediaStream();
    peer.addEventListener('track', ({ track, receiver }) => {
      playAtOnce(receiver);
      stream.addTrack(track);
      this.#onStream(stream);
    });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    const video = peer.addTransceiver('video', { direction: 'recvonly' });
    if ('setCodecPreferences' in video) video.setCodecPreferences(codecs);
  }
}

/** @param {SessionError} error */
function isNotThereYet(error) {
  return error.code === 'stream_not_found' || (error.status === 404 && error.retryAfterMs !== null);
}

/**
 * Asks for the smallest jitter buffer: this is a conversation, not a film.
 *
 * @param {RTCRtpReceiver} receiver
 */
function playAtOnce(receiver) {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  // What Chromium called it before it was standardised, in seconds.
  else if ('playoutDelayHint' in receiver) Reflect.set(receiver, 'playoutDelayHint', 0);
}
