/**
 * An RTMP client that can misbehave: it sends exactly the bytes it is told to.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { until } from './scope.mjs';

/** Bytes of C1, S1, C2 and S2. */
const HANDSHAKE = 1536;
/** The chunk size a client starts with. */
const CHUNK = 128;
const COMMAND_AMF0 = 20;
/** Where a timestamp no longer fits into its three bytes. */
const EXTENDED_TIMESTAMP = 0xffffff;

/** @param {string} text */
function amfString(text) {
  const head = Buffer.from([0x02, 0, 0]);
  head.writeUInt16BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** @param {number} value */
function amfNumber(value) {
  const bytes = Buffer.alloc(9);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** @param {string} key */
function amfKey(key) {
  return amfString(key).subarray(1);
}

/** @param {Record<string, string>} fields */
function amfObject(fields) {
  const parts = Object.entries(fields).flatMap(([key, value]) => [amfKey(key), amfString(value)]);
  return Buffer.concat([Buffer.from([0x03]), ...parts, Buffer.from([0, 0, 0x09])]);
}

/** An AMF0 value nested as deep as asked, never closed. @param {number} depth */
export function amfNest(depth) {
  const level = Buffer.concat([Buffer.from([0x03]), amfKey('a')]);
  return Buffer.concat(Array.from({ length: depth }, () => level));
}

/**
 * A `connect` command.
 * @param {string} app @param {string} host
 */
export function connectCommand(app, host) {
  const properties = amfObject({ app, type: 'nonprivate', tcUrl: `rtmp://${host}/${app}` });
  return Buffer.concat([amfString('connect'), amfNumber(1), properties]);
}

/** Any command with no properties. @param {string} name @param {number} id @param {string[]} args */
export function command(name, id, ...args) {
  return Buffer.concat([amfString(name), amfNumber(id), Buffer.from([0x05]), ...args.map(amfString)]);
}

/** A connection that is driven by hand. */
export class RawRtmp {
  closed = false;
  received = /** @type {Buffer} */ (Buffer.alloc(0));
  /** What it has announced, or begins with. */
  chunkSize = CHUNK;

  /** @param {import('./scope.mjs').Scope} scope @param {string} address `host:port` */
  constructor(scope, address) {
    const [host, port] = address.split(':');
    this.address = address;
    this.socket = connect(Number(port), host);
    this.socket.on('data', (bytes) => this.#receive(bytes));
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.closed = true));
    scope.defer(() => this.socket.destroy());
  }

  /** @param {Buffer} bytes */
  #receive(bytes) {
    this.received = Buffer.concat([this.received, bytes]);
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    this.socket.write(bytes);
  }

  /** The whole handshake. */
  async handshake() {
    const c1 = Buffer.concat([Buffer.alloc(8), randomBytes(HANDSHAKE - 8)]);
    this.send(Buffer.concat([Buffer.from([3]), c1]));
    await until('S0 and S1', 3000, () => this.received.length >= 1 + HANDSHAKE);
    this.send(this.received.subarray(1, 1 + HANDSHAKE));
    await until('S2', 3000, () => this.received.length >= 1 + 2 * HANDSHAKE);
    this.received = this.received.subarray(1 + 2 * HANDSHAKE);
  }

  /**
   * One whole message, cut into chunks.
   * @param {Buffer} body
   * @param {{ type?: number, stream?: number, length?: number, timestamp?: number }} [options] `length` announces
   * another length than the body has; `timestamp` is in milliseconds
   */
  message(body, { type = COMMAND_AMF0, stream = 0, length = body.length, timestamp = 0 } = {}) {
    const extended = timestamp >= EXTENDED_TIMESTAMP;
    const head = Buffer.alloc(extended ? 16 : 12);
    head[0] = 3;
    head.writeUIntBE(extended ? EXTENDED_TIMESTAMP : timestamp, 1, 3);
    if (extended) head.writeUInt32BE(timestamp, 12);
    head.writeUIntBE(length, 4, 3);
    head[7] = type;
    head.writeUInt32LE(stream, 8);
    /** @type {Buffer[]} */
    const parts = [head];
    for (let at = 0; at < body.length; at += this.chunkSize) {
      // A chunk that continues a message repeats an extended timestamp.
      if (at > 0) parts.push(Buffer.from([0xc3]), head.subarray(12));
      parts.push(body.subarray(at, at + this.chunkSize));
    }
    this.send(Buffer.concat(parts));
  }

  /** Waits for words in what the server sends. @param {string} words @param {number} [ms] */
  async answered(words, ms = 3000) {
    await until(`"${words}" from the server`, ms, () => this.received.includes(words)).catch((error) => {
      throw new Error(`${error.message}; it sent ${JSON.stringify(this.received.toString('latin1'))}`);
    });
  }

  /** Waits until the server closes. @param {number} ms */
  async closedWithin(ms) {
    await until('the server closes the connection', ms, () => this.closed);
  }
}
