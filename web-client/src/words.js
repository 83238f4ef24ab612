import { find } from './dom.js';
import { errorWords, isKey, isLanguage, pickLanguage, translate } from './i18n.js';

/** Where the chosen language is kept between visits. */
const STORAGE_KEY = 'queqiao.language';

/**
 * The language of the page: chosen before, else the browser's. Writes every element that carries
 * `data-i18n` (its text) or `data-i18n-label` (its accessible name), and says when the language changes.
 */
export class Words extends EventTarget {
  #language = stored() ?? pickLanguage(navigator.languages);
  #select = find('lang', HTMLSelectElement);

  constructor() {
    super();
    this.#select.value = this.#language;
    this.#select.addEventListener('change', () => {
      if (!isLanguage(this.#select.value)) return;
      this.#language = this.#select.value;
      store(this.#language);
      this.#write();
      this.dispatchEvent(new Event('change'));
    });
    this.#write();
  }

  /**
   * @param {import('./i18n.js').Key} key
   * @param {Readonly<Record<string, string>>} [parameters]
   */
  say(key, parameters) {
    return translate(this.#language, key, parameters);
  }

  /** @param {{ code: string, message: string }} failure */
  explain(failure) {
    return errorWords(this.#language, failure);
  }

  /**
   * A number as people of this language write it.
   *
   * @param {number} value
   * @param {number} decimals
   */
  number(value, decimals) {
    return value.toLocaleString(this.#language, {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
  }

  #write() {
    document.documentElement.lang = this.#language === 'zh' ? 'zh-CN' : 'en';
    for (const element of document.querySelectorAll('[data-i18n]')) {
      const key = element.getAttribute('data-i18n') ?? '';
      if (isKey(key)) element.textContent = this.say(key);
    }
    for (const element of document.querySelectorAll('[data-i18n-label]')) {
      const key = element.getAttribute('data-i18n-label') ?? '';
      if (isKey(key)) element.setAttribute('aria-label', this.say(key));
    }
  }
}

/** @returns {import('./i18n.js').Language | null} */
function stored() {
  try {
    const value = localStorage.getItem(STORAGE_KEY) ?? '';
    return isLanguage(value) ? value : null;
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
    return null;
  }
}

/** @param {string} language */
function store(language) {
  try {
    localStorage.setItem(STORAGE_KEY, language);
  } catch {
    // As above.
  }
}
