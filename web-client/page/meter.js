import { el } from './dom.js';
import { meterFill } from './model.js';

/** Bars of a level meter. */
const BARS = 24;
/** How fast a meter falls, of its height per reading. */
const FALL = 0.12;

/** A row of bars that follows a microphone. */
export class Meter {
  #bars = Array.from({ length: BARS }, () => el('i'));
  #fill = 0;
  #lit = -1;
  element = el('div', { class: 'meter', testid: 'meter', label: 'lobby.level', attr: { role: 'meter', 'aria-valuemin': '0', 'aria-valuemax': '100' } });

  constructor() {
    this.element.append(...this.#bars);
    this.show(0);
  }

  /** @param {number} level 0 to 1 */
  show(level) {
    this.#fill = Math.max(meterFill(level), this.#fill - FALL, 0);
    const lit = Math.round(this.#fill * BARS);
    if (lit === this.#lit) return;
    this.#lit = lit;
    this.#bars.forEach((bar, index) => bar.classList.toggle('lit', index < lit));
    this.element.setAttribute('aria-valuenow', String(Math.round((lit / BARS) * 100)));
  }
}
