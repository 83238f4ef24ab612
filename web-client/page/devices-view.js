import { el, fillSelect, picker } from './dom.js';
import { LocalMedia } from './media.js';
import { QUALITIES } from './qualities.js';
import { onLanguage, say } from './say.js';

/** @typedef {import('./state.js').DeviceKind} DeviceKind */

const LOOKS = /** @type {const} */ ([
  ['videoinput', 'device.camera', 'camera'],
  ['audioinput', 'device.microphone', 'mic'],
  ['audiooutput', 'device.speaker', 'speaker'],
]);

/**
 * What a device list offers: the system's choice, then everything that the browser tells the name of.
 *
 * @param {readonly import('./state.js').Device[]} devices
 */
export function deviceOptions(devices) {
  const named = devices.map(({ id, label }, index) => ({
    value: id,
    text: label === '' ? say('device.unnamed', { number: index + 1 }) : label,
  }));
  return [{ value: '', text: say('device.default') }, ...named];
}

/** @param {import('./qualities.js').Quality} quality */
export function qualityText({ width, height, fps }) {
  return say('device.quality.value', { width, height, fps });
}

/**
 * Selects for camera, microphone and speaker, and for the picture.
 *
 * @param {import('./context.js').Context} context
 * @param {{ withQuality?: boolean, prefix: string }} options
 */
export function deviceChoices({ store, media, conference }, { withQuality = false, prefix }) {
  const element = el('div', { class: 'device-choices' });
  const pickers = LOOKS.filter(([kind]) => kind !== 'audiooutput' || LocalMedia.canChooseSpeaker).map(([kind, label, icon]) => {
    const choose = (/** @type {string} */ id) => {
      void media.choose(kind, id);
      if (kind === 'audiooutput') void conference.chooseSpeaker(id);
    };
    const made = picker({ label, icon, testid: `${prefix}-${kind}`, choose });
    element.append(made.element);
    return { kind, select: made.select };
  });
  const quality = picker({ label: 'device.quality', testid: `${prefix}-quality`, choose: (id) => void media.chooseQuality(id) });
  if (withQuality) element.append(quality.element);
  const render = () => {
    const { devices, chosen, quality: picture } = store.state;
    for (const { kind, select } of pickers) fillSelect(select, deviceOptions(devices[kind]), chosen[kind]);
    fillSelect(quality.select, QUALITIES.map((each) => ({ value: each.id, text: qualityText(each) })), picture);
  };
  store.watch(({ devices, chosen, quality: picture }) => [devices, chosen, picture], render);
  onLanguage(render);
  return element;
}
