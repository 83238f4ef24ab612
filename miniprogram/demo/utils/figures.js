/** What components report, for people. Pure. */

/**
 * @param {import('../../src/core/netstatus.js').NetInfo} info of `bindnetstatus`, as the SDK has put it together
 * @returns {string} such as `368×640 · 15 fps · 420 + 48 kbit/s`, empty before the first report
 */
function figuresOf({ videoWidth = 0, videoHeight = 0, videoFPS, videoBitrate, audioBitrate, netJitter = 0 }) {
  const parts = [];
  if (videoWidth > 0 && videoHeight > 0) parts.push(`${videoWidth}×${videoHeight}`);
  if (videoFPS !== undefined) parts.push(`${Math.round(videoFPS)} fps`);
  if (videoBitrate !== undefined || audioBitrate !== undefined) {
    parts.push(`${Math.round(videoBitrate || 0)} + ${Math.round(audioBitrate || 0)} kbit/s`);
  }
  if (netJitter > 0) parts.push(`± ${Math.round(netJitter)} ms`);
  return parts.join(' · ');
}

/** @param {number} seconds @returns {string} such as `1:02:03` or `02:03` */
function durationOf(seconds) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

/** @param {Date} date @returns {string} its time of day */
function timeOf(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

module.exports = { figuresOf, durationOf, timeOf };
