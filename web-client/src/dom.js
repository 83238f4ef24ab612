/** Small things that every part of the page needs from the document. */

/**
 * The element with an id. The page and its script are served together, so a missing one is a mistake in either.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{ new (): T }} type
 * @returns {T}
 */
export function find(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`the page has no ${type.name} with the id ${id}`);
  return element;
}

/**
 * Shows one of two buttons and keeps the keyboard on what is there.
 *
 * @param {HTMLButtonElement} shown
 * @param {HTMLButtonElement} hidden
 */
export function swap(shown, hidden) {
  const focused = document.activeElement === hidden;
  shown.hidden = false;
  hidden.hidden = true;
  if (focused) shown.focus();
}
