/** Lines and errors kept; older ones go. A program that logs every frame must not eat the memory. */
const MAX_KEPT = 10_000;
/** Lines that go into the error of a wait. */
const RECENT = 10;

/**
 * @typedef {object} Failure something that the program's code has not caught
 * @property {string} message
 * @property {string} where such as `pages/index/index onLoad`
 * @property {string} [stack]
 * @property {unknown} error what was thrown
 */

/** What a mini-program has logged and what it has failed at. Media URLs lose their query: it carries tickets. */
export class Journal {
  #log;
  /** @type {Failure[]} */
  errors = [];
  /** @type {{level: string, text: string}[]} */
  console = [];

  /** @param {(line: string) => void} log */
  constructor(log) {
    this.#log = log;
  }

  /**
   * A line of the program.
   *
   * @param {string} level
   * @param {string} text
   */
  say(level, text) {
    const line = withoutQueries(text);
    keep(this.console, {level, text: line});
    this.#log(`${level} ${line}`);
  }

  /**
   * A line of the emulator.
   *
   * @param {string} line
   */
  note(line) {
    this.#log(withoutQueries(line));
  }

  /**
   * @param {any} error
   * @param {string} where
   * @returns {Failure}
   */
  fail(error, where) {
    const message = withoutQueries(String(error?.message ?? error?.errMsg ?? describe(error)));
    const stack = typeof error?.stack === 'string' ? withoutQueries(error.stack) : undefined;
    const failure = {message, where, stack, error};
    keep(this.errors, failure);
    this.#log(`error ${where}: ${stack ?? message}`);
    return failure;
  }

  /** @returns {string} errors and the last lines, for somebody who wonders */
  recent() {
    const errors = this.errors.map(({where, message}) => `error in ${where}: ${message}`);
    return [...errors, ...this.console.slice(-RECENT).map(({level, text}) => `${level} ${text}`)].join('\n');
  }
}

/** @param {string} text */
function withoutQueries(text) {
  return text.replace(/\b([a-z]{2,8}:\/\/[^\s"'?]+)\?[^\s"']*/g, '$1');
}

/** @param {unknown} reason */
function describe(reason) {
  try {
    return JSON.stringify(reason) ?? String(reason);
  } catch {
    return String(reason);
  }
}

/**
 * @template T
 * @param {T[]} list
 * @param {T} item
 */
function keep(list, item) {
  list.push(item);
  if (list.length > MAX_KEPT) list.shift();
}
