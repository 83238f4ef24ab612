const { ZegoExpressEngine } = require('../../lib/zego-express-engine.js').withServer('https://rtc.example.com');

const APP_ID = 2468101214;
const EVENTS = [
  'roomStateChanged', 'roomUserUpdate', 'roomStreamUpdate', 'streamExtraInfoUpdate', 'roomExtraInfoUpdate', 'publisherStateUpdate',
  'playerStateUpdate', 'publishQualityUpdate', 'playQualityUpdate', 'IMRecvBroadcastMessage', 'IMRecvCustomCommand', 'tokenWillExpire',
];

Page({
  data: { me: {}, others: [], state: 'DISCONNECTED', count: 0, soundOnly: false, log: [] },

  onLoad(options) {
    const [room, uid, name, token, streamID] = ['room', 'uid', 'name', 'token', 'streamID'].map((key) => decodeURIComponent(options[key]));
    this.who = { room, uid, name, token, streamID };
    const engine = new ZegoExpressEngine(APP_ID, 'wss://not-asked.example.com/ws');
    this.engine = engine;
    engine.setLogConfig({ logLevel: 'error' });
    for (const name of EVENTS) engine.on(name, (...args) => this.setData({ log: [...this.data.log, [name, ...args]] }));
    engine.on('roomStateUpdate', (_room, state) => this.setData({ state }));
    engine.on('roomOnlineUserCountUpdate', (_room, count) => this.setData({ count }));
    engine.on('roomStreamUpdate', (_room, type, streams) => {
      for (const { streamID } of streams) {
        const player = engine.getPlayerInstance(streamID);
        if (type === 'ADD') player.play().catch((error) => this.note('play', error));
        else player.stop();
      }
    });
    engine.initContext({ wxContext: this, pushAtr: 'me', playAtr: 'others' });
  },

  onUnload() {
    this.engine.destroyEngine();
  },

  async enter() {
    const { room, uid, name, token } = this.who;
    try {
      await this.engine.loginRoom(room, token, { userID: uid, userName: name }, { userUpdate: true });
    } catch (error) {
      this.note('login', error);
    }
  },

  async publish() {
    const pusher = this.engine.createPusher({ mode: 'RTC', minBitrate: 200, maxBitrate: 500 });
    try {
      await pusher.start(this.who.streamID, { extraInfo: 'from the phone' });
    } catch (error) {
      this.note('publish', error);
    }
  },

  toggleMic() {
    this.engine.mutePublishStreamAudio(this.data.me.enableMic);
  },

  toggleVideo() {
    const soundOnly = !this.data.soundOnly;
    for (const { id } of this.data.others) this.engine.mutePlayStreamVideo(id, soundOnly);
    this.setData({ soundOnly });
  },

  async greet() {
    this.note('sent', await this.engine.sendBroadcastMessage(this.who.room, 'hello from the phone'));
  },

  leave() {
    const pusher = this.engine.getPusherInstance();
    if (pusher) pusher.stop();
    this.engine.logoutRoom(this.who.room);
  },

  pushState(e) {
    this.engine.updatePlayerState(this.data.unknown, e);
  },

  pushNet(e) {
    this.engine.updatePlayerNetStatus(this.who.streamID, e);
  },

  pushVolume(e) {
    this.engine.updateAudioVolumeNotify(this.who.streamID, e);
  },

  playState(e) {
    this.engine.updatePlayerState(e.currentTarget.id, e);
  },

  playNet(e) {
    this.engine.updatePlayerNetStatus(e.currentTarget.id, e);
  },

  note(what, { errorCode }) {
    this.setData({ log: [...this.data.log, [what, errorCode]] });
  },
});
