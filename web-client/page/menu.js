import { el } from './dom.js';
import { icon } from './icons.js';
import { put } from './say.js';

/**
 * @typedef {object} MenuItem
 * @property {import('./say.js').Key} [say]
 * @property {string} [text] instead, in no language
 * @property {import('./icons.js').IconName} [icon]
 * @property {boolean} [checked] one of a choice
 * @property {boolean} [danger]
 * @property {boolean} [heading] a caption, which cannot be chosen
 * @property {string} [testid]
 * @property {() => void} [act]
 */

/** Least distance from the edge of the window. */
const MARGIN = 8;

/** @type {(() => void) | null} */
let closeOpen = null;

/**
 * Opens a menu at a button, or closes it if it is open. Arrow keys move in it, Escape closes it and goes back.
 *
 * @param {HTMLElement} opener
 * @param {readonly MenuItem[]} items
 */
export function toggleMenu(opener, items) {
  const wasOpen = opener.getAttribute('aria-expanded') === 'true';
  closeOpen?.();
  if (wasOpen) return;
  const menu = el('div', { class: 'menu', testid: 'menu', attr: { role: 'menu', tabindex: '-1' } });
  for (const item of items) menu.append(entry(item, () => close(true)));
  const abort = new AbortController();

  /** @param {boolean} back whether the keyboard goes back to the button */
  function close(back) {
    closeOpen = null;
    abort.abort();
    menu.remove();
    opener.setAttribute('aria-expanded', 'false');
    if (back) opener.focus();
  }

  closeOpen = () => close(false);
  opener.setAttribute('aria-haspopup', 'menu');
  opener.setAttribute('aria-expanded', 'true');
  document.body.append(menu);
  position(menu, opener);
  const options = { signal: abort.signal };
  menu.addEventListener('keydown', (event) => onKey(event, menu, close), options);
  addEventListener('resize', () => close(false), options);
  document.addEventListener(
    'pointerdown',
    ({ target }) => {
      if (target instanceof Node && !menu.contains(target) && !opener.contains(target)) close(false);
    },
    { capture: true, ...options },
  );
  menu.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !menu.contains(relatedTarget)) close(false);
  }, options);
  const first = menu.querySelector('button');
  if (first instanceof HTMLElement) first.focus();
}

/** Closes the menu that is open, if any. */
export function closeMenu() {
  closeOpen?.();
}

/** @param {MenuItem} item @param {() => void} close */
function entry({ say, text, icon: image, checked, danger, heading, testid, act }, close) {
  const words = el('span', text === undefined ? {} : { text });
  if (say) put(words, say);
  if (heading) return el('div', { class: 'menu-heading', attr: { role: 'presentation' } }, words);
  const choice = checked !== undefined;
  const button = el('button', {
    class: danger ? 'danger' : '',
    ...(testid ? { testid } : {}),
    attr: {
      type: 'button',
      role: choice ? 'menuitemradio' : 'menuitem',
      tabindex: '-1',
      ...(choice ? { 'aria-checked': String(checked) } : {}),
    },
    on: {
      click: () => {
        close();
        act?.();
      },
    },
  });
  if (choice) button.append(checked ? icon('check') : el('i'));
  else if (image) button.append(icon(image));
  button.append(words);
  return button;
}

/** @param {HTMLElement} menu @param {HTMLElement} opener */
function position(menu, opener) {
  const at = opener.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.min(Math.max(MARGIN, at.left + at.width / 2 - width / 2), innerWidth - width - MARGIN);
  const above = at.top - height - MARGIN;
  const below = at.bottom + MARGIN;
  const top = above >= MARGIN && at.top > innerHeight / 2 ? above : Math.min(below, innerHeight - height - MARGIN);
  menu.style.left = `${Math.max(MARGIN, left)}px`;
  menu.style.top = `${Math.max(MARGIN, top)}px`;
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} menu
 * @param {(back: boolean) => void} close
 */
function onKey(event, menu, close) {
  const buttons = [...menu.querySelectorAll('button')];
  const at = buttons.findIndex((button) => button === document.activeElement);
  const steps = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 });
  const step = steps[event.key];
  if (step !== undefined) buttons.at(step % buttons.length)?.focus();
  else if (event.key === 'Escape') close(true);
  else if (event.key === 'Tab') return close(false);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
