/**
 * The picture every test source paints and every test player reads back.
 *
 * The upper half holds an 8 x 8 grid of black and white cells: a frame number, the wall clock at which the frame was
 * painted, a flash bit and a checksum. The lower half turns white while the flash bit is set. All positions are
 * fractions of the picture, so a scaled picture is still readable. Node, the browser pages and (rewritten in
 * `python/signal_source.py`) the Python clients share this layout.
 */

export const COLUMNS = 8;
export const ROWS = 8;

/** Frame numbers are kept in this many bits. */
export const NUMBER_BITS = 24;
/** The clock is kept modulo this many milliseconds. */
export const CLOCK_MODULUS = 2 ** 31;

/** Frames during which one flash stays on. */
export const FLASH_FRAMES = 2;

export const WHITE = 235;
export const BLACK = 16;
export const GREY = 110;

/** A grid whose darkest and brightest cells are closer than this is not one of ours. */
const MIN_CONTRAST = 60;

const LEFT = 1 / 18;
const TOP = 1 / 32;
const CELL_WIDTH = 1 / 9;
const CELL_HEIGHT = 1 / 16;

/** The area that flashes, in fractions of the picture. */
const FLASH = { left: LEFT, top: 0.6, width: 1 - 2 * LEFT, height: 0.35 };

/**
 * @typedef {object} Code
 * @property {number} number frame number
 * @property {number} clock `Date.now()` when the frame was painted, modulo {@link CLOCK_MODULUS}
 * @property {boolean} flash whether this frame starts or continues a flash
 */

/** @param {ArrayLike<number>} bytes @param {number} length */
function crc8(bytes, length) {
  let crc = 0xff;
  for (let i = 0; i < length; i += 1) {
    crc ^= bytes[i] ?? 0;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : (crc << 1) & 0xff;
  }
  return crc;
}

/**
 * The eight bytes of a code, one per row of the grid, most significant bit on the left.
 * @param {Code} code
 */
export function encode({ number, clock, flash }) {
  const bytes = new Uint8Array(ROWS);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, (number >>> 16) & 0xff);
  view.setUint16(1, number & 0xffff);
  view.setUint32(3, clock % CLOCK_MODULUS);
  view.setUint8(3, view.getUint8(3) | (flash ? 0x80 : 0));
  bytes[7] = crc8(bytes, 7);
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Code | null} null when the checksum does not hold
 */
export function decode(bytes) {
  if (crc8(bytes, 7) !== bytes[7]) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    number: (view.getUint8(0) << 16) | view.getUint16(1),
    clock: view.getUint32(3) & 0x7fffffff,
    flash: (view.getUint8(3) & 0x80) !== 0,
  };
}

/**
 * The rectangles to fill, in fractions of the picture, in painting order; the background is {@link GREY}.
 * @param {Code} code
 * @returns {{ left: number, top: number, width: number, height: number, luma: number }[]}
 */
export function rectangles(code) {
  const bytes = encode(code);
  const list = [{ ...FLASH, luma: code.flash ? WHITE : BLACK }];
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS; column += 1) {
      const set = ((bytes[row] ?? 0) >> (7 - column)) & 1;
      list.push({
        left: LEFT + column * CELL_WIDTH,
        top: TOP + row * CELL_HEIGHT,
        width: CELL_WIDTH,
        height: CELL_HEIGHT,
        luma: set ? WHITE : BLACK,
      });
    }
  }
  return list;
}

/** How finely {@link texture} divides the lower half, and how bright it gets: never so much that it reads as a flash. */
const TEXTURE = { columns: 24, rows: 16, brightest: 76 };

/**
 * What makes pictures cost an encoder its whole bitrate: the area that flashes, divided into cells of which each is another
 * shade of dark in every picture. Painted over a code without a flash.
 * @param {number} number of the frame
 * @returns {{ left: number, top: number, width: number, height: number, luma: number }[]}
 */
export function texture(number) {
  const { columns, rows, brightest } = TEXTURE;
  const [width, height] = [FLASH.width / columns, FLASH.height / rows];
  const list = [];
  let state = (number + 1) >>> 0;
  for (let i = 0; i < columns * rows; i += 1) {
    // Marsaglia's xorshift: repeatable, and unlike from picture to picture.
    state = Math.imul(state ^ (state << 13), 0x9e3779b1) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    const luma = BLACK + (state % (brightest - BLACK));
    list.push({ left: FLASH.left + (i % columns) * width, top: FLASH.top + Math.floor(i / columns) * height, width, height, luma });
  }
  return list;
}

/**
 * Fills rectangles of a luma plane.
 * @param {Uint8Array} plane @param {number} width @param {number} height
 * @param {ReturnType<typeof rectangles>} list
 */
export function fill(plane, width, height, list) {
  for (const r of list) {
    const x0 = Math.round(r.left * width);
    const x1 = Math.round((r.left + r.width) * width);
    const y1 = Math.round((r.top + r.height) * height);
    for (let y = Math.round(r.top * height); y < y1; y += 1) plane.fill(r.luma, y * width + x0, y * width + x1);
  }
}

/**
 * Paints a code into a luma plane.
 * @param {Uint8Array} plane @param {number} width @param {number} height @param {Code} code
 */
export function paint(plane, width, height, code) {
  plane.fill(GREY, 0, width * height);
  fill(plane, width, height, rectangles(code));
}

/**
 * Reads a picture.
 * @param {(x: number, y: number) => number} luma brightness at a point given in fractions of the picture
 * @returns {Code | null} null when the picture shows no valid code, or the lower half denies the flash bit
 */
export function read(luma) {
  /** @type {number[]} */
  const cells = [];
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS; column += 1) {
      const x = LEFT + (column + 0.5) * CELL_WIDTH;
      const y = TOP + (row + 0.5) * CELL_HEIGHT;
      const dx = CELL_WIDTH / 5;
      const dy = CELL_HEIGHT / 5;
      cells.push((luma(x, y) + luma(x - dx, y) + luma(x + dx, y) + luma(x, y - dy) + luma(x, y + dy)) / 5);
    }
  }
  const dark = Math.min(...cells);
  const bright = Math.max(...cells);
  if (bright - dark < MIN_CONTRAST) return null;
  const threshold = (dark + bright) / 2;
  const bytes = new Uint8Array(ROWS);
  cells.forEach((value, i) => {
    const row = Math.floor(i / COLUMNS);
    if (value > threshold) bytes[row] = (bytes[row] ?? 0) | (0x80 >> i % COLUMNS);
  });
  const code = decode(bytes);
  if (!code) return null;
  const flash = luma(FLASH.left + FLASH.width / 2, FLASH.top + FLASH.height / 2) > threshold;
  return flash === code.flash ? code : null;
}

/**
 * Reads a picture from a plane of bytes.
 * @param {ArrayLike<number>} data @param {number} width @param {number} height
 * @param {number} [step] bytes from one pixel to the next: 1 for luma, 4 for RGBA (green is read)
 */
export function readPlane(data, width, height, step = 1) {
  const offset = step === 1 ? 0 : 1;
  return read((x, y) => data[(Math.floor(y * height) * width + Math.floor(x * width)) * step + offset] ?? 0);
}
