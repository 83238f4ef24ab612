// A world for the core: time that passes when told to, sockets that a test holds the other end of.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const FIXTURES = new URL('../../fixtures/signalling/', import.meta.url);

/** @param {string} prefix @returns {{ name: string, direction: string, message: Record<string, unknown>, transcript: Step[] }[]} */
export function fixtures(prefix) {
  const names = readdirSync(FIXTURES).filter((name) => name.startsWith(`${prefix}.`)).sort();
  assert.ok(names.length > 0, `there are fixtures of ${prefix}`);
  return names.map((name) => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')));
}

/** @typedef {{ client: string, direction: 'client' | 'server' | 'lost' | 'wait', seconds?: number, message: Message }} Step */
/** @typedef {Record<string, unknown> & { id?: number, type?: string }} Message */

/** @param {object} object @param {...string} names @returns {Record<string, unknown>} the object but for these */
export function without(object, ...names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** Lets everything that waits for no timer happen. */
export async function settle() {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The server's end of a socket. */
export class FakeSocket {
  /** @type {Message[]} */
  sent = [];
  closed = false;
  #events;

  #world;

  /** @param {World} world @param {string} url @param {import('../core/ports.js').SocketEvents} events */
  constructor(world, url, events) {
    this.#world = world;
    this.url = url;
    this.#events = events;
  }

  /** @param {string} text */
  send(text) {
    assert.ok(!this.closed, 'nothing is sent on a closed socket');
    const message = JSON.parse(text);
    this.sent.push(message);
    if (message.type === 'ping' && this.#world.pongs) {
      queueMicrotask(() => this.#events.received(JSON.stringify({ id: message.id, ok: { time: 1800000000 } })));
    }
  }

  close() {
    this.closed = true;
  }

  async open() {
    this.#events.opened();
    await settle();
  }

  /** @param {...unknown} messages that arrive together */
  async say(...messages) {
    for (const message of messages) {
      this.#events.received(typeof message === 'string' ? message : JSON.stringify(message));
    }
    await settle();
  }

  /** The connection breaks. */
  async drop() {
    this.#events.closed();
    await settle();
  }

  /** @param {string} type @returns {Message} the last request of this type */
  last(type) {
    const found = this.sent.filter((message) => message.type === type).at(-1);
    assert.ok(found, `${type} was asked for, not only ${this.sent.map((message) => message.type)}`);
    return found;
  }

  /** @param {string} type @param {object} [ok] */
  async grant(type, ok = {}) {
    await this.say({ id: this.last(type).id, ok });
  }

  /** @param {string} type @param {string} code @param {object} [more] */
  async refuse(type, code, more = {}) {
    await this.say({ id: this.last(type).id, error: { code, message: code, ...more } });
  }

  /** @returns {(string | undefined)[]} the types of what was asked, but for pings */
  get asked() {
    return this.sent.map(({ type }) => type).filter((type) => type !== 'ping');
  }
}

export class World {
  now = 0;
  /** Whether pings are answered. */
  pongs = true;
  /** @type {FakeSocket[]} */
  sockets = [];
  random = () => 0;
  /** @type {Set<{ at: number, run: () => void }>} */
  #timers = new Set();

  /** @returns {import('../core/ports.js').Platform} */
  get platform() {
    return {
      openSocket: (url, events) => {
        const socket = new FakeSocket(this, url, events);
        this.sockets.push(socket);
        return socket;
      },
      random: () => this.random(),
      clock: {
        now: () => this.now,
        setTimer: (run, delayMs) => {
          const timer = { at: this.now + delayMs, run };
          this.#timers.add(timer);
          return timer;
        },
        clearTimer: (timer) => {
          assert.ok(this.#timers.delete(/** @type {{ at: number, run: () => void }} */ (timer)), 'a timer is cleared once');
        },
      },
    };
  }

  get timers() {
    return this.#timers.size;
  }

  get socket() {
    const socket = this.sockets.at(-1);
    assert.ok(socket);
    return socket;
  }

  /** Delays of the timers, shortest first. */
  get delays() {
    return [...this.#timers].map(({ at }) => at - this.now).sort((a, b) => a - b);
  }

  /** @param {number} ms */
  async pass(ms) {
    const until = this.now + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = until;
    await settle();
  }

  /** Time passes in which nothing runs, as when a laptop sleeps. @param {number} ms */
  async sleep(ms) {
    this.now += ms;
    await this.pass(0);
  }
}

/** @param {object} [more] */
export function joinReply(more = {}) {
  return {
    version: 1, session: 's1', uid: 'alice', role: 'host', admin: false, participants: [], attributes: {},
    heartbeat_seconds: 5, grace_seconds: 20, ...more,
  };
}

/** @param {string | number} uid @param {object[]} [streams] @param {object} [more] */
export function participant(uid, streams = [], more = {}) {
  return { uid, platform: 'web', role: 'host', state: 'connected', streams, ...more };
}

export const camera = { stream: 'camera', audio: 'live', video: 'live' };
