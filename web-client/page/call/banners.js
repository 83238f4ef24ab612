import { ask } from '../dialogs.js';
import { button, el } from '../dom.js';
import { icon } from '../icons.js';

/** @typedef {import('../say.js').Key} Key */

/**
 * What lasts and concerns everything: a lost connection, sound that waits for a click, a token that runs out.
 *
 * @param {import('../context.js').Context} context
 */
export function banners({ store, conference }) {
  const reconnecting = banner('wait', 'banner.reconnecting', 'reconnecting');
  const media = banner('wait', 'banner.media', 'media-lost');
  const sound = banner('ask', 'banner.autoplay', 'autoplay', 'banner.autoplay.act', () => {});
  const token = banner('warn', 'banner.token', 'token-expiring', 'banner.token.act', () => void renew());
  const element = el('div', { class: 'banners', attr: { 'aria-live': 'assertive' } }, reconnecting, media, sound, token);

  async function renew() {
    const field = { label: /** @type {const} */ ('lobby.token'), secret: true, required: true, maxLength: 4096 };
    const text = await ask({ title: 'token.title', text: 'token.text', act: 'token.act', field, testid: 'renew' });
    if (text) await conference.renewToken(text);
  }

  store.watch(
    ({ wasLost, mediaLost, soundHeld, tokenExpiring }) => [wasLost, mediaLost, soundHeld, tokenExpiring],
    ({ wasLost, mediaLost, soundHeld, tokenExpiring }) => {
      reconnecting.hidden = !wasLost;
      // One word for a network that is gone altogether.
      media.hidden = !mediaLost || wasLost;
      sound.hidden = !soundHeld;
      token.hidden = !tokenExpiring;
    },
  );
  return element;
}

/**
 * @param {'wait' | 'ask' | 'warn'} look
 * @param {Key} say
 * @param {string} testid
 * @param {Key} [act]
 * @param {() => void} [click]
 */
function banner(look, say, testid, act, click) {
  const image = look === 'wait' ? el('i', { class: 'spinner' }) : icon(look === 'ask' ? 'speaker' : 'alert');
  const element = el('div', { class: `banner ${look}`, testid }, image, el('p', { say }));
  if (act && click) element.append(button({ class: 'small', say: act, testid: `${testid}-act`, on: { click } }));
  return element;
}
