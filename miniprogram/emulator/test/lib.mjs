import {launch} from '../src/index.js';

/** Time that passes when a test says so. What is due at once runs in the next turn, as a frame does. */
export class VirtualClock {
  #now = 0;
  #next = 1;
  /** @type {Map<number, {at: number, run: () => void}>} */
  #timers = new Map();

  now = () => this.#now;

  /**
   * @param {() => void} run
   * @param {number} ms
   */
  setTimeout = (run, ms) => {
    const id = this.#next++;
    this.#timers.set(id, {at: this.#now + Math.max(0, ms), run});
    if (ms <= 0) setImmediate(() => this.#runDue());
    return id;
  };

  /** @param {any} id */
  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  /** @returns {number} timers that are set */
  get pending() {
    return this.#timers.size;
  }

  /** @param {number} ms */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const next = Math.min(...[...this.#timers.values()].map(({at}) => at));
      if (!(next <= end)) break;
      this.#now = Math.max(this.#now, next);
      this.#runDue();
      await turns();
    }
    this.#now = end;
  }

  #runDue() {
    const due = [...this.#timers].filter(([, {at}]) => at <= this.#now).sort(([, a], [, b]) => a.at - b.at);
    for (const [id, {run}] of due) if (this.#timers.delete(id)) run();
  }
}

/** Lets promises, frames and what follows from them happen. */
export async function turns() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Notes what it is told, in place of a LivePusher or LivePlayer.
 */
export class NotedMedia {
  /** @type {any[][]} */
  notes = [];
  state = {phase: 'idle'};

  /**
   * @param {any} host
   * @param {Record<string, any>} attributes
   */
  constructor(host, attributes) {
    this.host = host;
    this.attributes = attributes;
  }

  /** @param {Record<string, any>} changes */
  set(changes) {
    this.notes.push(['set', changes]);
  }

  /**
   * @param {string} method
   * @param {any} options
   * @returns {Promise<any>}
   */
  async call(method, options) {
    this.notes.push(['call', method, options]);
    if (method === 'pause') throw {errMsg: 'operateLivePusher:fail not pushing'};
    return method === 'snapshot' ? {tempImagePath: 'x.jpg', width: 1, height: 2} : {};
  }

  /** @param {boolean} on */
  background(on) {
    this.notes.push(['background', on]);
  }

  /** @param {boolean} on */
  hidden(on) {
    this.notes.push(['hidden', on]);
  }

  lose() {
    this.notes.push(['lose']);
  }

  async close() {
    this.notes.push(['close']);
  }
}

/**
 * @param {import('../src/index.js').Emulator} emulator that `run` has launched
 * @returns {NotedMedia[]}
 */
export function notedPushers(emulator) {
  return /** @type {any} */ (emulator.pushers());
}

/**
 * @param {import('../src/index.js').Emulator} emulator that `run` has launched
 * @returns {NotedMedia[]}
 */
export function notedPlayers(emulator) {
  return /** @type {any} */ (emulator.players());
}

/**
 * Runs a program made of a few files, in virtual time and without ffmpeg. A page is `NAME.js` and `NAME.wxml`; app.json
 * names all of them unless it is given.
 *
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} files
 * @param {Partial<import('../src/index.js').LaunchOptions>} [options]
 */
export async function run(t, files, options = {}) {
  const clock = new VirtualClock();
  const pages = Object.keys(files).filter((name) => /^[^/]+\.wxml$/.test(name)).map((name) => name.slice(0, -5));
  const all = new Map(Object.entries({'app.json': JSON.stringify({pages}), ...files}));
  const emulator = await launch({
    dir: {files: all}, clock, media: {LivePusher: NotedMedia, LivePlayer: NotedMedia}, device: {camera: {}}, ...options,
  });
  t.after(() => emulator.close());
  return {emulator, clock, lines: () => emulator.console.map(({text}) => text)};
}
