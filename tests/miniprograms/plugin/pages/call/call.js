const agora = require('../../lib/queqiao-plugin.js').withServer('https://rtc.example.com');

Page({
  data: { log: [] },

  onLoad({ channel, uid }) {
    Object.assign(this, { channel, uid });
  },

  onReady() {
    const client = agora.createClient({ mode: 'live', codec: 'h264' });
    client.init('demo', () => {
      client.joinChannel({ channelId: this.channel, uid: this.uid }, () => {
        const rtc = agora.createRTC({ mode: 'live', codec: 'h264', microphoneId: 'default', cameraId: 'default', audio: true, video: true });
        rtc.startLocalPreview();
        rtc.startLocalAudio();
        for (const name of ['joinedChannel', 'userOffline', 'error', 'network-quality']) {
          client.on(name, (detail) => this.setData({ log: [...this.data.log, { name, detail }] }));
        }
      });
    });
  },

  onUnload() {
    const rtc = agora.createRTC();
    rtc.stopLocalPreview();
    rtc.stopLocalAudio();
    agora.createClient().leaveChannel();
  },

  toggleCamera() {
    this.dark = !this.dark;
    if (this.dark) agora.createRTC().stopLocalPreview();
    else agora.createRTC().startLocalPreview();
  },
});
