/** The table of the network bench. */

/**
 * @typedef {import('./measure.mjs').Figures} Figures
 * @typedef {import('./scenarios.mjs').Scenario} Scenario
 * @typedef {{ scenario: Scenario, server: string, figures?: Figures, failed?: string }} Outcome
 */

/** @type {Record<keyof Figures, [name: string, unit: string, digits: number]>} */
const NAMES = {
  freeze: ['freeze', '%', 1],
  longest: ['longest', 'ms', 0],
  shown: ['shown', '%', 1],
  lip: ['lip', 'ms', 0],
  p50: ['p50', 'ms', 0],
  p95: ['p95', 'ms', 0],
  max: ['delay', 'ms', 0],
  growth: ['growth', 'ms', 0],
  pesq: ['PESQ', '', 2],
  drop: ['PESQ drop', '', 2],
  missing: ['missing', '%', 1],
  gap: ['gap', 'ms', 0],
  recover: ['recovery', 's', 1],
};

/** @param {keyof Figures} figure @param {number | null | undefined} value @param {boolean} [unit] */
function text(figure, value, unit = false) {
  if (value === null || value === undefined) return '-';
  const [, name, digits] = NAMES[figure];
  if (!Number.isFinite(value)) return 'never';
  return `${value.toFixed(digits)}${unit && name ? ` ${name}` : ''}`;
}

/**
 * Whether a goal is met; a figure that could not be taken meets none.
 * @param {import('./scenarios.mjs').Goal} goal @param {Figures} figures
 */
export function isMet({ figure, most = Infinity, least = -Infinity }, figures) {
  const value = figures[figure];
  return value !== null && value <= most && value >= least;
}

/** @param {Outcome} outcome */
function verdict({ scenario, figures, failed }) {
  if (!figures) return `NOT: ${failed}`;
  const missed = scenario.goals.filter((goal) => !isMet(goal, figures));
  const limits = scenario.goals.map(({ figure, most, least }) => {
    const limit = most === undefined ? `>= ${text(figure, least, true)}` : `<= ${text(figure, most, true)}`;
    return `${missed.some((goal) => goal.figure === figure) ? 'NOT ' : ''}${NAMES[figure][0]} ${limit}`;
  });
  return `${missed.length > 0 ? 'NOT ' : 'pass'}  ${limits.join(', ')}`;
}

const HEAD = ['scenario', 'server', 'freeze %', 'longest', 'shown %', 'lip p95', 'delay p50', 'p95', 'max', 'growth', 'PESQ', 'missing %', 'gap', 'recovery s', 'goals'];

/** @type {(keyof Figures)[]} */
const COLUMNS = ['freeze', 'longest', 'shown', 'lip', 'p50', 'p95', 'max', 'growth', 'pesq', 'missing', 'gap', 'recover'];

/** @param {Outcome[]} outcomes @returns {string} times in milliseconds where no unit is given */
export function format(outcomes) {
  const lines = [HEAD];
  for (const outcome of outcomes) {
    const { scenario, server, figures } = outcome;
    const cells = COLUMNS.map((figure) => {
      const cell = text(figure, figures?.[figure]);
      return figure === 'pesq' && figures?.drop !== null && figures ? `${cell} (-${text('drop', figures.drop)})`.replace('--', '+') : cell;
    });
    lines.push([scenario.what, server, ...cells, verdict(outcome)]);
  }
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const left = new Set([0, 1, HEAD.length - 1]);
  /** @param {string} cell @param {number} i */
  const pad = (cell, i) => (left.has(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0));
  const render = (/** @type {string[]} */ line) => line.map(pad).join('  ').trimEnd();
  return [render(lines[0] ?? []), ...lines.slice(1).map(render)].join('\n');
}
