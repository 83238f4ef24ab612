Component({
  properties: {
    url: String,
    uid: String,
    screen: Boolean,
  },
  methods: {
    pass(e) {
      const { uid, screen } = this.data;
      this.triggerEvent(e.type, { uid, screen, event: e });
    },
  },
});
