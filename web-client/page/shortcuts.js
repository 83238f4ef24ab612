import { dialogOpen, show } from './dialogs.js';
import { el } from './dom.js';

/** @typedef {import('./say.js').Key} Key */

/**
 * @typedef {object} Shortcut
 * @property {string} key
 * @property {Key} say
 * @property {() => void} act
 */

/** Listens for single keys, where nothing is being written. */
export class Shortcuts {
  #list;

  /** @param {readonly Shortcut[]} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it was one */
  handle(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || dialogOpen() || writes(event.target)) return false;
    const found = this.#list.find(({ key }) => key === event.key.toUpperCase());
    if (!found) return false;
    event.preventDefault();
    found.act();
    return true;
  }

  /** Shows what there is. */
  help() {
    const rows = this.#list.map(({ key, say }) => row([key], say));
    rows.push(row(['Tab'], 'help.tab'), row(['Esc'], 'help.esc'));
    show('help.title', [el('dl', { class: 'keys' }, ...rows), el('p', { class: 'hint', say: 'help.hint' })], 'help');
  }
}

/** @param {string[]} keys @param {Key} say */
function row(keys, say) {
  return el('div', {}, el('dt', {}, ...keys.map((text) => el('kbd', { text }))), el('dd', { say }));
}

/** @param {EventTarget | null} target */
function writes(target) {
  if (!(target instanceof HTMLElement)) return false;
  const typed = target instanceof HTMLInputElement && !['radio', 'checkbox', 'range'].includes(target.type);
  return typed || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}
