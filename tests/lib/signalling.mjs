/** A client of the signalling protocol without media: what the server says, in order. */
import assert from 'node:assert/strict';
import { until } from './scope.mjs';
import { WebSocketClient } from './websocket.mjs';

/** How often something is said so that the connection does not count as lost. */
const PING_MS = 4000;

/** How long anything may take. */
const REPLY_MS = 5000;

/** @typedef {Record<string, any>} Message */

/** One connection. */
export class Signaller {
  /** What has come and nobody has taken. @type {Message[]} */
  inbox = [];
  /** Offers, which come when they come. @type {Message[]} */
  offers = [];
  /** The number of the last event. */
  lastSeq = 0;
  #nextId = 1;

  /** @param {WebSocketClient} socket */
  constructor(socket) {
    this.socket = socket;
    socket.onMessage = (text) => {
      const message = JSON.parse(text);
      if (typeof message.seq === 'number') {
        assert.equal(message.seq, this.lastSeq + 1, 'a gap in the numbers of events');
        this.lastSeq = message.seq;
      }
      if (message.event === 'offer') this.offers.push(message);
      else this.inbox.push(message);
    };
  }

  /**
   * @param {import('./scope.mjs').Scope} scope
   * @param {import('./server.mjs').Server} server
   * @param {{ silent?: boolean }} [options] whether to say nothing unasked
   */
  static async open(scope, server, { silent = false } = {}) {
    const client = new Signaller(await WebSocketClient.open(server.http, '/signal'));
    const timer = silent ? undefined : setInterval(() => client.socket.ping(), PING_MS);
    scope.defer(() => {
      clearInterval(timer);
      client.socket.cut();
    });
    return client;
  }

  /**
   * A client that has joined.
   * @param {import('./scope.mjs').Scope} scope
   * @param {import('./server.mjs').Server} server
   * @param {string} room @param {string | number} uid @param {Message} [fields]
   */
  static async join(scope, server, room, uid, fields = {}) {
    const client = await Signaller.open(scope, server);
    const joined = await client.request('join', { version: 1, app: 'demo', room, uid, platform: 'web', ...fields });
    return { client, joined };
  }

  /** The next message that is no offer. @param {string} [what] */
  async next(what = 'a message') {
    await until(what, REPLY_MS, () => this.inbox.length > 0 || this.socket.end !== null);
    const message = this.inbox.shift();
    assert.ok(message, `${what}: the connection ended with ${JSON.stringify(this.socket.end)}`);
    return message;
  }

  /** The next event of this name; what else comes before it is passed over. @param {string} name @param {number} [ms] */
  async event(name, ms = REPLY_MS) {
    const found = await until(`the event ${name}`, ms, () => this.inbox.find((message) => message['event'] === name));
    this.inbox.splice(0, this.inbox.indexOf(found) + 1);
    return found;
  }

  /** Asks, and returns the response. @param {string} type @param {Message} [fields] */
  async ask(type, fields = {}) {
    const id = this.#nextId++;
    this.socket.send(JSON.stringify({ id, type, ...fields }));
    /** @param {Message} message */
    const mine = (message) => message['id'] === id;
    const reply = await until(`the response to ${type}`, REPLY_MS, () => this.inbox.find(mine));
    this.inbox = this.inbox.filter((message) => message !== reply);
    return reply;
  }

  /** Asks for what has to succeed. @param {string} type @param {Message} [fields] @returns {Promise<Message>} */
  async request(type, fields = {}) {
    const reply = await this.ask(type, fields);
    assert.ok(reply['ok'], `${type} was refused: ${JSON.stringify(reply['error'])}`);
    return reply['ok'];
  }

  /** Asks for what has to be refused. @param {string} type @param {Message} [fields] @returns {Promise<Message>} */
  async refusal(type, fields = {}) {
    const reply = await this.ask(type, fields);
    assert.ok(reply['error'], `${type} was not refused: ${JSON.stringify(reply['ok'])}`);
    return reply['error'];
  }
}
