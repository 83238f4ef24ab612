/** QR codes, which the server draws. */

/** Codes that are kept: what one goes back and forth between. */
const MOST = 16;

/** @type {Map<string, Promise<string | null>>} */
const drawn = new Map();

/**
 * @param {string} text
 * @returns {Promise<string | null>} an address for a picture, or null if there is none
 */
function draw(text) {
  const known = drawn.get(text);
  if (known) return known;
  const drawing = fetchCode(text);
  drawn.set(text, drawing);
  for (const key of drawn.keys()) {
    if (drawn.size <= MOST) break;
    drawn.delete(key);
  }
  return drawing;
}

/** @param {string} text */
async function fetchCode(text) {
  try {
    const response = await fetch('/qr', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: text });
    if (!response.ok) return null;
    return `data:image/svg+xml,${encodeURIComponent(await response.text())}`;
  } catch {
    // A picture less; the text stands beside it.
    drawn.delete(text);
    return null;
  }
}

/**
 * Shows the code of a text, or nothing.
 *
 * @param {HTMLImageElement} image
 * @param {string} text
 */
export async function showCode(image, text) {
  if (image.dataset.code === text) return;
  image.dataset.code = text;
  const source = await draw(text);
  if (image.dataset.code !== text) return;
  image.hidden = source === null;
  if (source !== null) image.src = source;
}
