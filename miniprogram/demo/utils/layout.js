/** Where tiles stand. Pure geometry, in hundredths of the stage's width and height. */

/**
 * @typedef {object} Box
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {boolean} above whether it lies over another one
 */

/** Tiles in each row of a stage that is higher than wide; people hold phones upright, so tiles are rather high too. */
const UPRIGHT = [[], [1], [1, 1], [1, 2], [2, 2], [1, 2, 2], [2, 2, 2], [1, 2, 2, 2]];
const LYING = [[], [1], [2], [3], [2, 2], [3, 2], [3, 3], [4, 3]];

/** Oneself in a corner of somebody else's picture, in parts of the stage. */
const CORNER = { width: 30, height: 26, margin: 3 };
const CORNER_LYING = { width: 20, height: 40, margin: 2 };

/** What the others have beside one that is enlarged. */
const STRIP = 22;
/** A tile in the strip is no larger than this part of it. */
const MAX_IN_STRIP = 34;

/**
 * @param {number} count of tiles: six players and oneself at the most
 * @param {{ lying?: boolean, focus?: number | null, inset?: boolean }} [options] `lying`: the stage is wider than high;
 *   `focus`: the tile that is enlarged; `inset`: of two tiles one lies in a corner of the other
 * @returns {Box[]} one for each tile, in their order
 */
function layout(count, { lying = false, focus = null, inset = false } = {}) {
  if (count === 2 && inset) return corner(lying, focus === 1);
  if (focus !== null && focus < count && count > 1) return enlarged(count, lying, focus);
  return rows(rowsOf(count, lying));
}

/** @param {number} count @param {boolean} lying @returns {number[]} how many tiles each row has */
function rowsOf(count, lying) {
  const known = (lying ? LYING : UPRIGHT)[count];
  if (known !== undefined) return known;
  const columns = lying ? 4 : 3;
  const full = Array.from({ length: Math.floor(count / columns) }, () => columns);
  return count % columns === 0 ? full : [...full, count % columns];
}

/** @param {number[]} counts @returns {Box[]} */
function rows(counts) {
  const height = 100 / counts.length;
  return counts.flatMap((columns, row) => Array.from({ length: columns }, (_, column) => (
    { x: (column * 100) / columns, y: row * height, width: 100 / columns, height, above: false })));
}

/** @param {boolean} lying @param {boolean} swapped @returns {Box[]} */
function corner(lying, swapped) {
  const { width, height, margin } = lying ? CORNER_LYING : CORNER;
  const whole = { x: 0, y: 0, width: 100, height: 100, above: false };
  const small = { x: 100 - width - margin, y: margin, width, height, above: true };
  return swapped ? [small, whole] : [whole, small];
}

/** @param {number} count @param {boolean} lying @param {number} focus @returns {Box[]} */
function enlarged(count, lying, focus) {
  const share = Math.min(100 / (count - 1), MAX_IN_STRIP);
  const start = (100 - share * (count - 1)) / 2;
  return Array.from({ length: count }, (_, index) => {
    if (index === focus) {
      return lying
        ? { x: 0, y: 0, width: 100 - STRIP, height: 100, above: false }
        : { x: 0, y: 0, width: 100, height: 100 - STRIP, above: false };
    }
    const along = start + share * (index < focus ? index : index - 1);
    return lying
      ? { x: 100 - STRIP, y: along, width: STRIP, height: share, above: false }
      : { x: along, y: 100 - STRIP, width: share, height: STRIP, above: false };
  });
}

/** @param {Box} box @returns {string} as a style */
function styleOf({ x, y, width, height, above }) {
  const part = (/** @type {number} */ value) => `${Math.round(value * 100) / 100}%`;
  return `left:${part(x)};top:${part(y)};width:${part(width)};height:${part(height)};z-index:${above ? 2 : 1}`;
}

module.exports = { layout, styleOf };
