/** Comes up from the lower edge with whatever its slot holds; tells `close` when the user has had enough. */
Component({
  properties: {
    title: { type: String, value: '' },
    closeLabel: { type: String, value: '' },
  },

  methods: {
    onClose() {
      this.triggerEvent('close');
    },

    /** Taps on the sheet itself stay there. */
    onSheet() {},
  },
});
