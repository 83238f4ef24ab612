import { deviceChoices } from '../devices-view.js';
import { el } from '../dom.js';
import { languageChoice, themeChoice } from '../looks.js';

/** @param {import('../context.js').Context} context */
export function settingsPanel(context) {
  const { store, appearance } = context;
  const mirror = el('input', {
    testid: 'mirror',
    attr: { type: 'checkbox' },
    on: { change: () => store.set({ mirror: mirror.checked }) },
  });
  mirror.checked = store.state.mirror;
  return el(
    'div',
    { class: 'panel-body settings' },
    el('section', { class: 'card' }, el('h3', { say: 'settings.devices' }), deviceChoices(context, { withQuality: true, prefix: 'settings' }), el('label', { class: 'check' }, mirror, el('span', { say: 'settings.mirror' }))),
    el(
      'section',
      { class: 'card' },
      el('h3', { say: 'settings.page' }),
      el('div', { class: 'field' }, el('span', { class: 'caption', say: 'page.language' }), languageChoice('settings-language')),
      el('div', { class: 'field' }, el('span', { class: 'caption', say: 'page.theme' }), themeChoice('settings-theme', appearance)),
    ),
  );
}
