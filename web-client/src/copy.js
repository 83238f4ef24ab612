/** How long a button says what became of its copy. */
const SAID_MS = 1500;

/**
 * Makes a button copy text and say so. Where the browser has no clipboard to offer (plain HTTP), the text is selected
 * for the person to copy.
 *
 * @param {HTMLButtonElement} button
 * @param {object} options
 * @param {import('./words.js').Words} options.words
 * @param {import('./i18n.js').Key} options.name what the button says at rest
 * @param {() => string} options.text
 * @param {HTMLElement} [options.source] what shows the text
 */
export function copyOnClick(button, { words, name, text, source }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  button.addEventListener('click', async () => {
    const copied = await copy(text());
    if (!copied && source) getSelection()?.selectAllChildren(source);
    button.textContent = words.say(copied ? 'copy.done' : 'copy.failed');
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = words.say(name)), SAID_MS);
  });
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
