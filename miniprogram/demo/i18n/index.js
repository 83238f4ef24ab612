const { zh } = require('./zh.js');
const { en } = require('./en.js');

/** @typedef {keyof typeof zh} Key */
/** @typedef {ReturnType<typeof textsIn>} Texts */

/** @param {string} language of the system, such as `zh_CN` @returns {'zh' | 'en'} the one of ours that it is served by */
function pick(language) {
  return language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/**
 * Everything that the pages say, in one language.
 *
 * @param {'zh' | 'en'} language
 */
function textsIn(language) {
  /** @type {Record<Key, string>} */
  const t = language === 'zh' ? zh : en;
  /**
   * @param {Key} key
   * @param {Record<string, string | number>} [values] for the places in braces
   * @returns {string}
   */
  const say = (key, values = {}) => t[key].replace(/\{(\w+)\}/g, (whole, /** @type {string} */ name) => String(values[name] ?? whole));
  /** @param {{ reason: string, message: string }} error of the SDK @returns {string} */
  const sayError = ({ reason, message }) => {
    const key = `error_${reason}`;
    return key in t ? t[/** @type {Key} */ (key)] : say('error_other', { message: reason || message });
  };
  return { language, t, say, sayError };
}

/** In the language of the phone. */
function systemTexts() {
  const { language } = wx.getAppBaseInfo ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  return textsIn(pick(language || 'zh_CN'));
}

module.exports = { pick, textsIn, systemTexts };
