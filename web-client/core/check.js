/** Checks of values that come from elsewhere, from which the types of the protocol follow. */

/**
 * Returns the value as what it is, or throws a Misfit.
 *
 * @template T
 * @typedef {(value: unknown) => T} Check
 */

/**
 * What a check returns.
 *
 * @template C
 * @typedef {C extends (value: unknown) => infer T ? T : never} Value
 */

/**
 * An object with these fields; those that may be undefined may be absent.
 *
 * @template S
 * @typedef {{ [K in keyof S as undefined extends Value<S[K]> ? never : K]: Value<S[K]> }
 *   & { [K in keyof S as undefined extends Value<S[K]> ? K : never]?: Value<S[K]> }} Fields
 */

/** A value that is not what it should be. */
export class Misfit extends Error {
  /**
   * @param {string} expected
   * @param {string} [field] the path to it
   */
  constructor(expected, field = '') {
    super(field === '' ? `expected ${expected}` : `${field}: expected ${expected}`);
    this.name = 'Misfit';
    this.expected = expected;
    this.field = field;
  }
}

/**
 * Any text, of at most so many bytes in UTF-8.
 *
 * @param {number} [maxBytes]
 * @param {number} [minBytes]
 * @returns {Check<string>}
 */
export function text(maxBytes = Infinity, minBytes = 0) {
  return (value) => {
    if (typeof value !== 'string') throw new Misfit('a text');
    const bytes = maxBytes === Infinity ? value.length : utf8Length(value);
    if (bytes > maxBytes || bytes < minBytes) throw new Misfit(`a text of ${minBytes} to ${maxBytes} bytes`);
    return value;
  };
}

/** @type {Check<boolean>} */
export function flag(value) {
  if (typeof value !== 'boolean') throw new Misfit('true or false');
  return value;
}

/**
 * @param {number} [min]
 * @param {number} [max]
 * @returns {Check<number>} of whole numbers that JSON carries exactly
 */
export function whole(min = 0, max = Number.MAX_SAFE_INTEGER) {
  return (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new Misfit(`a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

/** @type {Check<number>} */
export function number(value) {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new Misfit('a number from 0');
  return value;
}

/**
 * @template {string | number} const T
 * @param {readonly T[]} words
 * @returns {Check<T>}
 */
export function oneOf(...words) {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw new Misfit(`one of ${words.join(', ')}`);
    return found;
  };
}

/**
 * @template T
 * @param {Check<T>} check
 * @returns {Check<T | undefined>}
 */
export function optional(check) {
  return (value) => (value === undefined ? undefined : check(value));
}

/**
 * @template T
 * @param {Check<T>} check
 * @returns {Check<T | null>}
 */
export function nullable(check) {
  return (value) => (value === null ? null : check(value));
}

/**
 * @template A, B
 * @param {Check<A>} first
 * @param {Check<B>} second is asked if the first does not take the value
 * @returns {Check<A | B>}
 */
export function either(first, second) {
  return (value) => {
    try {
      return first(value);
    } catch (cause) {
      if (!(cause instanceof Misfit)) throw cause;
      return second(value);
    }
  };
}

/**
 * @template T
 * @param {Check<T>} check
 * @param {number} [maxLength]
 * @returns {Check<T[]>}
 */
export function list(check, maxLength = Infinity) {
  return (value) => {
    if (!Array.isArray(value) || value.length > maxLength) throw new Misfit(`a list of at most ${maxLength}`);
    return value.map((item, index) => within(String(index), () => check(item)));
  };
}

/**
 * An object whose names are data.
 *
 * @template T
 * @param {Check<T>} check
 * @param {number} [maxSize]
 * @returns {Check<Record<string, T>>}
 */
export function record(check, maxSize = Infinity) {
  return (value) => {
    const entries = Object.entries(objectOf(value));
    if (entries.length > maxSize) throw new Misfit(`an object of at most ${maxSize}`);
    // Unlike an assignment, this makes a plain property of every name, `__proto__` too.
    return Object.fromEntries(entries.map(([name, item]) => [name, within(name, () => check(item))]));
  };
}

/**
 * An object with these fields. Others are passed over.
 *
 * @template {Record<string, Check<unknown>>} S
 * @param {S} shape
 * @returns {Check<Fields<S>>}
 */
export function fields(shape) {
  const checks = Object.entries(shape);
  return (value) => {
    const object = objectOf(value);
    /** @type {Record<string, unknown>} */
    const checked = {};
    for (const [name, check] of checks) {
      const item = within(name, () => check(Reflect.get(object, name)));
      if (item !== undefined) checked[name] = item;
    }
    return /** @type {Fields<S>} */ (checked);
  };
}

/**
 * @param {string} string
 * @returns {number} its bytes in UTF-8; half a surrogate pair counts as the replacement that is sent for it
 */
export function utf8Length(string) {
  let bytes = 0;
  for (const character of string) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) bytes += 1;
    else if (point < 0x800) bytes += 2;
    else bytes += point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/**
 * @param {unknown} value
 * @returns {object}
 */
function objectOf(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Misfit('an object');
  return value;
}

/**
 * Says in a Misfit where it was.
 *
 * @template T
 * @param {string} name
 * @param {() => T} check
 * @returns {T}
 */
function within(name, check) {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof Misfit)) throw cause;
    throw new Misfit(cause.expected, cause.field === '' ? name : `${name}.${cause.field}`);
  }
}
