const { barsOf } = require('../../utils/quality.js');

/** Three bars for a level of the network: 0 unknown, 1 best to 6 unusable. */
Component({
  properties: {
    level: { type: Number, value: 0 },
  },

  data: { bars: 0 },

  observers: {
    level(level) {
      this.setData({ bars: barsOf(level) });
    },
  },
});
