import { el } from '../dom.js';
import { languageChoice, themeChoice } from '../looks.js';
import { put } from '../say.js';
import { joinForm } from './form.js';
import { preview } from './preview.js';

/**
 * What one sees before joining.
 *
 * @param {import('../context.js').Context} context
 */
export function lobby(context) {
  const { store, appearance } = context;
  const version = el('footer', { class: 'version' });
  const element = el(
    'div',
    { class: 'lobby', testid: 'lobby' },
    el(
      'header',
      { class: 'top' },
      el('img', { class: 'mark', attr: { src: 'page/mark.svg', alt: '', width: '34', height: '34' } }),
      el('p', { class: 'wordmark' }, 'Queqiao', el('span', { text: '鹊桥', attr: { lang: 'zh-CN' } })),
      languageChoice('language'),
      themeChoice('theme', appearance),
    ),
    el(
      'main',
      {},
      el(
        'div',
        { class: 'hero' },
        el('h1', { say: 'lobby.title' }),
        el('p', { say: 'lobby.lead' }),
      ),
      preview(context),
      joinForm(context),
    ),
    version,
  );
  store.watch(
    ({ server }) => [server],
    ({ server }) => {
      version.hidden = server.version === '';
      put(version, 'page.version', { version: server.version });
    },
  );
  return element;
}
