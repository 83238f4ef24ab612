import { SessionError } from './errors.js';
import { h264First } from './sdp.js';
import { MediaSession } from './session.js';

/**
 * @typedef {object} PublishOptions
 * @property {string} url absolute WHIP endpoint of the stream
 * @property {string} [token]
 * @property {number} [maxVideoBitrateBps]
 */

/**
 * Publishes a camera and a microphone by WHIP (RFC 9725): H.264, so that a mini-program can show it as it is, and Opus.
 * One publication at a time.
 */
export class WhipClient {
  #onState;
  /** @type {MediaSession | null} */
  #session = null;

  /** @param {{ onState?: (state: import('./session.js').State) => void }} [options] */
  constructor({ onState = () => {} } = {}) {
    this.#onState = onState;
  }

  /** The connection now in use, for statistics. */
  get peer() {
    return this.#session?.peer ?? null;
  }

  /**
   * Publishes until `stop`, reconnecting by itself. The caller keeps the stream and ends its tracks.
   *
   * @param {MediaStream} stream at most one audio and one video track are sent
   * @param {PublishOptions} options
   * @returns {Promise<RTCPeerConnection>} resolves when media can flow; rejects with a SessionError
   */
  publish(stream, { url, token, maxVideoBitrateBps }) {
    this.stop();
    this.#session = new MediaSession({
      url,
      token,
      prepare: (peer) => addTracks(peer, stream, maxVideoBitrateBps),
      onState: this.#onState,
    });
    return this.#session.start();
  }

  stop() {
    this.#session?.stop();
    this.#session = null;
  }
}

/**
 * @param {RTCPeerConnection} peer
 * @param {MediaStream} stream
 * @param {number | undefined} maxVideoBitrateBps
 */
function addTracks(peer, stream, maxVideoBitrateBps) {
  const [audio] = stream.getAudioTracks();
  const [video] = stream.getVideoTracks();
  if (audio) peer.addTransceiver(audio, { direction: 'sendonly', streams: [stream] });
  if (!video) return;
  const codecs = h264First(RTCRtpSender.getCapabilities('video')?.codecs ?? []);
  if (codecs.length === 0) throw new SessionError('no_h264', 'this browser cannot encode H.264');
  const transceiver = peer.addTransceiver(video, {
    direction: 'sendonly',
    streams: [stream],
    sendEncodings: [maxVideoBitrateBps === undefined ? {} : { maxBitrate: maxVideoBitrateBps }],
  });
  // Older Firefox cannot choose; the server then answers with H.264 from all that is offered.
  if ('setCodecPreferences' in transceiver) transceiver.setCodecPreferences(codecs);
  keepSize(transceiver.sender);
}

/**
 * Gives up frames rather than pixels on a slow path: a new size in mid-stream makes RTMP players start over.
 *
 * @param {RTCRtpSender} sender
 */
function keepSize(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  // A browser that cannot do this still publishes.
  sender.setParameters(parameters).catch(() => {});
}
