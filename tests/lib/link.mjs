/**
 * A bad network between a client and the server, on loopback: `queqiao-link` (`benches/link`), which loses, delays, limits
 * and cuts by a seed. It is a process of its own, so that a busy test does not delay packets.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './scope.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_MS = 5000;
const ANSWER_MS = 5000;

/**
 * @typedef {object} Conditions one direction; what is left out is as good as it can be (`benches/link/src/conditions.rs`)
 * @property {number} [loss] share of packets lost, each by its own chance
 * @property {{ share: number, length: number }} [burst] share of packets lost in rows, and how many those have on average
 * @property {number} [delay_ms]
 * @property {number} [jitter_ms] by how much the delay varies at most, either way
 * @property {{ every_ms: number, ms: number }} [spike] moments in which nothing moves
 * @property {number} [reorder] share of packets that are later than others by `reorder_ms`
 * @property {number} [reorder_ms]
 * @property {number} [duplicate] share of packets that come twice
 * @property {number} [rate_kbps] what the slowest hop lets through
 * @property {number} [queue_ms] how long a packet may wait for that hop
 * @property {number} [queue_bytes] how much may wait for it
 * @property {boolean} [cut] nothing passes: packets are lost, bytes wait
 */

/**
 * @typedef {object} Counters
 * @property {number} passed @property {number} bytes @property {number} lost @property {number} overflowed
 * @property {number} cut @property {number} reordered @property {number} duplicated
 * @property {number} late_ms by how much the link itself was late at worst
 */

/**
 * @typedef {object} Passed
 * @property {Counters} up towards the server
 * @property {Counters} down
 * @property {number} open clients or connections that are there
 * @property {number} refused for which there was no place
 */

/**
 * @typedef {object} Directions
 * @property {Conditions} [both]
 * @property {Conditions} [up] instead of `both`
 * @property {Conditions} [down] instead of `both`
 */

/** The program: `QUEQIAO_LINK`, else a release build, else a debug build. */
function program() {
  const target = process.env['CARGO_TARGET_DIR'] ?? join(ROOT, 'target');
  const candidates = [
    process.env['QUEQIAO_LINK'],
    join(target, 'release/queqiao-link'),
    join(target, 'debug/queqiao-link'),
  ];
  const found = candidates.find((path) => path && existsSync(path));
  assert.ok(found, 'no queqiao-link: run `cargo build --release -p queqiao-link` or set QUEQIAO_LINK');
  return found;
}

/** A running link. Its methods return when what they ask for is so. */
class Link {
  /** @type {string[]} */
  #lines = [];
  #rest = '';
  /** Orders are answered one after the other. @type {Promise<unknown>} */
  #last = Promise.resolve();
  /** @type {{ up: Conditions, down: Conditions }} */
  #conditions = { up: {}, down: {} };
  /** Where clients find it, on 127.0.0.1. */
  port = 0;

  /** @param {import('./scope.mjs').Child} child */
  constructor(child) {
    this.child = child;
    child.reader(1).setEncoding('utf8').on('data', (text) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
    });
  }

  async ready() {
    this.port = (await this.#line(START_MS)).port;
    return this;
  }

  /** @param {number} ms */
  async #line(ms) {
    const line = await until('the link answers', ms, () => {
      assert.equal(this.child.exit, null, `the link has ended: ${this.child.tail()}`);
      return this.#lines.shift();
    });
    const answer = JSON.parse(line);
    assert.equal(answer.error, undefined, `the link: ${answer.error}`);
    return answer;
  }

  /** @param {object} order @returns {Promise<Passed>} */
  #order(order) {
    const answer = this.#last.then(() => {
      this.child.writer(0).write(`${JSON.stringify(order)}\n`);
      return this.#line(ANSWER_MS);
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /**
   * What is so from now on. A direction that is not named stays as it is.
   * @param {Directions} directions
   */
  async set({ both, up = both, down = both }) {
    this.#conditions = { up: up ?? this.#conditions.up, down: down ?? this.#conditions.down };
    await this.#order(this.#conditions);
  }

  /** What has passed, and what has not. */
  passed() {
    return this.#order({});
  }

  /** Lets nothing through, as if the cable had been pulled: nobody is told. */
  async cut() {
    const { up, down } = this.#conditions;
    await this.#order({ up: { ...up, cut: true }, down: { ...down, cut: true } });
  }

  /**
   * Undoes {@link cut}.
   * @param {{ rebind?: boolean }} [options] `rebind`: packets reach the server from other ports than before, as from behind
   * a router that has forgotten its table. UDP only
   */
  async mend({ rebind = false } = {}) {
    await this.#order({ ...this.#conditions, rebind });
  }

  /** TCP: breaks every connection by a reset, and refuses new ones. */
  async refuse() {
    await this.#order({ refuse: true });
  }

  /** TCP: accepts connections again. */
  async accept() {
    await this.#order({ refuse: false });
  }
}

/**
 * Starts a link to an address of the server. It ends with the scope.
 * @param {import('./scope.mjs').Scope} scope
 * @param {'udp' | 'tcp'} kind
 * @param {string} address `host:port`
 * @param {Directions & { seed?: number }} [options]
 */
export async function startLink(scope, kind, address, { seed = 1, ...directions } = {}) {
  const child = scope.spawn(program(), [kind, address, String(seed)], { stdio: ['pipe', 'pipe', 'pipe'] });
  const link = await new Link(child).ready();
  if (Object.keys(directions).length > 0) await link.set(directions);
  return link;
}
