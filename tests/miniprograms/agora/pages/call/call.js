const { Client, LOG } = require('../../lib/agora.js').withServer('https://rtc.example.com');

/** Before joining again, so that a server that restarts is not asked all the time. */
const REJOIN_MS = 500;

LOG.setLogLevel(1);

Page({
  data: { pushers: [], players: [], muted: false, voice: false, role: 'broadcaster', log: [] },

  onLoad({ app = 'demo', channel, uid, token, role, voice }) {
    Object.assign(this, { app, channel, uid: Number(uid), token });
    this.setData({ voice: voice === 'true' });
    if (role) this.setData({ role });
  },

  onReady() {
    this.enter(false);
  },

  onUnload() {
    clearTimeout(this.timer);
    this.client.leave();
  },

  /** Callbacks in callbacks, and listeners only once in the channel. */
  enter(again) {
    const client = new Client();
    this.client = client;
    client.init(this.app, () => {
      client.setRole(this.data.role, () => {
        const joined = (uid) => {
          this.note('joined', uid);
          this.listen(client);
          if (this.data.role === 'broadcaster') this.publish();
        };
        const failed = (error) => {
          this.note('join failed', error.code);
          if (again) this.reconnect();
        };
        const shown = this.data.players.map(({ uid }) => uid);
        if (again) client.rejoin(this.token, this.channel, this.uid, [String(this.uid), ...shown], joined, failed, this.data.voice);
        else client.join(this.token, this.channel, this.uid, joined, failed, this.data.voice);
      });
    });
  },

  publish() {
    this.client.publish((url) => {
      this.setData({ pushers: [{ key: Date.now(), url }] });
    }, (error) => this.note('publish failed', error.code));
  },

  listen(client) {
    client.on('stream-added', ({ uid }) => {
      client.subscribe(uid, (url, rotation) => {
        this.note('subscribed', { uid, rotation });
        this.show(uid, url);
      }, (error) => this.note('subscribe failed', error.code));
    });
    client.on('stream-removed', ({ uid }) => {
      this.setData({ players: this.data.players.filter((player) => player.uid !== uid) });
    });
    client.on('update-url', ({ uid, url }) => this.show(uid, url));
    client.on('error', (error) => {
      this.note('error', error.code);
      if (error.code === 904 || error.code === 501) this.reconnect();
    });
    for (const name of ['mute-audio', 'unmute-audio', 'mute-video', 'unmute-video', 'client-banned', 'token-privilege-will-expire', 'token-privilege-did-expire']) {
      client.on(name, (e) => this.note(name, e ? e.uid : null));
    }
  },

  show(uid, url) {
    const others = this.data.players.filter((player) => player.uid !== uid);
    this.setData({ players: [...others, { key: `${uid} ${Date.now()}`, uid, url }] });
  },

  reconnect() {
    clearTimeout(this.timer);
    this.client.destroy(() => {
      this.timer = setTimeout(() => this.enter(true), REJOIN_MS);
    });
  },

  toggleMute() {
    const muted = !this.data.muted;
    const done = () => this.setData({ muted });
    const failed = (error) => this.note('mute failed', error.code);
    if (muted) this.client.muteLocal('audio', done, failed);
    else this.client.unmuteLocal('audio', done, failed);
  },

  toggleRole() {
    const role = this.data.role === 'broadcaster' ? 'audience' : 'broadcaster';
    this.client.setRole(role, () => {
      this.setData({ role });
      if (role === 'broadcaster') this.publish();
      else this.setData({ pushers: [] });
    }, (error) => this.note('role failed', error.code));
  },

  /** Listens to somebody without their picture, and sees them again. */
  toggleVideo() {
    const [player] = this.data.players;
    this.soundAlone = !this.soundAlone;
    if (this.soundAlone) this.client.mute(player.uid, 'video');
    else this.client.unmute(player.uid, 'video');
  },

  renew(token) {
    this.client.renewToken(token, () => this.note('renewed', null), (error) => this.note('renewing failed', error.code));
  },

  pusherState(e) {
    this.client.updatePusherStateChange(e);
  },

  pusherNetStatus(e) {
    this.client.updatePusherNetStatus(e);
  },

  playerState(e) {
    this.client.updatePlayerStateChange(e.currentTarget.dataset.uid, e);
  },

  playerNetStatus(e) {
    this.client.updatePlayerNetStatus(e.currentTarget.dataset.uid, e);
  },

  note(what, detail) {
    this.setData({ log: [...this.data.log, { what, detail }] });
  },
});
