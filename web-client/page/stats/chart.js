import { ceiling, SECONDS } from './series.js';

/**
 * Draws the last minute as a line over a soft area, the newest value at the right. Gaps stay gaps.
 *
 * @param {HTMLCanvasElement} canvas of the size that its style gives it; its colour is the text's
 * @param {readonly (number | null)[]} values oldest first
 * @param {number} least the least height of the scale
 */
export function drawChart(canvas, values, least) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext('2d');
  if (!context || width === 0 || height === 0) return;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const colour = getComputedStyle(canvas).color;
  const top = ceiling(values, least);
  const step = width / (SECONDS - 1);
  const x = (/** @type {number} */ index) => width - (values.length - 1 - index) * step;
  const y = (/** @type {number} */ value) => height - 1 - (value / top) * (height - 3);
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.globalAlpha = 0.28;
  context.fillRect(0, height - 1, width, 1);
  for (const run of runs(values)) {
    const first = run[0];
    const last = run.at(-1);
    if (!first || !last) continue;
    context.beginPath();
    context.moveTo(x(first.index), height - 1);
    for (const { index, value } of run) context.lineTo(x(index), y(value));
    context.lineTo(x(last.index), height - 1);
    context.globalAlpha = 0.2;
    context.fill();
    context.beginPath();
    for (const { index, value } of run) context.lineTo(x(index), y(value));
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.lineJoin = 'round';
    context.stroke();
  }
}

/**
 * Stretches without a gap.
 *
 * @param {readonly (number | null)[]} values
 */
export function runs(values) {
  /** @type {{ index: number, value: number }[][]} */
  const found = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const before = index > 0 ? values[index - 1] : null;
    if (before === null || before === undefined) found.push([]);
    found.at(-1)?.push({ index, value });
  });
  return found;
}
