/**
 * The connections: ffmpeg as a pipe between FLV bytes and a server. It knows RTMP and HTTP and leaves the stream as it
 * is, so that tracks may begin and sequence headers change whenever they like.
 */
import { FAILURE } from './codes.js';
import { readLine, refusal } from './ffmpeg-log.js';
import { flvHeader } from './flv.js';
import { Ffmpeg } from './process.js';

const LOUD = ['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'debug'];
/** Bytes, not packets: nothing to be found out. */
const RAW_INPUT = ['-probesize', '32', '-f', 'data'];
const RAW_OUTPUT = ['-map', '0', '-c', 'copy', '-flush_packets', '1', '-f', 'data'];

/** Schemes that live-player plays; live-pusher takes the first alone. */
export const PUSHES = /^rtmp:\/\//;
export const PLAYS = /^(?:rtmp|https?):\/\//;

/**
 * @typedef {object} CarrierEvents
 * @property {() => void} connected
 * @property {() => void} open publishing, or playing
 * @property {(code: number | null) => void} lost a code of {@link FAILURE}, or null when the stream ended
 * @property {(text: string) => void} refused why, in the server's words
 */

/** What both directions have in common. */
class Carrier {
  #open = false;
  #connected = false;
  #closed = false;
  /** @type {number | null} */
  #failure = null;

  /**
   * @param {string} ffmpeg @param {string[]} args @param {string} url
   * @param {CarrierEvents} events
   * @param {{ input?: boolean, onData?: (chunk: Buffer) => void }} io
   */
  constructor(ffmpeg, args, url, events, io) {
    const protocol = PUSHES.test(url) ? 'rtmp' : 'http';
    /** @param {string} line */
    const onLine = (line) => {
      if (this.#closed) return;
      const reason = refusal(line);
      if (reason) events.refused(reason);
      const event = readLine(line, protocol);
      if (!event) return;
      if ('failure' in event) {
        this.#failure ??= event.failure;
      } else if (event.step === 'connected' && !this.#connected) {
        this.#connected = true;
        events.connected();
      } else if (event.step === 'open' && !this.#open) {
        this.#open = true;
        events.open();
      }
    };
    this.process = new Ffmpeg(ffmpeg, args, { ...io, onLine });
    void this.process.exited.then(() => {
      if (!this.#closed) events.lost(this.#reason(io.input ?? false));
    });
  }

  /** @param {boolean} pushing @returns {number | null} */
  #reason(pushing) {
    if (this.#failure !== null) return this.#failure;
    if (this.#open) return pushing ? FAILURE.BROKEN : null;
    return this.#connected ? FAILURE.REFUSED : FAILURE.CONNECT;
  }

  /** As when the network breaks: the server hears no goodbye, and the component learns that it is lost. */
  cut() {
    this.#failure ??= FAILURE.BROKEN;
    return this.process.kill();
  }

  /** Nothing more is reported. */
  silence() {
    this.#closed = true;
  }
}

/** Carries what is pushed. */
export class PushCarrier extends Carrier {
  /** @param {string} ffmpeg @param {string} url @param {CarrierEvents} events */
  constructor(ffmpeg, url, events) {
    const args = [...LOUD, ...RAW_INPUT, '-i', 'pipe:0', ...RAW_OUTPUT, '-tcp_nodelay', '1', url];
    super(ffmpeg, args, url, events, { input: true });
    // ffmpeg connects only when it has seen the first bytes of what it is to send.
    this.process.write(flvHeader());
  }

  get backlog() {
    return this.process.backlog;
  }

  /** @param {Uint8Array} bytes */
  write(bytes) {
    this.process.write(bytes);
  }

  /** Says goodbye to the server and ends. */
  close() {
    this.silence();
    return this.process.finish();
  }
}

/** Carries what is played. */
export class PullCarrier extends Carrier {
  /** @param {string} ffmpeg @param {string} url @param {CarrierEvents & { data: (chunk: Buffer) => void }} events */
  constructor(ffmpeg, url, events) {
    const args = [...LOUD, ...RAW_INPUT, '-i', url, ...RAW_OUTPUT, 'pipe:1'];
    super(ffmpeg, args, url, events, { onData: (chunk) => events.data(chunk) });
  }

  close() {
    this.silence();
    return this.process.stop();
  }
}
