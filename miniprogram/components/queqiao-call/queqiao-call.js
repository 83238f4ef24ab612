/**
 * Shows the call of the plugin: one's own camera and everybody who publishes, side by side. The page only places it.
 * It has to load the very file that the page loads, since the call lives in that module.
 */
const { bindCall } = require('../../lib/queqiao-plugin.js');

Component({
  properties: {
    /** 0 to 9. */
    beauty: { type: Number, value: 0 },
    /** 0 to 9. */
    whiteness: { type: Number, value: 0 },
    /** What others see while the mini-program is in the background: an https address or a file of the package. */
    waitingImage: { type: String, value: '' },
    /** WeChat's own figures, written over the pictures. */
    debug: { type: Boolean, value: false },
  },

  /** Written by the call, but for `count`. */
  data: { pushers: [], players: [], camera: false, microphone: false, facing: 'front', preview: false, count: 0 },

  observers: {
    'pushers, players, preview'(pushers, players, preview) {
      const count = Math.max(pushers.length, preview ? 1 : 0) + players.length;
      if (count !== this.data.count) this.setData({ count });
    },
    preview(preview) {
      // The element exists once the data are on the screen.
      if (preview) wx.nextTick(() => this.data.preview && wx.createLivePusherContext(this).startPreview());
    },
  },

  lifetimes: {
    attached() {
      this.call = bindCall(this);
    },
    detached() {
      this.call.release();
    },
  },

  pageLifetimes: {
    show() {
      // Players that came in the background have not begun, and those that were stopped stay so.
      for (const { id, phase } of this.data.players) {
        if (phase !== 'live') wx.createLivePlayerContext(id, this).play();
      }
    },
  },

  methods: {
    pusherState(event) {
      this.call.pusherState(event);
    },
    pusherNetStatus(event) {
      this.call.pusherNetStatus(event);
    },
    playerState(event) {
      this.call.playerState(event);
    },
    playerNetStatus(event) {
      this.call.playerNetStatus(event);
    },
  },
});
