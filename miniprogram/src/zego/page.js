import { reportPageError } from '../core/answer.js';

/**
 * What a page or component is to the SDK.
 *
 * @typedef {object} WxContext
 * @property {(data: Record<string, unknown>, done?: () => void) => void} setData
 * @property {Record<string, unknown>} [data]
 */

/** The fields of a page's data that the SDK owns: nobody else writes them. */
export class PageData {
  #pushAtr;
  #playAtr;

  /** @param {WxContext} wxContext @param {string | undefined} pushAtr @param {string | undefined} playAtr */
  constructor(wxContext, pushAtr, playAtr) {
    this.wxContext = wxContext;
    this.#pushAtr = pushAtr;
    this.#playAtr = playAtr;
  }

  /** @param {WxContext} wxContext @param {string | undefined} pushAtr @param {string | undefined} playAtr */
  is(wxContext, pushAtr, playAtr) {
    return this.wxContext === wxContext && this.#pushAtr === pushAtr && this.#playAtr === playAtr;
  }

  /** What the page has there of its own: attributes that it sets without the SDK. @returns {Record<string, unknown>} */
  get ownPusher() {
    const own = this.#pushAtr === undefined ? undefined : this.wxContext.data?.[this.#pushAtr];
    return typeof own === 'object' && own !== null ? { ...own } : {};
  }

  /** @param {Record<string, unknown>} attributes @returns {Promise<void>} when the page shows it */
  writePusher(attributes) {
    return this.#write(this.#pushAtr, { ...attributes });
  }

  /** @param {Record<string, unknown>[]} list @returns {Promise<void>} when the page shows it */
  writePlayers(list) {
    return this.#write(this.#playAtr, list.map((attributes) => ({ ...attributes })));
  }

  /** @param {string | undefined} field @param {unknown} value @returns {Promise<void>} */
  #write(field, value) {
    return new Promise((resolve) => {
      if (field === undefined) return resolve();
      try {
        this.wxContext.setData({ [field]: value }, resolve);
      } catch (cause) {
        reportPageError(cause);
        resolve();
      }
    });
  }
}
