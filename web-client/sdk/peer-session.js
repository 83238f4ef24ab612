import { uidKey } from '../core/room.js';
import { preferH264 } from './codecs.js';
import { FIRST_LAYERS, setEncodings } from './layers.js';
import { askForStereo } from './sdp.js';
import { Sections } from './sections.js';

/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').Kind} Kind */

/**
 * How a track of one's own is to be sent.
 *
 * @typedef {object} Source
 * @property {MediaStreamTrack | null} track null: nothing is sent
 * @property {Encoding} encoding
 */

/**
 * @typedef {object} Encoding
 * @property {number} [maxBitrate] bit/s
 * @property {number} [maxFramerate]
 * @property {number} [scaleResolutionDownBy]
 * @property {RTCDegradationPreference} [degradationPreference]
 */

/**
 * @typedef {object} SessionHooks
 * @property {() => import('../core/protocol.js').Uid} ownUid
 * @property {(stream: StreamName, kind: Kind) => Source | null} source null if it is not published
 * @property {(section: import('./sections.js').Section, track: MediaStreamTrack | null) => void} received a section
 *   brings this now, or nothing more
 * @property {(section: import('./sections.js').Section) => void} sending one's own track has a section
 * @property {(cause: unknown) => void} report
 */

/** One PeerConnection and what its sections carry. The server offers, this answers. */
export class PeerSession {
  connection;
  sections = new Sections();
  #hooks;
  #closed = false;
  /** Which layers of one's own pictures to send, where there are several. @type {Map<StreamName, readonly import('../core/protocol.js').Layer[]>} */
  #wanted = new Map();
  /** Those that an answer has opened. @type {WeakSet<import('./sections.js').Section>} */
  #open = new WeakSet();

  /**
   * @param {RTCPeerConnection} connection
   * @param {SessionHooks} hooks
   */
  constructor(connection, hooks) {
    this.connection = connection;
    this.#hooks = hooks;
  }

  /**
   * @param {string} sdp
   * @param {import('../core/protocol.js').Mids} mids
   * @returns {Promise<string>} the answer
   */
  async offer(sdp, mids) {
    const { connection } = this;
    await connection.setRemoteDescription({ type: 'offer', sdp });
    if (this.#closed) throw new Error('closed while it answered');
    const { gone, come } = this.sections.apply(mids);
    for (const section of gone) this.#tell(section, null);
    for (const transceiver of connection.getTransceivers()) await this.#arrange(transceiver);
    const answer = await connection.createAnswer();
    await connection.setLocalDescription({ type: 'answer', sdp: askForStereo(answer.sdp ?? '') });
    if (this.#closed) throw new Error('closed while it answered');
    for (const section of come) this.#begin(section);
    return connection.localDescription?.sdp ?? '';
  }

  /**
   * A track of one's own has been replaced, or is to be sent otherwise.
   *
   * @param {StreamName} stream
   * @param {Kind} kind
   */
  async refresh(stream, kind) {
    const section = this.sections.all.find((one) => this.#isOwn(one) && one.stream === stream && one.kind === kind);
    const transceiver = section && this.#transceiver(section.mid);
    if (transceiver === undefined) return;
    await transceiver.sender.replaceTrack(this.#hooks.source(stream, kind)?.track ?? null);
    await this.#encode(transceiver, stream, kind);
  }

  /**
   * The server says which layers of one's own pictures to send.
   *
   * @param {StreamName} stream
   * @param {readonly import('../core/protocol.js').Layer[]} layers
   */
  async layersWanted(stream, layers) {
    this.#wanted.set(stream, layers);
    const section = this.sections.all.find((one) => this.#isOwn(one) && one.stream === stream && one.kind === 'video');
    const transceiver = section && this.#transceiver(section.mid);
    if (transceiver !== undefined) await this.#encode(transceiver, stream, 'video');
  }

  /**
   * @param {string} key
   * @returns {boolean} whether a section carries this, and has been answered
   */
  carries(key) {
    const section = this.sections.find(key);
    return section !== undefined && this.#open.has(section);
  }

  /**
   * When a packet newer than that of an earlier time came, or the newest, by the browser's clock. Asks no more receivers
   * than it takes: each is a question to another thread.
   *
   * @param {number} since
   * @returns {number | undefined} undefined if nothing has come
   */
  packetSince(since) {
    /** @type {number | undefined} */
    let newest;
    for (const receiver of this.connection.getReceivers()) {
      for (const { timestamp } of receiver.getSynchronizationSources()) {
        if (timestamp > since) return timestamp;
        newest = Math.max(newest ?? timestamp, timestamp);
      }
    }
    return newest;
  }

  /** Whether anything is sent that the server reports on. */
  get sends() {
    return this.connection.getSenders().some(({ track }) => track !== null);
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    for (const section of this.sections.clear()) this.#tell(section, null);
    this.connection.close();
  }

  /** Says in the answer what a section is for. @param {RTCRtpTransceiver} transceiver */
  async #arrange(transceiver) {
    if (transceiver.currentDirection === 'stopped') return;
    const section = transceiver.mid === null ? undefined : this.sections.get(transceiver.mid);
    if (section?.kind === 'video') preferH264(transceiver);
    if (section !== undefined && this.#isOwn(section)) {
      transceiver.direction = 'sendonly';
      const source = this.#hooks.source(section.stream, section.kind);
      if (transceiver.sender.track !== (source?.track ?? null)) await transceiver.sender.replaceTrack(source?.track ?? null);
    } else {
      transceiver.direction = section === undefined ? 'inactive' : 'recvonly';
      if (transceiver.sender.track !== null) await transceiver.sender.replaceTrack(null);
    }
  }

  /** @param {import('./sections.js').Section} section that the answer has opened */
  #begin(section) {
    const transceiver = this.#transceiver(section.mid);
    if (transceiver === undefined) return;
    this.#open.add(section);
    if (!this.#isOwn(section)) return this.#tell(section, transceiver.receiver.track);
    if (section.kind === 'video') this.#wanted.delete(section.stream);
    this.#hooks.sending(section);
    this.#encode(transceiver, section.stream, section.kind).catch(this.#hooks.report);
  }

  /**
   * @param {RTCRtpTransceiver} transceiver
   * @param {StreamName} stream
   * @param {Kind} kind
   */
  async #encode({ sender }, stream, kind) {
    const source = this.#hooks.source(stream, kind);
    const parameters = sender.getParameters();
    const encodings = parameters.encodings ?? [];
    // Before it has been negotiated a sender has no encoding to set anything of.
    if (source === null || encodings.length === 0 || this.#closed) return;
    const { degradationPreference } = source.encoding;
    setEncodings(encodings, source.encoding, this.#wanted.get(stream) ?? FIRST_LAYERS);
    if (degradationPreference !== undefined) parameters.degradationPreference = degradationPreference;
    await sender.setParameters(parameters);
  }

  /** @param {string} mid */
  #transceiver(mid) {
    return this.connection.getTransceivers().find((transceiver) => transceiver.mid === mid);
  }

  /** @param {import('./sections.js').Section} section */
  #isOwn(section) {
    return uidKey(section.uid) === uidKey(this.#hooks.ownUid());
  }

  /**
   * @param {import('./sections.js').Section} section
   * @param {MediaStreamTrack | null} track
   */
  #tell(section, track) {
    if (!this.#isOwn(section)) this.#hooks.received(section, track);
  }
}
