/**
 * A bad network: a UDP relay between a browser and the server, on loopback, that loses packets or carries only so much. It
 * runs on a thread of its own so that a busy test does not delay packets.
 */
import { createSocket } from 'node:dgram';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Passed
 * @property {number} upForwarded packets from browsers to the server
 * @property {number} upDropped
 * @property {number} downForwarded
 * @property {number} downDropped
 */

/** @param {number} seed a repeatable generator of numbers from 0 to 1 (mulberry32) */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What IP and UDP add to each packet. */
const HEADERS = 28;
/** The queue in front of a narrow path, in milliseconds: what does not fit is dropped, as by a router. */
const QUEUE_MS = 300;

/** A path that carries so many bit/s; any number where it is 0. */
class Path {
  /** @param {number} rate */
  constructor(rate) {
    this.rate = rate;
    this.free = 0;
  }

  /** @param {number} bytes @param {() => void} deliver @returns {boolean} whether the packet fits */
  carry(bytes, deliver) {
    const now = performance.now();
    this.free = Math.max(this.free, now);
    if (this.rate === 0) deliver();
    else if (this.free - now > QUEUE_MS) return false;
    else {
      this.free += ((bytes + HEADERS) * 8000) / this.rate;
      setTimeout(deliver, this.free - now);
    }
    return true;
  }
}

/** @param {{ host: string, port: number, loss: number, seed: number, rate: number }} options */
function runRelay({ host, port, loss, seed, rate }) {
  const down = new Path(rate);
  const lose = random(seed);
  /** @type {Passed} */
  const passed = { upForwarded: 0, upDropped: 0, downForwarded: 0, downDropped: 0 };
  /** One socket towards the server per browser address. @type {Map<string, import('node:dgram').Socket>} */
  const upstream = new Map();
  let passing = true;
  const front = createSocket('udp4');
  front.on('message', (message, from) => {
    if (!passing) return;
    const key = `${from.address}:${from.port}`;
    let socket = upstream.get(key);
    if (!socket) {
      socket = createSocket('udp4');
      socket.on('message', (reply) => {
        if (!passing) return;
        const deliver = () => front.send(reply, from.port, from.address);
        if (lose() < loss || !down.carry(reply.length, deliver)) passed.downDropped += 1;
        else passed.downForwarded += 1;
      });
      upstream.set(key, socket);
    }
    if (lose() < loss) passed.upDropped += 1;
    else {
      passed.upForwarded += 1;
      socket.send(message, port, host);
    }
  });
  front.bind(0, '127.0.0.1', () => parentPort?.postMessage({ port: front.address().port }));
  parentPort?.on('message', (command) => {
    if (command === 'widen') down.rate = 0;
    if (command === 'cut') passing = false;
    if (command === 'mend') {
      // What passes from now on comes from other ports, as behind a router that has forgotten its table.
      for (const socket of upstream.values()) socket.close();
      upstream.clear();
      passing = true;
    }
    parentPort?.postMessage({ passed });
  });
}

/** A running relay. */
class Relay {
  /** @param {Worker} worker @param {number} port */
  constructor(worker, port) {
    this.worker = worker;
    this.port = port;
  }

  /** @returns {Promise<Passed>} */
  passed() {
    return this.#command('passed');
  }

  /** Lets nothing through. */
  async cut() {
    await this.#command('cut');
  }

  /** Lets everything through again, towards the server from other ports than before. */
  async mend() {
    await this.#command('mend');
  }

  /** Carries any number of bits from now on. */
  async widen() {
    await this.#command('widen');
  }

  /** @param {'passed' | 'cut' | 'mend' | 'widen'} name @returns {Promise<Passed>} */
  #command(name) {
    return new Promise((resolve) => {
      this.worker.once('message', (message) => resolve(message.passed));
      this.worker.postMessage(name);
    });
  }
}

/**
 * Starts a relay to the server's UDP port.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} rtc the server's address
 * @param {{ loss?: number, seed?: number, rate?: number }} options `loss` is the share of packets dropped, each way;
 *   `rate` is what it carries from the server, in bit/s
 * @returns {Promise<Relay>}
 */
export function startRelay(scope, rtc, { loss = 0, seed = 1, rate = 0 }) {
  const [host = '', port] = rtc.split(':');
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { host, port: Number(port), loss, seed, rate },
  });
  scope.defer(() => worker.terminate());
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message) => resolve(new Relay(worker, message.port)));
  });
}

if (!isMainThread && workerData?.host) runRelay(workerData);
