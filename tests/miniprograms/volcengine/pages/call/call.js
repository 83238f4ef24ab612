const { Client, EVENTS } = require('../../lib/miniapp-rtc.min.js').withServer('https://rtc.example.com');

/** Tells the streams of a page apart. */
const keyOf = ({ uid, screen }) => `${uid}-${screen ? 'screen' : 'camera'}`;

Page({
  data: { pushUrl: '', streams: [], peers: [], mic: true, camera: true, paused: {}, log: [] },

  onLoad(options) {
    this.room = options.room;
    this.uid = options.uid;
  },

  onReady() {
    this.enter();
  },

  onUnload() {
    if (this.client) this.client.destroy();
  },

  enter() {
    if (this.client) this.client.destroy();
    this.setData({ pushUrl: '', streams: [], peers: [] });
    this.client = new Client();
    this.listen(this.client);
    this.client.init('demo');
    this.client.join('any token', this.room, this.uid, () => {
      this.client.publish((pushUrl) => this.setData({ pushUrl }), (error) => this.note('publish', error));
    }, (error) => this.note('join', error));
  },

  listen(client) {
    client.removeAllListeners();
    client.on(EVENTS.PEER_ONLINE, ({ uid }) => this.setData({ peers: [...this.data.peers, uid] }));
    client.on(EVENTS.PEER_LEAVE, ({ uid }) => this.setData({ peers: this.data.peers.filter((peer) => peer !== uid) }));
    client.on(EVENTS.STREAM_ADDED, async ({ uid, screen }) => {
      const url = await client.subscribe(uid, { screen });
      this.show({ uid, screen, url });
    });
    client.on(EVENTS.STREAM_REMOVED, (stream) => {
      this.setData({ streams: this.data.streams.filter((shown) => shown.key !== keyOf(stream)) });
    });
    client.on(EVENTS.UPDATE_URL, (stream) => {
      if (stream.uid === this.uid) this.setData({ pushUrl: stream.url });
      else this.show(stream);
    });
    for (const name of ['MUTE_AUDIO', 'UNMUTE_AUDIO', 'MUTE_VIDEO', 'UNMUTE_VIDEO', 'STREAM_FAILED', 'CLIENT_BANNED', 'DISCONNECT', 'ERROR']) {
      client.on(EVENTS[name], (e) => this.note(name, e));
    }
    client.on(EVENTS.ROOM_MESSAGE_RECEIVED, ({ uid, message }) => this.note('message', `${uid}: ${message}`));
  },

  show({ uid, screen, url }) {
    const key = keyOf({ uid, screen });
    const others = this.data.streams.filter((shown) => shown.key !== key);
    this.setData({ streams: [...others, { key, uid, screen, url }] });
  },

  async toggleMic() {
    const mic = !this.data.mic;
    await this.client.muteLocal({ audio: !mic });
    this.setData({ mic });
  },

  async pause(e) {
    const { uid, key } = e.currentTarget.dataset;
    const paused = !this.data.paused[key];
    await this.client.muteRemote(uid, { audio: paused, video: paused, screen: key === keyOf({ uid, screen: true }) });
    this.setData({ paused: { ...this.data.paused, [key]: paused } });
  },

  async greet() {
    await this.client.sendRoomMessage('hello from the phone');
  },

  pusherState({ detail }) {
    this.client.reportPusherStateChange(detail.code, detail.message);
  },

  pusherNetStatus({ detail }) {
    this.client.reportPusherNetStatusChange(detail.info);
  },

  playerState({ detail: { uid, screen, event } }) {
    this.client.reportPlayerStateChange(uid, event.detail.code, event.detail.message, screen);
  },

  playerNetStatus({ detail: { uid, screen, event } }) {
    this.client.reportPlayerNetStatusChange(uid, event.detail.info, screen);
  },

  note(what, detail) {
    this.setData({ log: [...this.data.log, { what, detail: detail || null }] });
  },
});
