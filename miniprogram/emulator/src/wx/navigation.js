import {ApiError} from './calls.js';

/**
 * @param {import('../pages.js').Pages} pages
 * @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}}
 */
export function navigationApi(pages) {
  const opening = (/** @type {'navigateTo' | 'redirectTo' | 'reLaunch' | 'switchTab'} */ how) =>
    (/** @type {any} */ {url, events}) => {
      if (typeof url !== 'string' || url === '') {
        throw new ApiError('parameter error: parameter.url should be a string');
      }
      const page = pages.open(how, url, events);
      return page.channel ? {eventChannel: page.channel} : {};
    };
  return {
    async: {
      navigateTo: opening('navigateTo'),
      redirectTo: opening('redirectTo'),
      reLaunch: opening('reLaunch'),
      switchTab: opening('switchTab'),
      navigateBack: ({delta = 1}) => pages.back(Number(delta) || 1),
      exitMiniProgram: () => {},
    },
    sync: {},
  };
}
