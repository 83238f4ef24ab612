import { el } from '../dom.js';
import { number, put, say } from '../say.js';
import { drawChart } from './chart.js';
import { FIGURES } from './figures.js';

/** @typedef {import('./figures.js').Figure} Figure */

/** The least height of each chart's scale, so that small changes of small values stay small. */
const LEAST = /** @type {const} */ ({ bitrate: 100_000, fps: 15, loss: 5, jitter: 20, rtt: 50, latency: 200 });

/** From which value on a figure is worth a warning; frame rate has none, as cameras differ. */
const WARN = /** @type {Readonly<Partial<Record<Figure, number>>>} */ ({ loss: 3, jitter: 60, rtt: 300, latency: 600 });

/**
 * @param {number | null} bitsPerSecond
 */
export function bitrateText(bitsPerSecond) {
  if (bitsPerSecond === null) return say('stats.unknown');
  if (bitsPerSecond >= 999_500) return say('stats.mbps', { value: number(bitsPerSecond / 1e6, 1) });
  return say('stats.kbps', { value: number(bitsPerSecond / 1000) });
}

/**
 * @param {Figure} figure
 * @param {number | null} value
 */
export function figureText(figure, value) {
  if (value === null) return say('stats.unknown');
  if (figure === 'bitrate') return bitrateText(value);
  if (figure === 'fps') return number(value);
  if (figure === 'loss') return say('stats.percent', { value: number(value, value > 0 && value < 10 ? 1 : 0) });
  return say('stats.ms', { value: number(value) });
}

/** The statistics of one tile: a row with a small chart for each figure. */
export class StatsOverlay {
  #detail = el('p', { class: 'detail' });
  #rows;
  element;

  constructor() {
    this.#rows = FIGURES.map((figure) => {
      const canvas = el('canvas', { attr: { 'aria-hidden': 'true' } });
      const value = el('span', { class: 'value' });
      const row = el('div', { class: `figure ${figure}`, attr: { 'data-figure': figure } }, el('span', { class: 'name', say: `stats.${figure}` }), canvas, value);
      return { figure, canvas, value, row };
    });
    this.element = el('div', { class: 'stats', testid: 'stats', attr: { role: 'group' } }, this.#detail, ...this.#rows.map(({ row }) => row));
  }

  /**
   * @param {import('./collector.js').Minute | undefined} minute
   * @param {string} name whose they are
   */
  show(minute, name) {
    put(this.element, 'stats.title', { name }, 'aria-label');
    this.#detail.textContent = minute?.detail ?? '';
    this.#detail.hidden = this.#detail.textContent === '';
    for (const { figure, canvas, value, row } of this.#rows) {
      const series = minute?.series[figure];
      // What this side cannot measure, such as the latency of one's own picture, takes no place.
      row.hidden = !series || series.empty;
      if (!series || row.hidden) continue;
      value.textContent = figureText(figure, series.last);
      row.classList.toggle('warn', (series.last ?? 0) >= (WARN[figure] ?? Infinity));
      drawChart(canvas, series.values, LEAST[figure]);
    }
  }
}
