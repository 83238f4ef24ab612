import { el, button } from './dom.js';
import { inWords } from './failure.js';
import { icon } from './icons.js';
import { say } from './say.js';

/** How long a notice stays. What went wrong takes longer to read. */
const STAYS_MS = { info: 4000, good: 3000, bad: 8000 };
/** More would hide the call. */
const MOST = 4;

/** @typedef {'info' | 'good' | 'bad'} Level */
const ICONS = /** @type {const} */ ({ info: 'info', good: 'check', bad: 'alert' });

/** Short news at the edge of the page, and news for the ear alone. */
export class Notices {
  // A live region has to be there before what it says.
  #list = el('div', { class: 'notices', testid: 'notices', attr: { role: 'log', 'aria-live': 'polite' } });
  #unseen = el('div', { class: 'unseen', testid: 'announcer', attr: { 'aria-live': 'polite' } });

  constructor() {
    document.body.append(this.#list, this.#unseen);
  }

  /**
   * @param {Level} level
   * @param {import('./say.js').Key} key
   * @param {import('./say.js').Parameters} [parameters]
   */
  tell(level, key, parameters) {
    this.#show(level, say(key, parameters));
  }

  /** @param {import('./failure.js').Failure} failure */
  fail(failure) {
    this.#show('bad', inWords(failure));
  }

  /**
   * For screen readers: what the others see happen.
   *
   * @param {import('./say.js').Key} key
   * @param {import('./say.js').Parameters} [parameters]
   */
  announce(key, parameters) {
    this.#unseen.textContent = say(key, parameters);
  }

  /**
   * @param {Level} level
   * @param {string} text
   */
  #show(level, text) {
    const same = [...this.#list.children].find((notice) => notice.querySelector('p')?.textContent === text);
    same?.remove();
    const notice = el('div', { class: `notice ${level}` }, icon(ICONS[level]), el('p', { text }));
    const remove = () => notice.remove();
    notice.append(button({ class: 'bare', icon: 'close', label: 'panel.close', on: { click: remove } }));
    this.#list.append(notice);
    while (this.#list.childElementCount > MOST) this.#list.firstElementChild?.remove();
    setTimeout(remove, STAYS_MS[level]);
  }
}
