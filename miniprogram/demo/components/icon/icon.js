/** A drawing in the colour of the text around it. */
Component({
  properties: {
    /** A class of icon.wxss. */
    name: { type: String, value: '' },
    /** In px. */
    size: { type: Number, value: 22 },
  },
});
