/** What was filled in last. Tokens are not kept. */

const KEY = 'queqiao.call';

/** @returns {Partial<import('../utils/room.js').Call>} */
function recall() {
  const kept = wx.getStorageSync(KEY);
  return typeof kept === 'object' && kept !== null ? kept : {};
}

/** @param {import('../utils/room.js').Call} call */
function remember({ server, app, room, uid, role, video }) {
  wx.setStorage({ key: KEY, data: { server, app, room, uid, role, video }, fail: () => {} });
}

module.exports = { recall, remember };
