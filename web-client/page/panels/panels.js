import { button, el } from '../dom.js';
import { bringPanel } from './bring.js';
import { chatPanel } from './chat.js';
import { logPanel } from './log.js';
import { peoplePanel } from './people.js';
import { settingsPanel } from './settings.js';

/** @typedef {import('../state.js').PanelName} PanelName */

const MAKERS = { people: peoplePanel, chat: chatPanel, bring: bringPanel, log: logPanel, settings: settingsPanel };
const TITLES = /** @type {const} */ ({
  people: 'people.title',
  chat: 'chat.title',
  bring: 'bring.title',
  log: 'log.title',
  settings: 'settings.title',
});

/**
 * The side of the call. A panel is made when it is opened first, and kept.
 *
 * @param {import('../context.js').Context} context
 * @param {import('../stats/collector.js').Collector} collector
 */
export function panels(context, collector) {
  const { store } = context;
  /** @type {Map<PanelName, HTMLElement>} */
  const made = new Map();
  const side = el('div', { class: 'side', testid: 'side' });
  /** @type {Element | null} */
  let opener = null;
  store.watch(
    ({ panel }) => [panel],
    ({ panel }) => {
      const before = [...made.values()].find((section) => !section.hidden);
      if (!before && panel) opener = document.activeElement;
      for (const section of made.values()) section.hidden = true;
      side.hidden = panel === null;
      if (panel === null) {
        if (before && opener instanceof HTMLElement && opener.isConnected) opener.focus();
        return;
      }
      const section = made.get(panel) ?? frame(panel, MAKERS[panel](context, collector), () => store.set({ panel: null }));
      if (!made.has(panel)) side.append(section);
      made.set(panel, section);
      section.hidden = false;
      const field = section.querySelector('textarea') ?? section.querySelector('button');
      if (field instanceof HTMLElement) field.focus({ preventScroll: true });
    },
  );
  return side;
}

/** @param {PanelName} name @param {HTMLElement} body @param {() => void} close */
function frame(name, body, close) {
  const id = `panel-${name}`;
  return el(
    'section',
    { class: 'panel', testid: id, attr: { 'aria-labelledby': id } },
    el(
      'header',
      { class: 'panel-head' },
      el('h2', { id, say: TITLES[name] }),
      button({ class: 'bare', icon: 'close', label: 'panel.close', testid: 'panel-close', on: { click: close } }),
    ),
    body,
  );
}
