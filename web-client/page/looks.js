import { segments } from './dom.js';
import { remember } from './memory.js';
import { currentLanguage, onLanguage, setLanguage } from './say.js';

/** @typedef {import('./i18n/index.js').Language} Language */
/** @typedef {import('./theme.js').Theme} Theme */

/** @param {string} name tells this choice from the same one elsewhere */
export function languageChoice(name) {
  const { element, show } = segments({
    name,
    label: 'page.language',
    class: 'plain',
    choices: /** @type {const} */ ([
      { value: 'zh', text: '中文', lang: 'zh-CN' },
      { value: 'en', text: 'English', lang: 'en' },
    ]),
    choose: (/** @type {Language} */ language) => {
      remember('language', language);
      setLanguage(language);
    },
  });
  const render = () => show(currentLanguage());
  onLanguage(render);
  render();
  return element;
}

/** @type {Set<(theme: Theme) => void>} */
const shown = new Set();

/**
 * @param {string} name
 * @param {import('./theme.js').Appearance} appearance
 */
export function themeChoice(name, appearance) {
  const { element, show } = segments({
    name,
    label: 'page.theme',
    class: 'plain icons',
    choices: /** @type {const} */ ([
      { value: 'auto', icon: 'auto', label: 'theme.auto' },
      { value: 'light', icon: 'sun', label: 'theme.light' },
      { value: 'dark', icon: 'moon', label: 'theme.dark' },
    ]),
    choose: (/** @type {Theme} */ theme) => {
      appearance.choose(theme);
      for (const each of shown) each(theme);
    },
  });
  shown.add(show);
  show(appearance.theme);
  return element;
}
