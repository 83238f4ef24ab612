/** What stands for somebody who is known by a uid alone. */

/** Colours of faces. */
const HUES = [178, 38, 205, 12, 152, 262, 330, 84];

/**
 * @param {string | number} uid
 * @returns {number} the same for all forms of a uid, in degrees of the colour circle
 */
function hueOf(uid) {
  let sum = 7;
  for (const letter of String(uid)) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return HUES[sum % HUES.length] ?? 0;
}

/**
 * A few letters: `alice` is A, `phone-4821` is P21, 小明 is 小.
 *
 * @param {string | number} uid
 * @returns {string}
 */
function initialsOf(uid) {
  const words = String(uid).split(/[\s._-]+/).filter((word) => word !== '');
  const first = [...(words[0] || '?')][0];
  const second = words[1];
  if (second === undefined || /[\u2e80-\uffff]/.test(first)) return first.toUpperCase();
  return (first + (/^\d+$/.test(second) ? second.slice(-2) : [...second][0])).toUpperCase();
}

/** @type {Record<string, string>} */
const ICONS = { web: 'browser', native: 'chip', miniprogram: 'bubble', encoder: 'antenna' };

/** @param {string} platform of a participant @returns {string} name of an icon */
function platformIcon(platform) {
  return ICONS[platform] ?? 'browser';
}

module.exports = { hueOf, initialsOf, platformIcon };
