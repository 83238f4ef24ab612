/** How much a chart shows, one value a second. */
export const SECONDS = 60;

/** The values of the last minute, oldest first; null where nothing was measured. */
export class Series {
  /** @type {(number | null)[]} */
  #values = [];

  /** @param {number | null} value */
  push(value) {
    this.#values.push(value);
    if (this.#values.length > SECONDS) this.#values.shift();
  }

  get values() {
    return this.#values;
  }

  /** @returns {number | null} */
  get last() {
    return this.#values.at(-1) ?? null;
  }

  get empty() {
    return this.#values.every((value) => value === null);
  }
}

/**
 * The end of a chart's scale: a round number above all values.
 *
 * @param {readonly (number | null)[]} values
 * @param {number} least never below this, so that noise stays flat
 */
export function ceiling(values, least) {
  const top = Math.max(least, ...values.map((value) => value ?? 0));
  const power = 10 ** Math.floor(Math.log10(top));
  const step = [1, 1.5, 2, 3, 5, 7.5, 10].find((factor) => factor * power >= top) ?? 10;
  return step * power;
}
