import { button, el } from './dom.js';
import { put } from './say.js';

/** @typedef {import('./say.js').Key} Key */
/** @typedef {import('./say.js').Parameters} Parameters */

/**
 * @typedef {object} Question
 * @property {Key} title
 * @property {Key} [text]
 * @property {Parameters} [parameters] of both
 * @property {Node[]} [body] more than words
 * @property {Key} act what doing it is called
 * @property {Key} [cancel]
 * @property {boolean} [danger]
 * @property {{ label: Key, secret?: boolean, required?: boolean, maxLength?: number }} [field] a line to fill in
 * @property {string} [testid]
 */

/**
 * Asks, in a dialog that holds the keyboard until it is answered.
 *
 * @param {Question} question
 * @returns {Promise<string | null>} what stands in the field, or null if it is not to be done
 */
export function ask({ title, text, parameters = {}, body = [], act, cancel = 'dialog.cancel', danger, field, testid }) {
  const heading = el('h2', { id: 'dialog-title' });
  put(heading, title, parameters);
  const words = text ? el('p') : null;
  if (words && text) put(words, text, parameters);
  const input = field
    ? el('input', {
        testid: 'dialog-field',
        attr: {
          type: field.secret ? 'password' : 'text',
          autocomplete: 'off',
          spellcheck: 'false',
          ...(field.maxLength ? { maxlength: String(field.maxLength) } : {}),
          ...(field.required ? { required: '' } : {}),
        },
      })
    : null;
  const line = field && input ? el('label', { class: 'field' }, el('span', { class: 'caption', say: field.label }), input) : null;
  const yes = el('button', {
    class: danger ? 'danger' : 'primary',
    say: act,
    testid: 'dialog-act',
    attr: { type: 'submit', value: 'act' },
  });
  const no = button({ class: 'quiet', say: cancel, testid: 'dialog-cancel' });
  const form = el('form', { attr: { method: 'dialog' } }, heading, words, ...body, line, el('div', { class: 'actions' }, no, yes));
  const dialog = el('dialog', { class: 'dialog', attr: { 'aria-labelledby': 'dialog-title' }, ...(testid ? { testid } : {}) }, form);
  return new Promise((resolve) => {
    no.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'act' ? (input?.value.trim() ?? '') : null);
    });
    document.body.append(dialog);
    dialog.showModal();
    (input ?? (danger ? no : yes)).focus();
  });
}

/**
 * Shows something until it is closed.
 *
 * @param {Key} title
 * @param {Node[]} body
 * @param {string} testid
 */
export function show(title, body, testid) {
  const heading = el('h2', { id: 'dialog-title', say: title });
  const close = button({ class: 'bare', icon: 'close', label: 'dialog.close', testid: 'dialog-close' });
  const dialog = el(
    'dialog',
    { class: 'dialog', testid, attr: { 'aria-labelledby': 'dialog-title' } },
    el('div', { class: 'dialog-head' }, heading, close),
    ...body,
  );
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @returns {boolean} whether a dialog is open */
export function dialogOpen() {
  return document.querySelector('dialog[open]') !== null;
}
