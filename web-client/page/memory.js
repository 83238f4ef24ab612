/** What is kept between visits. Storage may be switched off; a choice then lasts as long as the page. */

/** @typedef {'language' | 'theme' | 'app' | 'room' | 'uid' | 'camera' | 'microphone' | 'speaker' | 'quality'} Name */

/** @param {Name} name */
const key = (name) => `queqiao.${name}`;

/**
 * @param {Name} name
 * @returns {string} empty if there is nothing
 */
export function recall(name) {
  try {
    return localStorage.getItem(key(name)) ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {Name} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(key(name), value);
  } catch {
    // As above.
  }
}
