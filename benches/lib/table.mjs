/** The rows of the table: what is measured, what it should be, and what SRS 7.0 reached on such a machine. */

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} what
 * @property {'ms' | '%' | 'KB' | '/s' | 'us'} unit
 * @property {number} [limit] the goal, which is to be at most this, or at least where `more` is better; rows without one explain another
 * @property {true} [more] whether more is better
 * @property {string} srs
 */

/** @type {Row[]} */
export const ROWS = [
  { id: 'rtmp_to_rtp', what: 'frame in server, RTMP in to last RTP packet out', unit: 'ms', limit: 2, srs: '1.8 ms' },
  { id: 'rtmp_to_rtmp', what: 'RTMP in to RTMP out', unit: 'ms', limit: 2, srs: '334 ms (1.3 tuned)' },
  { id: 'rtp_to_rtmp', what: '  RTP in to RTMP out', unit: 'ms', srs: '' },
  { id: 'audio_aac_to_opus', what: 'sound: delay added, AAC to Opus', unit: 'ms', limit: 35, srs: '-' },
  { id: 'audio_opus_to_aac', what: 'sound: delay added, Opus to AAC', unit: 'ms', limit: 60, srs: '-' },
  { id: 'glass_to_chromium', what: 'glass to glass, RTMP to Chromium', unit: 'ms', limit: 95, srs: '94 (tuned)' },
  { id: 'glass_to_chromium_sound', what: '  with sound, lips in sync', unit: 'ms', srs: '' },
  { id: 'glass_to_rtmp', what: 'glass to glass, Chromium to RTMP player', unit: 'ms', limit: 75, srs: '76 (tuned)' },
  { id: 'glass_to_rtmp_wire', what: '  the same to the arrival of the tag', unit: 'ms', srs: '' },
  { id: 'first_webrtc', what: 'first picture, Chromium joins RTMP: POST', unit: 'ms', limit: 300, srs: 'to a GOP' },
  { id: 'first_webrtc_click', what: '  the same from the click', unit: 'ms', srs: '' },
  { id: 'first_webrtc_wire', what: '  to keyframe received, no browser', unit: 'ms', srs: '' },
  { id: 'first_rtmp', what: 'first picture, RTMP player joins Chromium', unit: 'ms', limit: 500, srs: '6.5 s' },
  { id: 'first_rtmp_backlog', what: '  how far behind live it is then', unit: 'ms', limit: 67, srs: '2.6 s' },
  { id: 'lip_to_chromium', what: 'lip-sync error, RTMP to Chromium', unit: 'ms', limit: 40, srs: 'no reports' },
  { id: 'lip_to_rtmp', what: 'lip-sync error, Chromium to RTMP player', unit: 'ms', limit: 40, srs: '' },
  { id: 'lip_floor', what: '  Chromium to itself: the instrument', unit: 'ms', srs: '' },
  { id: 'cpu_rtmp', what: 'CPU: an RTMP publisher that nobody watches', unit: '%', limit: 0.05, srs: '0.38 %' },
  { id: 'cpu_rtmp_to_webrtc', what: 'CPU: the same with one WebRTC viewer', unit: '%', limit: 0.5, srs: '0.5 %' },
  { id: 'cpu_webrtc_to_rtmp', what: 'CPU: WebRTC publisher with one RTMP player', unit: '%', limit: 0.7, srs: '1.1 %' },
  { id: 'more_webrtc_cpu', what: 'CPU: each further WebRTC viewer', unit: '%', limit: 0.08, srs: '0.12 %' },
  { id: 'more_webrtc_memory', what: 'memory: each further WebRTC viewer', unit: 'KB', limit: 350, srs: '700 KB' },
  { id: 'more_rtmp_cpu', what: 'CPU: each further RTMP player', unit: '%', limit: 0.012, srs: '0.012-0.036 %' },
  { id: 'memory_rtmp', what: 'memory: an RTMP publisher', unit: 'KB', limit: 800, srs: '2700 KB' },
  { id: 'join_picture', what: 'room: join to first picture in Chromium', unit: 'ms', limit: 400, srs: '-' },
  { id: 'room_connect', what: 'room: a WebRTC peer connects', unit: 'ms', limit: 100, srs: '-' },
  { id: 'room_joins', what: 'room of 100: joins a second and core', unit: '/s', limit: 300, more: true, srs: '-' },
  { id: 'signal_cut', what: 'signalling cut: media gap', unit: 'ms', limit: 67, srs: '-' },
  { id: 'media_cut', what: 'UDP back on another port: to the picture', unit: 'ms', limit: 2000, srs: '-' },
  { id: 'mix_room', what: 'mixed sound for 20 phones, 6 speak at once: CPU', unit: '%', limit: 4, srs: '-' },
  { id: 'room_of_thirty', what: 'room of 30: CPU for a forwarded packet', unit: 'us', limit: 12, srs: '-' },
];

/**
 * @typedef {object} Result
 * @property {string} id
 * @property {number} p50 the value itself where there is only one
 * @property {number} [p95]
 * @property {number} [max]
 * @property {number} n samples, or clients that the cost was divided by
 * @property {string} note
 */

/**
 * @param {string} id
 * @param {number[]} values
 * @param {string} note
 * @returns {Result}
 */
export function spread(id, values, note) {
  if (values.length === 0) throw new Error(`${id}: nothing was measured`);
  const sorted = [...values].sort((a, b) => a - b);
  /** @param {number} share */
  const at = (share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { id, p50: at(0.5), p95: at(0.95), max: at(1), n: values.length, note };
}

/** @param {Row} row @param {number | undefined} value */
function text(row, value) {
  if (value === undefined) return '';
  const digits = row.unit === '%' ? 3 : row.unit === 'KB' || Math.abs(value) >= 10 ? 0 : 2;
  return `${value.toFixed(digits)} ${row.unit}`;
}

/** @param {Row} row @param {Result} result */
function verdict(row, result) {
  if (row.limit === undefined) return '';
  const value = result.p95 ?? result.p50;
  return (row.more ? value >= row.limit : value <= row.limit) ? 'yes' : 'NO';
}

/**
 * The table as lines of text. The p95 is held against the goal where there is one.
 * @param {Map<string, Result | { failed: string }>} results
 */
export function format(results) {
  const lines = [['what', 'goal', 'SRS 7.0', 'measured', 'p95', 'n', 'met']];
  for (const row of ROWS) {
    const result = results.get(row.id);
    if (!result) continue;
    const goal = row.limit === undefined ? '' : `${row.limit} ${row.unit}`;
    if ('failed' in result) lines.push([row.what, goal, row.srs, 'FAILED', '', '', 'NO']);
    else {
      const values = [text(row, result.p50), text(row, result.p95), String(result.n), verdict(row, result)];
      lines.push([row.what, goal, row.srs, ...values]);
    }
  }
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  /** @param {string} cell @param {number} i */
  const pad = (cell, i) => (i === 0 || i === 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0));
  const render = (/** @type {string[]} */ line) => line.map(pad).join('  ');
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [render(lines[0] ?? []), rule, ...lines.slice(1).map(render)].join('\n');
}
