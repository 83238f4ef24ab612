/** A drawing in the colour of the text around it. */
Component({
  properties: {
    /** A class of icon.wxss. */
    name: { type: String, value: '' },
    /** In rpx. */
    size: { type: Number, value: 44 },
  },
});
