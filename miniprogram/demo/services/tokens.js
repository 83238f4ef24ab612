/** Where tokens come from: they are made by your back end, which holds the app's secret. */

const { tokenUrl } = require('../config.js');

/** Of a mini-program, nobody waits longer to join. */
const TIMEOUT_MS = 8000;

/** Typed on the first page while trying things out; in memory only. */
let typed = '';

/** @param {string} token */
function useTyped(token) {
  typed = token.trim();
}

/**
 * @param {{ app: string, room: string, uid: string, role: string }} call
 * @returns {Promise<string | null>} null: none is needed. Rejects with `{ reason: 'token_service' }`
 */
function tokenFor({ app, room, uid, role }) {
  if (typed !== '') return Promise.resolve(typed);
  if (tokenUrl === '') return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const failed = () => reject({ reason: 'token_service', message: 'no token' });
    wx.request({
      url: tokenUrl,
      method: 'POST',
      data: { app, room, uid, role },
      timeout: TIMEOUT_MS,
      success: ({ statusCode, data }) => {
        const token = typeof data === 'object' ? /** @type {{ token?: unknown }} */ (data).token : undefined;
        if (statusCode === 200 && typeof token === 'string') resolve(token);
        else failed();
      },
      fail: failed,
    });
  });
}

module.exports = { useTyped, tokenFor };
