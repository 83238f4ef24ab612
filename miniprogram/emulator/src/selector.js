/**
 * Selectors that scripts find elements by. They see the page as a user does, with components opened:
 * `tag`, `#id`, `.class`, `[attribute]`, `[attribute="value"]`, `[data-key="value"]`, in one step or separated by a
 * space (anywhere below) or `>` (directly below), and `,` for either.
 *
 * @typedef {object} Step
 * @property {string} [tag]
 * @property {string} [id]
 * @property {string[]} classes
 * @property {[string, string | undefined][]} attributes name, and its value if it matters
 * @property {boolean} direct right below the step before
 */

const STEP = /^([a-zA-Z][\w-]*|\*)?((?:#[\w-]+|\.[\w-]+|\[[\w-]+(?:=(?:"[^"]*"|'[^']*'))?\])*)$/;
const PART = /#([\w-]+)|\.([\w-]+)|\[([\w-]+)(?:=(?:"([^"]*)"|'([^']*)'))?\]/g;

/**
 * @param {string} selector
 * @returns {Step[][]} what each of the alternatives asks for
 * @throws {Error} if it cannot be understood
 */
export function parseSelector(selector) {
  const alternatives = splitOutside(selector, ',');
  if (alternatives.length === 0) throw new Error(`selector "${selector}" is empty`);
  return alternatives.map((alternative) => {
    /** @type {Step[]} */
    const steps = [];
    let direct = false;
    for (const word of splitOutside(alternative, ' ')) {
      if (word === '>') {
        direct = true;
        continue;
      }
      steps.push(parseStep(word, direct, selector));
      direct = false;
    }
    if (steps.length === 0 || direct) throw new Error(`selector "${selector}" ends early`);
    return steps;
  });
}

/**
 * @param {string} word
 * @param {boolean} direct
 * @param {string} selector
 * @returns {Step}
 */
function parseStep(word, direct, selector) {
  const match = STEP.exec(word);
  if (!match) throw new Error(`selector "${selector}": "${word}" is not understood`);
  /** @type {Step} */
  const step = {classes: [], attributes: [], direct};
  if (match[1] && match[1] !== '*') step.tag = match[1];
  for (const [, id, name, attribute, double, single] of (match[2] ?? '').matchAll(PART)) {
    if (id) step.id = id;
    if (name) step.classes.push(name);
    if (attribute) step.attributes.push([attribute, double ?? single]);
  }
  return step;
}

/**
 * @param {string} text
 * @param {',' | ' '} separator
 * @returns {string[]} the parts that are not empty; between words `>` is a part of its own; quotes keep theirs
 *     together
 */
function splitOutside(text, separator) {
  const parts = [''];
  let quote = '';
  for (const char of text) {
    if (quote ? char === quote : char === '"' || char === '\'') quote = quote ? '' : char;
    if (!quote && char === separator) parts.push('');
    else if (!quote && char === '>' && separator === ' ') parts.push('>', '');
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/**
 * @template T
 * @param {T[]} path from the outermost element to the one in question
 * @param {Step[]} steps
 * @param {(element: T, step: Step) => boolean} matches
 * @returns {boolean}
 */
export function matchesPath(path, steps, matches) {
  const step = steps.at(-1);
  if (path.length === 0 || !step || !matches(/** @type {T} */ (path.at(-1)), step)) return false;
  if (steps.length === 1) return true;
  const above = steps.slice(0, -1);
  for (let end = path.length - 1; end > 0; end -= 1) {
    if (matchesPath(path.slice(0, end), above, matches)) return true;
    if (step.direct) return false;
  }
  return false;
}
