/**
 * The client's side of a WebSocket (RFC 6455), down to the frame: tests say what is not valid, and cut connections.
 */
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * A frame from a client, which is masked.
 * @param {number} opcode
 * @param {Buffer} payload
 */
function frame(opcode, payload) {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  let header = Buffer.from([0x80 | opcode, 0x80 | payload.length]);
  if (payload.length > 65_535) {
    header = Buffer.alloc(10);
    header.set([0x80 | opcode, 0x80 | 127]);
    header.writeBigUInt64BE(BigInt(payload.length), 2);
  } else if (payload.length > 125) {
    header = Buffer.alloc(4);
    header.set([0x80 | opcode, 0x80 | 126]);
    header.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([header, mask, masked]);
}

/** An open WebSocket. */
export class WebSocketClient {
  #socket;
  #input = Buffer.alloc(0);
  /** Called with each text message. @type {(text: string) => void} */
  onMessage = () => {};
  /** @type {{ code: number | null, reason: string } | null} how the server ended it; a code of null if it just broke */
  end = null;

  /** @param {import('node:net').Socket} socket @param {Buffer} head */
  constructor(socket, head) {
    this.#socket = socket;
    /** @type {Promise<{ code: number | null, reason: string }>} */
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.end ??= { code: null, reason: '' };
        resolve(this.end);
      });
    });
    socket.on('data', (data) => this.#read(data));
    socket.on('error', () => {});
    if (head.length > 0) this.#read(head);
  }

  /**
   * @param {string} host `HOST:PORT`
   * @param {string} path
   * @param {string} [origin] of the page that a browser shows
   * @returns {Promise<WebSocketClient>}
   */
  static open(host, path, origin) {
    const [name = '', port = ''] = host.split(':');
    const socket = connect({ host: name, port: Number(port), noDelay: true });
    const key = randomBytes(16).toString('base64');
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket'];
    if (origin) lines.push(`Origin: ${origin}`);
    lines.push('Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`, '', '');
    socket.write(lines.join('\r\n'));
    return new Promise((resolve, reject) => {
      let input = Buffer.alloc(0);
      /** @param {Buffer} data */
      const head = (data) => {
        input = Buffer.concat([input, data]);
        const end = input.indexOf('\r\n\r\n');
        if (end < 0) return;
        socket.off('data', head);
        const text = input.subarray(0, end).toString('latin1');
        if (text.startsWith('HTTP/1.1 101') && text.includes(accept)) {
          resolve(new WebSocketClient(socket, input.subarray(end + 4)));
        } else {
          socket.destroy();
          reject(new Error(`no WebSocket: ${input}`));
        }
      };
      socket.on('data', head);
      socket.on('error', reject);
    });
  }

  /** @param {Buffer} data */
  #read(data) {
    this.#input = Buffer.concat([this.#input, data]);
    for (;;) {
      if (this.#input.length < 2) return;
      const opcode = this.#input.readUInt8(0) & 15;
      let length = this.#input.readUInt8(1) & 127;
      let start = 2;
      if (length === 126) {
        if (this.#input.length < 4) return;
        length = this.#input.readUInt16BE(2);
        start = 4;
      } else if (length === 127) {
        if (this.#input.length < 10) return;
        length = Number(this.#input.readBigUInt64BE(2));
        start = 10;
      }
      if (this.#input.length < start + length) return;
      const payload = this.#input.subarray(start, start + length);
      this.#input = this.#input.subarray(start + length);
      this.#handle(opcode, payload);
    }
  }

  /** @param {number} opcode @param {Buffer} payload */
  #handle(opcode, payload) {
    if (opcode === TEXT) this.onMessage(payload.toString('utf8'));
    else if (opcode === PING) this.#socket.write(frame(PONG, payload));
    else if (opcode === CLOSE) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.end = { code, reason: payload.subarray(2).toString('utf8') };
      this.#socket.end(frame(CLOSE, payload.subarray(0, 2)));
    }
  }

  /** @param {string} text */
  send(text) {
    this.#socket.write(frame(TEXT, Buffer.from(text)));
  }

  /** @param {Buffer} data */
  sendBinary(data) {
    this.#socket.write(frame(BINARY, data));
  }

  ping() {
    if (this.#socket.writable) this.#socket.write(frame(PING, Buffer.alloc(0)));
  }

  /** Reads no longer, as a client does that hangs. */
  pause() {
    this.#socket.pause();
  }

  /** The connection is gone without a word. */
  cut() {
    this.#socket.resetAndDestroy();
  }

  /** Says goodbye as a page does that is closed. */
  close() {
    this.#socket.end(frame(CLOSE, Buffer.from([0x03, 0xe9])));
  }
}
