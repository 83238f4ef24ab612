const config = require('../../config.js');
const { systemTexts } = require('../../i18n/index.js');
const { openSettings } = require('../../services/permissions.js');
const { CodeLog, linesOf } = require('../../utils/diagnosis.js');
const { durationOf } = require('../../utils/figures.js');
const { peopleOf } = require('../../utils/people.js');
const { invitePath, newUid, readOptions } = require('../../utils/room.js');
const { Session } = require('./session.js');
const { arrange } = require('./stage.js');

/** How long a line over the stage can be read. */
const NOTICE_MS = 5000;
/** Beyond it the oldest messages go. */
const MAX_MESSAGES = 100;
const BEAUTY = 6;

/** @typedef {import('./session.js').State} State */
/** @typedef {import('./session.js').Uid} Uid */
/** @typedef {import('./session.js').Failure} Failure */
/** @typedef {WechatMiniprogram.CustomEvent<{ code: number }>} StateEvent of either component */

Page({
  data: {
    t: {},
    room: '',
    phase: 'joining',
    reconnecting: false,
    role: /** @type {State['role']} */ ('host'),
    video: true,
    mic: 'live',
    camera: 'live',
    fault: '',
    count: 1,
    countText: '',
    duration: '',
    level: 0,
    pushers: /** @type {object[]} */ ([]),
    players: /** @type {object[]} */ ([]),
    hidden: '',
    beauty: 0,
    lying: false,
    sheet: '',
    people: /** @type {object[]} */ ([]),
    lines: /** @type {ReturnType<typeof linesOf>} */ ([]),
    codes: /** @type {import('../../utils/diagnosis.js').CodeLine[]} */ ([]),
    messages: /** @type {{ id: string, from: string, text: string, mine: boolean }[]} */ ([]),
    latest: '',
    draft: '',
    unread: 0,
    notice: '',
    reason: '',
  },

  /** @param {Record<string, string>} options of utils/room.js */
  onLoad(options) {
    this.texts = systemTexts();
    this.call = {
      server: config.server, app: config.app, room: 'lobby', uid: newUid(Math.random()), role: 'host', video: true, ...readOptions(options),
    };
    this.media = { pushers: [], players: [] };
    this.focus = null;
    this.nextMessage = 1;
    this.seconds = 0;
    const { windowWidth, windowHeight } = wx.getWindowInfo ? wx.getWindowInfo() : wx.getSystemInfoSync();
    this.setData({ t: this.texts.t, room: this.call.room, lying: windowWidth > windowHeight });
    wx.setNavigationBarTitle({ title: this.texts.say('call_title', { room: this.call.room }) });
    this.start();
  },

  onShow() {
    wx.setKeepScreenOn({ keepScreenOn: true, fail: () => {} });
    this.session.foreground();
  },

  onResize({ size: { windowWidth, windowHeight } }) {
    this.setData({ lying: windowWidth > windowHeight });
    this.refresh();
  },

  onUnload() {
    this.stop();
    clearTimeout(this.noticeTimer);
    wx.setKeepScreenOn({ keepScreenOn: false, fail: () => {} });
  },

  start() {
    const { role, video } = this.call;
    this.codeLog = new CodeLog(this.texts.language);
    this.setData({ phase: 'joining', role, video, mic: 'live', camera: 'live', fault: '', reason: '', duration: '' });
    this.session = new Session(this.call, {
      changed: (state) => this.changed(state),
      media: ({ pushers, players }) => {
        // A pusher keeps to what it began with: WeChat's sound lags by seconds when its camera comes and goes.
        this.media = { pushers: pushers.map((item) => ({ ...item, video: this.data.video })), players };
        this.refresh();
      },
      people: () => this.refresh(),
      message: ({ from, text }) => this.received(from, text),
      failed: (error) => this.notify(this.texts.sayError(error)),
      role: (given) => this.notify(this.texts.t[`role_now_${given}`]),
      ended: (error) => this.ended(error),
    });
    this.session.join();
  },

  stop() {
    clearInterval(this.ticker);
    this.session.close();
  },

  /** @param {Partial<State>} state */
  changed(state) {
    this.setData({ ...state, ...('count' in state ? { countText: this.texts.say('count', { count: state.count ?? 1 }) } : {}) });
    if (state.phase === 'in') this.tick();
    if ('camera' in state || 'mic' in state || 'video' in state) this.refresh();
  },

  tick() {
    clearInterval(this.ticker);
    this.seconds = 0;
    this.setData({ duration: durationOf(0) });
    this.ticker = setInterval(() => {
      this.seconds += 1;
      this.setData({ duration: durationOf(this.seconds) });
      if (this.data.sheet === 'diagnostics') this.showDiagnostics();
    }, 1000);
  },

  /** Writes what is on the stage. */
  refresh() {
    if (this.session === undefined) return;
    const { client } = this.session;
    const { video, camera, mic, lying } = this.data;
    const stage = arrange({
      ...this.media,
      published: client.streams.length,
      uid: client.uid === undefined ? this.call.uid : client.uid,
      participant: (uid) => client.participant(uid),
      level: (uid) => this.session.level(uid),
      shown: video && camera === 'live',
      mic,
      focus: this.focus,
      lying,
      texts: this.texts,
    });
    this.setData({ ...stage, level: client.uid === undefined ? 0 : this.session.level(client.uid) });
    if (this.data.sheet === 'people') this.showPeople();
  },

  /** @param {Failure} error */
  ended(error) {
    this.stop();
    this.media = { pushers: [], players: [] };
    this.setData({ pushers: [], players: [], hidden: '', sheet: '', reason: this.texts.sayError(error) });
  },

  /** @param {StateEvent} event */
  onPusherState(event) {
    this.session.view.pusherState(event);
    this.codeLog.add(event.detail.code, this.texts.t.me, new Date());
  },

  /**
   * A refused permission comes as an error, not as a state.
   *
   * @param {WechatMiniprogram.CustomEvent<{ errCode: number }>} event
   */
  onPusherError(event) {
    this.session.view.pusherState(event);
    this.codeLog.add(event.detail.errCode, this.texts.t.me, new Date());
  },

  /** @param {unknown} event */
  onPusherNet(event) {
    this.session.view.pusherNetStatus(event);
  },

  /** @param {StateEvent} event */
  onPlayerState(event) {
    this.session.view.playerState(event);
    this.codeLog.add(event.detail.code, String(event.currentTarget.dataset.uid), new Date());
  },

  /** @param {unknown} event */
  onPlayerNet(event) {
    this.session.view.playerNetStatus(event);
  },

  /** @param {WechatMiniprogram.TouchEvent} event */
  onTile({ currentTarget: { dataset: { tile } } }) {
    this.focus = this.focus === tile ? null : tile;
    this.refresh();
  },

  onMic() {
    this.session.toggle('mic');
  },

  onCamera() {
    this.session.toggle('camera');
  },

  onFlip() {
    wx.createLivePusherContext().switchCamera({ fail: () => {} });
  },

  onBeauty() {
    this.setData({ beauty: this.data.beauty === 0 ? BEAUTY : 0, sheet: '' });
  },

  onRole() {
    this.setData({ sheet: '' });
    this.session.changeRole(this.data.role === 'host' ? 'audience' : 'host');
  },

  /** With the settings changed the pusher has to begin anew. */
  async onSettings() {
    if (await openSettings(this.data.video)) this.session.pushAgain();
  },

  onMore() {
    this.setData({ sheet: 'more' });
  },

  onChat() {
    this.setData({ sheet: 'chat', unread: 0, notice: '' });
  },

  onPeople() {
    this.setData({ sheet: 'people' });
    this.showPeople();
  },

  onDiagnostics() {
    this.setData({ sheet: 'diagnostics' });
    this.showDiagnostics();
  },

  onCloseSheet() {
    this.setData({ sheet: '' });
  },

  showPeople() {
    const { client } = this.session;
    if (client.uid === undefined) return;
    this.setData({
      people: peopleOf({ uid: client.uid, role: this.data.role }, client.participants, (uid) => this.session.level(uid), this.texts.t),
    });
  },

  showDiagnostics() {
    this.setData({ lines: linesOf(this.session.client, this.texts.t), codes: this.codeLog.lines });
  },

  onCopy() {
    const { lines, codes } = this.data;
    const data = [...lines.map(({ title, text }) => `${title}: ${text}`), ...codes.map(({ text }) => text)].join('\n');
    wx.setClipboardData({ data, fail: () => {} });
  },

  /** @param {WechatMiniprogram.Input} event */
  onDraft({ detail: { value } }) {
    this.setData({ draft: value });
  },

  async onSend() {
    const text = this.data.draft.trim();
    if (text === '') return;
    this.setData({ draft: '' });
    if (await this.session.say(text)) this.addMessage(this.texts.t.me, text, true);
    else this.setData({ draft: text });
  },

  /** @param {Uid} from @param {string} text */
  received(from, text) {
    this.addMessage(String(from), text, false);
    if (this.data.sheet === 'chat') return;
    this.setData({ unread: this.data.unread + 1 });
    this.notify(`${from}: ${text}`);
  },

  /** @param {string} from @param {string} text @param {boolean} mine */
  addMessage(from, text, mine) {
    const message = { id: `message-${this.nextMessage}`, from, text, mine };
    this.nextMessage += 1;
    this.setData({ messages: [...this.data.messages, message].slice(-MAX_MESSAGES), latest: message.id });
  },

  /** @param {string} notice a line over the stage */
  notify(notice) {
    clearTimeout(this.noticeTimer);
    this.setData({ notice });
    this.noticeTimer = setTimeout(() => this.setData({ notice: '' }), NOTICE_MS);
  },

  onAgain() {
    this.start();
  },

  onLeave() {
    if (getCurrentPages().length > 1) wx.navigateBack();
    else wx.reLaunch({ url: '/pages/index/index' });
  },

  onShareAppMessage() {
    return {
      title: this.texts.say('share_title', { room: this.call.room }),
      path: invitePath(this.call),
      imageUrl: '/images/share.png',
    };
  },
});
