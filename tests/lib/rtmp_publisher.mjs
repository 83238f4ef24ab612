/**
 * An RTMP publisher in whose one connection everything can change: what it sends comes from real encoders, and how it
 * sends that is up to the test.
 */
import { FlvReader } from './flv.mjs';
import { command, connectCommand, RawRtmp } from './rtmp_raw.mjs';
import { until } from './scope.mjs';
import { encodeFlv } from './source.mjs';

/** @typedef {import('./flv.mjs').Tag} Tag */

const TYPES = { audio: 8, video: 9, script: 18, other: 0 };
const SET_CHUNK_SIZE = 1;
/** Large enough for a frame in one chunk. */
const CHUNK = 60_000;

/** An encoder that runs, and the tags that it has made. */
class Encoder {
  reader = new FlvReader();
  /** Gets every tag once it is used. @type {((tag: Tag) => void) | null} */
  sink = null;
  #taken = 0;

  /** @param {import('./scope.mjs').Scope} scope @param {Parameters<typeof encodeFlv>[1]} options */
  constructor(scope, options) {
    this.publisher = encodeFlv(scope, options);
    this.publisher.child.reader(1).on('data', (chunk) => {
      this.reader.push(chunk);
      this.#pass();
    });
  }

  #pass() {
    if (!this.sink) return;
    for (const tag of this.reader.tags.slice(this.#taken)) this.sink(tag);
    this.#taken = this.reader.tags.length;
  }

  /** The sequence headers so far. */
  headers() {
    return this.reader.tags.filter((tag) => tag.header);
  }

  /** Waits until it has both headers, and then for its next keyframe, which is the first tag that the sink gets. */
  async use(/** @type {(tag: Tag) => void} */ sink) {
    await until('the encoder runs', 8000, () => this.headers().length >= 2 && this.reader.tags.length > 20);
    const seen = this.reader.tags.length;
    const key = await until('a keyframe', 4000, () =>
      this.reader.tags.slice(seen).find((tag) => tag.keyframe && !tag.header),
    );
    this.#taken = this.reader.tags.indexOf(key);
    this.sink = sink;
    this.#pass();
  }
}

/** How tags are sent. */
export class RtmpPublisher {
  /** Tags for which this says no are not sent. @type {(tag: Tag) => boolean} */
  passes = () => true;
  /** Added to the timestamps, in milliseconds. */
  shift = 0;
  /** Whether SPS and PPS go with the keyframes instead of in sequence headers. */
  inBand = false;
  /** Messages that wait for the path, while it stands still. @type {Parameters<RawRtmp['message']>[] | null} */
  #waiting = null;
  /** @type {Encoder | null} */
  #encoder = null;
  #epoch = Date.now();
  /** From an encoder's timestamps to those of the connection. */
  #offset = 0;
  #parameterSets = Buffer.alloc(0);

  /** @param {import('./scope.mjs').Scope} scope @param {RawRtmp} peer */
  constructor(scope, peer) {
    this.scope = scope;
    this.peer = peer;
  }

  /**
   * Connects, and publishes nothing yet.
   * @param {import('./scope.mjs').Scope} scope @param {string} address `host:port` @param {string} stream room and uid
   */
  static async connect(scope, address, stream) {
    const peer = new RawRtmp(scope, address);
    await peer.handshake();
    const size = Buffer.alloc(4);
    size.writeUInt32BE(CHUNK);
    peer.message(size, { type: SET_CHUNK_SIZE });
    peer.chunkSize = CHUNK;
    peer.message(connectCommand('demo', address));
    await peer.answered('NetConnection.Connect.Success');
    peer.message(command('createStream', 2));
    peer.message(command('publish', 3, stream, 'live'), { stream: 1 });
    await peer.answered('NetStream.Publish.Start');
    return new RtmpPublisher(scope, peer);
  }

  /**
   * Starts an encoder, to be used later.
   * @param {Parameters<typeof encodeFlv>[1]} options
   */
  encoder(options) {
    return new Encoder(this.scope, options);
  }

  /**
   * Sends what an encoder makes, from its next keyframe on. Returns when that was sent.
   * @param {Encoder} encoder
   */
  async use(encoder) {
    const before = this.#encoder;
    let first = true;
    await encoder.use((tag) => {
      if (first) {
        first = false;
        if (before) before.sink = null;
        this.#offset = Date.now() - this.#epoch - tag.timestamp;
        for (const header of encoder.headers()) this.#send({ ...header, timestamp: tag.timestamp });
      }
      this.#send(tag);
    });
    this.#encoder = encoder;
    if (before) await before.publisher.stop();
    return Date.now();
  }

  /** @param {Tag} tag */
  #send(tag) {
    if (tag.type === 'script' || tag.type === 'other' || !(tag.header || this.passes(tag))) return;
    let { body } = tag;
    if (tag.type === 'video' && tag.header) this.#parameterSets = parameterSets(body);
    if (tag.type === 'video' && this.inBand) {
      if (tag.header) return;
      if (tag.keyframe) body = Buffer.concat([body.subarray(0, 5), this.#parameterSets, body.subarray(5)]);
    }
    const timestamp = (tag.timestamp + this.#offset + this.shift) >>> 0;
    const message = /** @type {Parameters<RawRtmp['message']>} */ ([
      body,
      { type: TYPES[tag.type], stream: 1, timestamp },
    ]);
    if (this.#waiting) this.#waiting.push(message);
    else this.peer.message(...message);
  }

  /** The path stands still: what is sent waits. */
  stall() {
    this.#waiting ??= [];
  }

  /** The path goes on, and delivers at once what has waited. */
  burst() {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const message of waiting) this.peer.message(...message);
  }
}

/**
 * The parameter sets of a sequence header (ISO/IEC 14496-15 section 5.3.3), each with a length of four bytes before it.
 * @param {Buffer} header
 */
function parameterSets(header) {
  /** @type {Buffer[]} */
  const sets = [];
  let at = 10;
  for (const mask of [0x1f, 0xff]) {
    const count = header.readUInt8(at) & mask;
    at += 1;
    for (let i = 0; i < count; i += 1) {
      const length = header.readUInt16BE(at);
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32BE(length);
      sets.push(prefix, header.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return Buffer.concat(sets);
}
