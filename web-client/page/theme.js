import { recall, remember } from './memory.js';

/** @typedef {'auto' | 'light' | 'dark'} Theme */

/** Light or dark: as chosen, or as the system has it. `early.js` has set it already by the time the page is shown. */
export class Appearance {
  #dark = matchMedia('(prefers-color-scheme: dark)');
  /** @type {Theme} */
  #theme;

  constructor() {
    const kept = recall('theme');
    this.#theme = kept === 'light' || kept === 'dark' ? kept : 'auto';
    this.#dark.addEventListener('change', () => this.#show());
    this.#show();
  }

  get theme() {
    return this.#theme;
  }

  /** @param {Theme} theme */
  choose(theme) {
    this.#theme = theme;
    remember('theme', theme);
    this.#show();
  }

  #show() {
    const dark = this.#theme === 'dark' || (this.#theme === 'auto' && this.#dark.matches);
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  }
}
