const config = require('../../config.js');
const { systemTexts } = require('../../i18n/index.js');
const { recall, remember } = require('../../services/memory.js');
const { askFor } = require('../../services/permissions.js');
const { useTyped } = require('../../services/tokens.js');
const { callPath, invitePath, newUid, readOptions, wrongField } = require('../../utils/room.js');

Page({
  data: {
    t: {},
    server: config.server,
    app: config.app,
    room: '',
    uid: '',
    token: '',
    role: /** @type {'host' | 'audience'} */ ('host'),
    video: true,
    advanced: false,
    wrong: '',
    busy: false,
  },

  /** @param {Record<string, string>} options of a share message or of a link */
  onLoad(options) {
    this.texts = systemTexts();
    this.setData({
      t: this.texts.t, room: 'lobby', uid: newUid(Math.random()), ...recall(), ...readOptions(options),
    });
    wx.setNavigationBarTitle({ title: this.texts.t.title });
  },

  /** Coming back from a call, the button works again. */
  onShow() {
    this.setData({ busy: false });
  },

  /** @param {WechatMiniprogram.Input} event */
  onInput({ currentTarget, detail }) {
    this.setData({ [currentTarget.dataset.field]: detail.value.trim(), wrong: '' });
  },

  /** @param {WechatMiniprogram.TouchEvent} event */
  onRole({ currentTarget }) {
    this.setData({ role: currentTarget.dataset.value });
  },

  /** @param {WechatMiniprogram.TouchEvent} event */
  onMedia({ currentTarget }) {
    this.setData({ video: currentTarget.dataset.value === 'video' });
  },

  onDice() {
    this.setData({ uid: newUid(Math.random()), wrong: '' });
  },

  onAdvanced() {
    this.setData({ advanced: !this.data.advanced });
  },

  async onJoin() {
    if (this.data.busy) return;
    const call = this.call();
    const wrong = wrongField(call);
    if (wrong !== null) {
      this.setData({ wrong, advanced: this.data.advanced || wrong === 'server' || wrong === 'app' });
      return;
    }
    this.setData({ busy: true });
    // Who watches and listens needs neither camera nor microphone.
    if (call.role === 'audience' || await askFor(call.video, this.texts)) this.open(call);
    else this.setData({ busy: false });
  },

  /** @param {import('../../utils/room.js').Call} call */
  open(call) {
    remember(call);
    useTyped(this.data.token);
    wx.navigateTo({ url: callPath(call), fail: () => this.setData({ busy: false }) });
  },

  /** @returns {import('../../utils/room.js').Call} */
  call() {
    const { server, app, room, uid, role, video } = this.data;
    return { server, app, room, uid, role, video };
  },

  onShareAppMessage() {
    const { t, say } = this.texts;
    return { title: this.data.room === '' ? t.title : say('share_title', { room: this.data.room }), path: invitePath(this.call()) };
  },
});
