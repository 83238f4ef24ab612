/** A back end that is told what happens, and refuses to be at first. */
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { until } from './scope.mjs';

/** How far from now an attempt may say it was made. */
const MAX_SKEW_S = 30;

/** @typedef {Record<string, any>} WebhookEvent */
/** @typedef {{ status: number, headers?: Record<string, string>, body?: string | Buffer }} Refusal */
/** @typedef {{ status: number, delivery: string, attempt: number, event: WebhookEvent, at: number }} Attempt */

/** An HTTP server that takes webhooks. */
export class WebhookReceiver {
  /** Every attempt, taken or not. @type {Attempt[]} */
  attempts = [];
  /** What is answered first, in place of yes. @type {Refusal[]} */
  refusals = [];
  /** What was wrong with one of them. @type {unknown} */
  fault = undefined;

  /** @param {string} secret */
  constructor(secret) {
    this.secret = secret;
    this.server = createServer((request, response) => {
      /** @type {Buffer[]} */
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        try {
          const { status, headers, body } = this.#take(request, Buffer.concat(chunks));
          response.writeHead(status, headers).end(body);
        } catch (error) {
          this.fault ??= error;
          response.writeHead(500).end();
        }
      });
    });
  }

  /**
   * @param {import('./scope.mjs').Scope} scope @param {string} secret
   */
  static async start(scope, secret) {
    const receiver = new WebhookReceiver(secret);
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    scope.defer(() => {
      receiver.server.closeAllConnections();
      receiver.server.close();
    });
    return receiver;
  }

  /** Where it is. */
  get url() {
    const address = /** @type {import('node:net').AddressInfo} */ (this.server.address());
    return `http://127.0.0.1:${address.port}/hooks?key=hidden`;
  }

  /** @param {import('node:http').IncomingMessage} request @param {Buffer} body */
  #take(request, body) {
    assert.equal(request.method, 'POST');
    assert.equal(request.url, '/hooks?key=hidden');
    assert.equal(request.headers['content-type'], 'application/json');
    const timestamp = String(request.headers['queqiao-timestamp']);
    assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < MAX_SKEW_S, `timestamp ${timestamp}`);
    const expected = `v1=${createHmac('sha256', this.secret).update(`${timestamp}.`).update(body).digest('hex')}`;
    const given = String(request.headers['queqiao-signature']);
    assert.equal(given.length, expected.length);
    assert.ok(timingSafeEqual(Buffer.from(given), Buffer.from(expected)), 'the signature is wrong');
    const answer = this.refusals.shift() ?? { status: 204 };
    this.attempts.push({
      status: answer.status,
      delivery: String(request.headers['queqiao-delivery']),
      attempt: Number(request.headers['queqiao-attempt']),
      event: JSON.parse(body.toString('utf8')),
      at: performance.now(),
    });
    return answer;
  }

  /** The events that were taken, in order. */
  get events() {
    return this.attempts.filter((attempt) => attempt.status === 204).map((attempt) => attempt.event);
  }

  /**
   * The events of a room in a few words each, once the last of them is the one that is waited for.
   * @param {string} room @param {string} last @param {number} [ms]
   */
  async story(room, last, ms = 10_000) {
    /** @param {WebhookEvent} event */
    const words = ({ event, uid, platform, stream, reason }) =>
      [event, uid, platform ?? stream ?? reason].filter((word) => word !== undefined).join(' ');
    const told = () => this.events.filter((event) => event['room'] === room).map(words);
    await until(`the webhook ${last}`, ms, () => this.fault !== undefined || told().at(-1) === last).catch((error) => {
      throw new Error(`${error.message}; so far: ${told().join(', ')}`);
    });
    assert.equal(this.fault, undefined);
    return told();
  }
}
