import { deviceChoices } from '../devices-view.js';
import { button, el, swapIcon } from '../dom.js';
import { inWords } from '../failure.js';
import { icon } from '../icons.js';
import { Meter } from '../meter.js';
import { onLanguage, put } from '../say.js';

/** How often the meter is read, in milliseconds. */
const METER_MS = 60;

/**
 * The camera's picture, the microphone's level and the choice of devices before joining.
 *
 * @param {import('../context.js').Context} context
 */
export function preview(context) {
  const { store, media, conference } = context;
  const screen = el('div', { class: 'media', testid: 'preview' });
  const meter = new Meter();
  const words = el('p');
  const allow = button({ class: 'primary', say: 'device.ask', testid: 'allow', on: { click: () => void conference.openDevices() } });
  const curtain = el('div', { class: 'curtain' }, icon('camera-off'), words, allow);
  const mic = round('mic', 'preview-mic', () => void conference.toggleMicrophone());
  const camera = round('camera', 'preview-camera', () => void conference.toggleCamera());
  const failures = el('ul', { class: 'device-failures', testid: 'device-failures', attr: { 'aria-live': 'polite' } });
  const devices = deviceChoices(context, { prefix: 'lobby' });
  const element = el(
    'section',
    { class: 'preview', label: 'lobby.preview' },
    el('div', { class: 'frame' }, screen, curtain, el('div', { class: 'preview-controls' }, mic, meter.element, camera)),
    failures,
    devices,
  );

  const render = () => {
    const { sources, place, mirror, view } = store.state;
    const audience = place.role === 'audience';
    const on = sources.camera.state === 'on';
    element.classList.toggle('audience', audience);
    curtain.hidden = on;
    mic.hidden = camera.hidden = meter.element.hidden = audience;
    devices.hidden = audience;
    allow.hidden = audience || sources.camera.state !== 'off' || sources.microphone.state !== 'off';
    put(words, audience ? 'lobby.audience' : sources.camera.state === 'opening' ? 'lobby.camera.opening' : 'lobby.camera.off');
    showToggle(mic, sources.microphone, 'mic');
    showToggle(camera, sources.camera, 'camera');
    if (on && view === 'lobby') media.camera?.play(screen, { mirror, fit: 'cover' });
    const failed = [sources.camera.failure, sources.microphone.failure].filter((failure) => failure !== null);
    failures.replaceChildren(...failed.map((failure) => el('li', {}, icon('alert'), el('span', { text: inWords(failure) }))));
  };
  store.watch(({ sources, place, mirror, view }) => [sources, place.role, mirror, view], render);
  onLanguage(render);
  setInterval(() => {
    if (store.state.view === 'lobby') meter.show(store.state.sources.microphone.state === 'on' ? (media.microphone?.getVolumeLevel() ?? 0) : 0);
  }, METER_MS);
  return element;
}

/** @param {'mic' | 'camera'} image @param {string} testid @param {() => void} act */
function round(image, testid, act) {
  return button({ class: 'round', icon: image, label: `control.${image}.off.long`, testid, on: { click: act } });
}

/**
 * A button that says what it does next and looks as it is now.
 *
 * @param {HTMLElement} element
 * @param {import('../state.js').Source} source
 * @param {'mic' | 'camera'} name
 */
export function showToggle(element, { state, blocked }, name) {
  const on = state === 'on';
  swapIcon(element, on ? name : `${name}-off`);
  element.classList.toggle('off', !on);
  element.classList.toggle('busy', state === 'opening');
  element.classList.toggle('blocked', blocked);
  element.setAttribute('aria-pressed', String(on));
  const key = /** @type {const} */ (`control.${name}.${on ? 'on' : 'off'}.long`);
  put(element, key, {}, 'aria-label');
  put(element, key, {}, 'title');
}
