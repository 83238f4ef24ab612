/** Where tiles stand on the stage. Pure geometry in CSS pixels. */

/** @typedef {{ x: number, y: number, width: number, height: number }} Box */

/** Between tiles. */
const GAP = 10;
/** Pictures are cut to between these widths per height; people sit in front of wide cameras and hold phones upright. */
const WIDEST = 16 / 9;
const NARROWEST = 0.8;
/** On a wide stage hardly anybody holds a phone upright, and tall tiles would cut faces off. */
const NARROWEST_ON_WIDE = 1.25;
/** Below this a face is not recognised; the stage scrolls instead. */
const MIN_WIDTH = 148;
/** Strips beside something large are narrower. */
const MIN_STRIP_WIDTH = 104;
/** Something large has at least this share of the stage beside its strip. */
const STRIP_SHARE = 0.24;
const STRIP_WIDTH = 236;
const STRIP_HEIGHT = 132;

/**
 * The largest equal tiles in an area, rows centred.
 *
 * @param {number} count
 * @param {{ width: number, height: number }} area
 * @param {{ narrowest?: number, minWidth?: number }} [limits]
 * @returns {{ boxes: Box[], height: number }} the height is larger than the area's if it has to scroll
 */
export function grid(count, { width, height }, { narrowest = width > height ? NARROWEST_ON_WIDE : NARROWEST, minWidth = MIN_WIDTH } = {}) {
  if (count === 0 || width <= 0 || height <= 0) return { boxes: [], height };
  let best = { columns: 1, ...cell(1, count, width, height, narrowest) };
  for (let columns = 2; columns <= count; columns += 1) {
    const tile = cell(columns, count, width, height, narrowest);
    // Among equal areas the one with fewer empty places looks better.
    const empty = (/** @type {number} */ c) => Math.ceil(count / c) * c - count;
    const gain = tile.width * tile.height - best.width * best.height;
    if (gain > 1 || (gain > -1 && empty(columns) < empty(best.columns))) best = { columns, ...tile };
  }
  if (best.width < minWidth && width > minWidth) {
    const columns = Math.max(1, Math.floor((width + GAP) / (minWidth + GAP)));
    const each = (width - GAP * (columns - 1)) / columns;
    best = { columns, width: each, height: each / Math.max(narrowest, 1.2) };
  }
  return place(count, best, { width, height });
}

/**
 * @param {number} columns
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @param {number} narrowest
 */
function cell(columns, count, width, height, narrowest) {
  const rows = Math.ceil(count / columns);
  const w = (width - GAP * (columns - 1)) / columns;
  const h = (height - GAP * (rows - 1)) / rows;
  if (w <= 0 || h <= 0) return { width: 0, height: 0 };
  if (w / h > WIDEST) return { width: h * WIDEST, height: h };
  if (w / h < narrowest) return { width: w, height: w / narrowest };
  return { width: w, height: h };
}

/**
 * @param {number} count
 * @param {{ columns: number, width: number, height: number }} tile
 * @param {{ width: number, height: number }} area
 */
function place(count, tile, area) {
  const rows = Math.ceil(count / tile.columns);
  const total = rows * tile.height + (rows - 1) * GAP;
  const top = Math.max(0, (area.height - total) / 2);
  const boxes = Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / tile.columns);
    const inRow = Math.min(tile.columns, count - row * tile.columns);
    const left = (area.width - inRow * tile.width - (inRow - 1) * GAP) / 2;
    return {
      x: left + (index - row * tile.columns) * (tile.width + GAP),
      y: top + row * (tile.height + GAP),
      width: tile.width,
      height: tile.height,
    };
  });
  return { boxes, height: Math.max(area.height, total) };
}

/**
 * @typedef {object} Arrangement
 * @property {(Box | null)[]} large by the order of the large tiles
 * @property {(Box | null)[]} small null for those that have no place
 * @property {number} height of the whole
 * @property {Box | null} rest where it says how many have no place
 */

/**
 * Large tiles with the others as a strip: beside them on a wide stage, below them on a narrow one. Without large tiles,
 * everybody alike.
 *
 * @param {{ large: number, small: number }} counts
 * @param {{ width: number, height: number }} area
 * @returns {Arrangement}
 */
export function arrange({ large, small }, area) {
  if (large === 0) {
    const { boxes, height } = grid(small, area);
    return { large: [], small: boxes, height, rest: null };
  }
  if (small === 0) return { large: fill(large, { x: 0, y: 0, ...area }), small: [], height: area.height, rest: null };
  const beside = area.width > area.height * 1.1 && area.width > 640;
  const most = beside
    ? { width: Math.min(STRIP_WIDTH, area.width * STRIP_SHARE), height: area.height }
    : { width: area.width, height: Math.min(small > 3 ? 2 * STRIP_HEIGHT : STRIP_HEIGHT, area.height * 0.4) };
  const strip = inStrip(small, most, area, beside);
  const main = beside
    ? { x: 0, y: 0, width: strip.edge - GAP, height: area.height }
    : { x: 0, y: 0, width: area.width, height: strip.edge - GAP };
  return { large: fill(large, main), small: strip.small, rest: strip.rest, height: area.height };
}

/**
 * @param {number} count
 * @param {Box} area
 */
function fill(count, area) {
  if (count === 1) return [area];
  const { boxes } = grid(count, area, { minWidth: 0 });
  return boxes.map((box) => ({ ...box, x: box.x + area.x, y: box.y + area.y }));
}

/**
 * Tiles at the right or at the bottom of an area, no wider and no higher than they need to be.
 *
 * @param {number} count
 * @param {{ width: number, height: number }} strip at most
 * @param {{ width: number, height: number }} area
 * @param {boolean} beside
 */
function inStrip(count, strip, area, beside) {
  const most = capacity(strip);
  const places = Math.min(count, most);
  const shown = count <= most ? count : most - 1;
  const { boxes } = grid(places, strip, { narrowest: 1.2, minWidth: 0 });
  const right = Math.max(...boxes.map(({ x, width }) => x + width));
  const top = Math.min(...boxes.map(({ y }) => y));
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height));
  // Beside something large a strip begins at its top.
  const [dx, dy] = beside ? [area.width - right, -top] : [0, area.height - bottom];
  const moved = boxes.map((box) => ({ ...box, x: box.x + dx, y: box.y + dy }));
  /** @type {(Box | null)[]} */
  const small = Array.from({ length: count }, (_, index) => (index < shown ? (moved[index] ?? null) : null));
  const edge = Math.min(...moved.map(({ x, y }) => (beside ? x : y)));
  return { small, rest: shown < count ? (moved[shown] ?? null) : null, edge };
}

/** How many tiles of the least size a strip holds. @param {{ width: number, height: number }} strip */
function capacity({ width, height }) {
  const columns = Math.max(1, Math.floor((width + GAP) / (MIN_STRIP_WIDTH + GAP)));
  const rows = Math.max(1, Math.floor((height + GAP) / (MIN_STRIP_WIDTH / WIDEST + GAP)));
  return Math.max(2, columns * rows);
}
