import { button } from './dom.js';
import { put } from './say.js';

/** How long a button says what became of its copy. */
const SAID_MS = 1500;

/**
 * @param {string} text
 * @returns {Promise<boolean>} false where the browser has no clipboard to offer, as over plain HTTP
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A button that copies a text and says so. Where there is no clipboard, the text is selected for the person to copy.
 *
 * @param {object} options
 * @param {() => string} options.text
 * @param {HTMLElement} [options.source] what shows the text
 * @param {import('./say.js').Key} [options.say] what it says at rest
 * @param {string} [options.class]
 * @param {string} [options.testid]
 * @param {string} [options.describedBy] the id of what the text is
 */
export function copyButton({ text, source, say: rest = 'copy.button', class: look = 'small', testid, describedBy }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const element = button({ class: look, icon: 'copy', say: rest, ...(testid ? { testid } : {}) });
  if (describedBy) element.setAttribute('aria-describedby', describedBy);
  const caption = element.querySelector('span') ?? element;
  element.addEventListener('click', async () => {
    const copied = await copyText(text());
    if (!copied && source) getSelection()?.selectAllChildren(source);
    put(caption, copied ? 'copy.done' : 'copy.failed');
    element.classList.toggle('done', copied);
    clearTimeout(timer);
    timer = setTimeout(() => {
      put(caption, rest);
      element.classList.remove('done');
    }, SAID_MS);
  });
  return element;
}
