import { button, el } from '../dom.js';
import { joinLink } from '../place.js';
import { copyButton } from '../copy.js';
import { panels } from '../panels/panels.js';
import { Collector } from '../stats/collector.js';
import { Actions } from './actions.js';
import { banners } from './banners.js';
import { dock } from './dock.js';
import { Stage } from './stage.js';
import { topBar } from './top.js';

/**
 * What one sees in the room.
 *
 * @param {import('../context.js').Context} context
 */
export function call(context) {
  const { store } = context;
  const collector = new Collector(context);
  const actions = new Actions(context);
  const stage = new Stage(context, collector);
  const alone = aloneCard(store);
  const element = el(
    'div',
    { class: 'call', testid: 'call' },
    topBar(context, collector),
    banners(context),
    el('main', { class: 'call-main' }, stage.element, alone, panels(context, collector)),
    dock(context, actions),
  );
  store.watch(
    ({ others, self, panel }) => [others.length, self?.role, panel],
    ({ others, self, panel }) => {
      alone.hidden = others.length > 0 || self?.role !== 'host' || panel !== null;
      element.classList.toggle('with-panel', panel !== null);
    },
  );
  return element;
}

/** @param {import('../context.js').Context['store']} store */
function aloneCard(store) {
  return el(
    'aside',
    { class: 'alone', testid: 'alone' },
    el('h2', { say: 'call.alone' }),
    el('p', { say: 'call.alone.hint' }),
    el(
      'div',
      { class: 'actions' },
      copyButton({ class: 'primary', say: 'lobby.link', text: () => joinLink(location.origin, { ...store.state.place, role: 'host' }) }),
      button({ class: 'quiet', icon: 'bridge', say: 'control.bring', on: { click: () => store.set({ panel: 'bring' }) } }),
    ),
  );
}
