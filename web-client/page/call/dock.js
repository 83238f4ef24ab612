import { button, el, swapIcon } from '../dom.js';
import { LocalMedia } from '../media.js';
import { toggleMenu } from '../menu.js';
import { put } from '../say.js';
import { deviceMenu } from './device-menu.js';

/** @typedef {import('../state.js').PanelName} PanelName */
/** @typedef {import('../icons.js').IconName} IconName */
/** @typedef {import('../say.js').Key} Key */

/** @type {readonly { panel: PanelName, icon: IconName }[]} */
const PANELS = [
  { panel: 'people', icon: 'people' },
  { panel: 'chat', icon: 'chat' },
  { panel: 'bring', icon: 'bridge' },
  { panel: 'log', icon: 'pulse' },
  { panel: 'settings', icon: 'gear' },
];

/**
 * The bar of controls.
 *
 * @param {import('../context.js').Context} context
 * @param {import('./actions.js').Actions} actions
 */
export function dock(context, actions) {
  const { store } = context;
  const mic = control('mic', 'control.mic.off', 'mic', actions.microphone);
  const micMenu = caret('control.mic.devices', 'mic-menu', (opener) => toggleMenu(opener, deviceMenu(context, ['audioinput', 'audiooutput'])));
  const camera = control('camera', 'control.camera.off', 'camera', actions.camera);
  const cameraMenu = caret('control.camera.devices', 'camera-menu', (opener) => toggleMenu(opener, deviceMenu(context, ['videoinput'])));
  const screen = control('screen', 'control.screen.off', 'screen', actions.screen);
  const role = control('stage', 'control.role.audience', 'role', actions.role);
  const stats = control('chart', 'control.stats', 'stats-toggle', actions.statistics);
  const panels = PANELS.map(({ panel, icon }) => ({ panel, control: control(icon, `control.${panel}`, panel, () => actions.panel(panel)) }));
  const help = control('help', 'control.help', 'help-open', actions.help);
  const badge = el('span', { class: 'badge', testid: 'unread' });
  panels.find(({ panel }) => panel === 'chat')?.control.append(badge);
  const more = control('more', 'control.more', 'more', () => toggleMenu(more, moreItems(context, actions)));
  more.classList.add('phone-only');
  const leave = control('leave', 'control.leave', 'leave', actions.leave);
  leave.classList.add('danger');
  const micGroup = el('div', { class: 'split' }, mic, micMenu);
  const cameraGroup = el('div', { class: 'split' }, camera, cameraMenu);
  const element = el(
    'div',
    { class: 'dock', testid: 'dock', label: 'control.bar', attr: { role: 'toolbar' } },
    el('div', { class: 'group' }, micGroup, cameraGroup, screen, role),
    el('div', { class: 'group desk-only' }, stats, ...panels.map((each) => each.control), help),
    el('div', { class: 'group' }, more, leave),
  );
  help.classList.add('icon-only');
  store.watch(
    ({ sources, self, statistics, panel, unread }) => [sources, self, statistics, panel, unread],
    ({ sources, self, statistics, panel, unread }) => {
      const host = self?.role !== 'audience';
      micGroup.hidden = cameraGroup.hidden = !host;
      screen.hidden = !host || !LocalMedia.canShareScreen;
      showSource(mic, sources.microphone, 'mic');
      showSource(camera, sources.camera, 'camera');
      const sharing = sources.screen.state === 'on';
      swapIcon(screen, sharing ? 'screen-stop' : 'screen');
      press(screen, sharing, sharing ? 'control.screen.on' : 'control.screen.off');
      screen.classList.toggle('active', sharing);
      swapIcon(role, host ? 'seat' : 'stage');
      press(role, host, host ? 'control.role.audience' : 'control.role.host');
      role.removeAttribute('aria-pressed');
      press(stats, statistics, 'control.stats');
      stats.classList.toggle('active', statistics);
      for (const each of panels) {
        const open = each.panel === panel;
        each.control.setAttribute('aria-expanded', String(open));
        each.control.classList.toggle('active', open);
      }
      badge.hidden = unread === 0;
      badge.textContent = unread > 9 ? '9+' : String(unread);
      more.classList.toggle('unread', unread > 0);
    },
  );
  return element;
}

/** @param {IconName} icon @param {Key} say @param {string} testid @param {() => void} act */
function control(icon, say, testid, act) {
  const element = button({ class: 'control', icon, say, testid, on: { click: act } });
  put(element, say, {}, 'title');
  return element;
}

/** @param {Key} label @param {string} testid @param {(opener: HTMLElement) => void} open */
function caret(label, testid, open) {
  const element = button({
    class: 'caret',
    icon: 'up',
    label,
    testid,
    attr: { 'aria-haspopup': 'menu', 'aria-expanded': 'false' },
    on: { click: () => open(element) },
  });
  return element;
}

/** @param {HTMLElement} element @param {boolean} pressed @param {Key} say */
function press(element, pressed, say) {
  element.setAttribute('aria-pressed', String(pressed));
  const words = element.querySelector('span');
  if (words) put(words, say);
  put(element, say, {}, 'title');
}

/** @param {HTMLElement} element @param {import('../state.js').Source} source @param {'mic' | 'camera'} name */
function showSource(element, { state, blocked }, name) {
  const on = state === 'on';
  swapIcon(element, on ? name : `${name}-off`);
  press(element, on, `control.${name}.${on ? 'on' : 'off'}`);
  element.removeAttribute('aria-pressed');
  put(element, `control.${name}.${on ? 'on' : 'off'}.long`, {}, 'title');
  element.classList.toggle('off', !on);
  element.classList.toggle('busy', state === 'opening');
  element.classList.toggle('blocked', blocked);
}

/**
 * What a phone has no room for.
 *
 * @param {import('../context.js').Context} context
 * @param {import('./actions.js').Actions} actions
 * @returns {import('../menu.js').MenuItem[]}
 */
function moreItems({ store }, actions) {
  const { panel, statistics } = store.state;
  return [
    ...PANELS.map(({ panel: name, icon }) => ({
      say: /** @type {Key} */ (`control.${name}`),
      icon,
      testid: `more-${name}`,
      act: () => {
        if (panel !== name) actions.panel(name);
      },
    })),
    { say: 'control.stats', icon: statistics ? 'check' : 'chart', testid: 'more-stats', act: actions.statistics },
    { say: 'control.help', icon: 'help', testid: 'more-help', act: actions.help },
  ];
}
