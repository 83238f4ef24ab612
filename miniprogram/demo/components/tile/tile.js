/** A frame for one `live-pusher` or `live-player`, which is its slot, and what is known of whom it shows. */
Component({
  properties: {
    name: { type: String, value: '' },
    initials: { type: String, value: '' },
    /** Degrees of the colour circle. */
    hue: { type: Number, value: 0 },
    /** Of where they are, a name of the icons; none if empty. */
    icon: { type: String, value: '' },
    /** Instead of the picture. */
    face: { type: Boolean, value: false },
    /** `live`, `muted`, `blocked` or `absent`. */
    mic: { type: String, value: 'live' },
    /** Of their network. */
    level: { type: Number, value: 0 },
    /** Over the picture: what it waits for. */
    veil: { type: String, value: '' },
    small: { type: Boolean, value: false },
  },
});
