import { deviceOptions, qualityText } from '../devices-view.js';
import { LocalMedia } from '../media.js';
import { QUALITIES } from '../qualities.js';

/** @typedef {import('../state.js').DeviceKind} DeviceKind */

const HEADINGS = /** @type {const} */ ({
  audioinput: 'device.microphone',
  videoinput: 'device.camera',
  audiooutput: 'device.speaker',
});

/**
 * A menu of devices, and of pictures where a camera is chosen.
 *
 * @param {import('../context.js').Context} context
 * @param {readonly DeviceKind[]} kinds
 * @returns {import('../menu.js').MenuItem[]}
 */
export function deviceMenu({ store, media, conference }, kinds) {
  const { devices, chosen, quality } = store.state;
  /** @type {import('../menu.js').MenuItem[]} */
  const items = [];
  for (const kind of kinds) {
    if (kind === 'audiooutput' && !LocalMedia.canChooseSpeaker) continue;
    items.push({ say: HEADINGS[kind], heading: true });
    for (const { value, text } of deviceOptions(devices[kind])) {
      const act = () => {
        void media.choose(kind, value);
        if (kind === 'audiooutput') void conference.chooseSpeaker(value);
      };
      items.push({ text, checked: chosen[kind] === value, act });
    }
  }
  if (!kinds.includes('videoinput')) return items;
  items.push({ say: 'device.quality', heading: true });
  for (const each of QUALITIES) {
    items.push({ text: qualityText(each), checked: quality === each.id, act: () => void media.chooseQuality(each.id) });
  }
  return items;
}
