/**
 * @param {number} level of the network: 0 unknown, 1 best to 6 unusable
 * @returns {number} bars of three, 0 if nothing is known
 */
function barsOf(level) {
  if (level <= 0) return 0;
  if (level <= 2) return 3;
  return level === 3 ? 2 : 1;
}

module.exports = { barsOf };
