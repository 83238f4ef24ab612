import {matchesPath, parseSelector} from './selector.js';

/**
 * @param {any} element of glass-easel
 * @returns {string} all text in it, as it is on the screen
 */
export function textOf(element) {
  let text = '';
  visible(element, (node) => {
    if (!isElement(node)) text += node.textContent;
  });
  return text;
}

/**
 * @param {any} element
 * @param {number} [depth]
 * @returns {string} the tree below it, one element a line, two spaces a level
 */
export function snapshot(element, depth = 0) {
  const lines = [];
  for (const child of element.getComposedChildren()) {
    if (!isElement(child)) {
      const text = child.textContent.trim();
      if (text) lines.push(`${'  '.repeat(depth)}${JSON.stringify(text)}\n`);
    } else if (isVirtual(child)) {
      lines.push(snapshot(child, depth));
    } else {
      lines.push(`${'  '.repeat(depth)}<${describe(child)}>\n${snapshot(child, depth + 1)}`);
    }
  }
  return lines.join('');
}

/**
 * @param {any} root
 * @param {string} selector see selector.js
 * @returns {any[]} elements below the root, in the order of the tree
 */
export function findElements(root, selector) {
  const alternatives = parseSelector(selector);
  /** @type {any[]} */
  const found = [];
  walk(root, [], (path) => {
    if (alternatives.some((steps) => matchesPath(path, steps, matches))) found.push(path.at(-1));
  });
  return found;
}

/**
 * @param {any} root
 * @returns {any[]} all elements below it, in the order of the tree
 */
export function elementsIn(root) {
  /** @type {any[]} */
  const found = [];
  walk(root, [], (path) => found.push(path.at(-1)));
  return found;
}

/**
 * @param {any} element
 * @returns {any} the element around it on the screen; undefined for the root of a page
 */
export function parentOf(element) {
  let at = element.getComposedParent();
  while (at && isVirtual(at)) at = at.getComposedParent();
  return at ?? undefined;
}

/**
 * @param {any} element
 * @param {any[]} path
 * @param {(path: any[]) => void} visit
 */
function walk(element, path, visit) {
  for (const child of element.getComposedChildren()) {
    if (!isElement(child)) continue;
    const to = isVirtual(child) ? path : [...path, child];
    if (to !== path) visit(to);
    walk(child, to, visit);
  }
}

/**
 * @param {any} element
 * @returns {Record<string, any>} attributes of a plain element, data and properties of a component
 */
export function attributesOf(element) {
  if (element.data) return {...element.data};
  return Object.fromEntries(element.attributes.map((/** @type {any} */ {name, value}) => [name, value]));
}

/**
 * @param {any} element
 * @param {import('./selector.js').Step} step
 */
function matches(element, step) {
  if (step.tag !== undefined && step.tag !== tagOf(element)) return false;
  if (step.id !== undefined && step.id !== element.id) return false;
  const classes = classesOf(element);
  if (!step.classes.every((name) => classes.includes(name))) return false;
  if (step.attributes.length === 0) return true;
  const attributes = attributesOf(element);
  return step.attributes.every(([name, value]) => {
    const camel = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    const actual = name.startsWith('data-') ? element.dataset[camel.slice(4, 5).toLowerCase() + camel.slice(5)]
      : attributes[name] ?? attributes[camel];
    return value === undefined ? actual !== undefined && actual !== null : String(actual) === value;
  });
}

/** @param {any} element */
export function tagOf(element) {
  return element.tagName ?? element.is;
}

/** @param {any} element */
function classesOf(element) {
  return element.class.split(/\s+/).filter(Boolean);
}

/** @param {any} element */
function describe(element) {
  const parts = [tagOf(element)];
  if (element.id) parts.push(`#${element.id}`);
  for (const name of classesOf(element)) parts.push(`.${name}`);
  for (const [name, value] of Object.entries(attributesOf(element))) {
    if (value !== null && value !== '' && value !== undefined) parts.push(` ${name}=${print(value)}`);
  }
  return parts.join('');
}

/** @param {unknown} value */
function print(value) {
  try {
    return JSON.stringify(value, (_, inner) => withoutQuery(inner));
  } catch {
    // A component may keep anything in its data, contexts and cycles included.
    return '…';
  }
}

/** Media URLs carry tickets in their query. @param {unknown} value */
function withoutQuery(value) {
  return typeof value === 'string' && /^[a-z]+:\/\//.test(value) ? value.split('?')[0] : value;
}

/** @param {any} node */
function isElement(node) {
  return node.childNodes !== undefined;
}

/** Nodes that a template has made for its own sake. @param {any} node */
function isVirtual(node) {
  return node.is === 'shadow' || node.is === 'slot' || node.is === 'virtual' || node.is.startsWith('wx:');
}

/**
 * @param {any} element
 * @param {(node: any) => void} visit
 */
function visible(element, visit) {
  for (const child of element.getComposedChildren()) {
    visit(child);
    if (isElement(child)) visible(child, visit);
  }
}
