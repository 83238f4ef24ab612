import { ask } from '../dialogs.js';
import { el } from '../dom.js';
import { isKey } from '../i18n/index.js';
import { errorKey } from '../i18n/index.js';
import { put, say } from '../say.js';

/** @typedef {import('../say.js').Key} Key */

/**
 * When the room has ended for this page, says why and what can be done.
 *
 * @param {import('../context.js').Context} context
 */
export function watchEnding({ store, conference }) {
  store.watch(
    ({ ending }) => [ending],
    async ({ ending }) => {
      if (!ending) return;
      const answer = await ask(endingQuestion(ending));
      if (store.state.ending !== ending) return;
      store.set({ ending: null });
      if (answer === null) return;
      if (ending.reason === 'token_expired') {
        store.set({ token: answer });
        if (answer === '') return;
      }
      await conference.join();
    },
  );
}

/**
 * @param {import('../state.js').Ending} ending
 * @returns {import('../dialogs.js').Question}
 */
function endingQuestion({ reason, message, seconds }) {
  const own = `ended.${reason}`;
  const known = isKey(own);
  const title = /** @type {Key} */ (known ? own : 'ended.lost');
  const text = known ? /** @type {Key} */ (`${own}.text`) : (errorKey(reason) ?? 'ended.lost.text');
  const word = el('blockquote');
  if (message !== '') put(word, 'ended.word', { message });
  return {
    title,
    text,
    parameters: { time: timeText(seconds) },
    body: message === '' ? [] : [word],
    act: 'ended.rejoin',
    cancel: 'ended.back',
    testid: `ended-${reason}`,
    ...(reason === 'token_expired' ? { field: { label: 'lobby.token', secret: true, maxLength: 4096 } } : {}),
  };
}

/** @param {number} seconds */
export function timeText(seconds) {
  if (seconds < 120) return say('time.seconds', { count: seconds });
  if (seconds < 7200) return say('time.minutes', { count: Math.round(seconds / 60) });
  if (seconds < 172_800) return say('time.hours', { count: Math.round(seconds / 3600) });
  return say('time.days', { count: Math.round(seconds / 86_400) });
}
