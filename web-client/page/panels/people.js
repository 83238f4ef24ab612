import { personItems } from '../call/tile-menu.js';
import { PLATFORM_ICONS } from '../call/tile.js';
import { ask } from '../dialogs.js';
import { button, el } from '../dom.js';
import { icon } from '../icons.js';
import { toggleMenu } from '../menu.js';
import { hueOf, initials, onStage } from '../model.js';
import { put } from '../say.js';

/** @typedef {import('../model.js').Person} Person */

/**
 * Everybody in the room.
 *
 * @param {import('../context.js').Context} context
 */
export function peoplePanel(context) {
  const { store } = context;
  const stage = group('people.stage');
  const audience = group('people.audience');
  const close = button({ class: 'quiet danger-text', icon: 'ban', say: 'people.close', testid: 'close-room', on: { click: () => void closeRoom(context) } });
  const element = el('div', { class: 'panel-body people' }, stage.element, audience.element, close);
  store.watch(
    ({ self, others, admin, blocks, silenced }) => [self, others, admin, blocks, silenced],
    ({ self, others, admin }) => {
      const everybody = self ? [self, ...others] : others;
      stage.show(context, everybody.filter(onStage));
      audience.show(context, everybody.filter((person) => !onStage(person)));
      close.hidden = !admin;
    },
  );
  return element;
}

/** @param {import('../say.js').Key} title */
function group(title) {
  const count = el('span', { class: 'number' });
  const list = el('ul');
  const element = el('section', {}, el('h3', {}, el('span', { say: title }), count), list);
  /** Rows are kept, so that the keyboard stays where it is. @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map();
  return {
    element,
    /** @param {import('../context.js').Context} context @param {readonly Person[]} people */
    show(context, people) {
      element.hidden = people.length === 0;
      count.textContent = String(people.length);
      const keys = new Set(people.map(({ key }) => key));
      for (const [key, { element: gone }] of rows) {
        if (keys.has(key)) continue;
        gone.remove();
        rows.delete(key);
      }
      for (const person of people) {
        const known = rows.get(person.key) ?? row(context, person);
        if (!rows.has(person.key)) list.append(known.element);
        rows.set(person.key, known);
        known.show(person);
      }
    },
  };
}

/** @param {import('../context.js').Context} context @param {Person} first */
function row(context, first) {
  let person = first;
  const name = el('span', { class: 'name' });
  const about = el('span', { class: 'about' });
  const sound = el('span', { class: 'sound' });
  const menu = button({ class: 'bare', icon: 'more', testid: 'person-menu', attr: { 'aria-haspopup': 'menu', 'aria-expanded': 'false' } });
  menu.addEventListener('click', () => toggleMenu(menu, personItems(context, person)));
  const element = el(
    'li',
    { testid: 'person', attr: { 'data-uid': first.key } },
    el('span', { class: 'face', text: initials(first.key), attr: { 'aria-hidden': 'true', 'data-hue': String(hueOf(first.key)) } }),
    el('div', { class: 'who' }, name, about),
    sound,
    menu,
  );
  return {
    element,
    /** @param {Person} next */
    show(next) {
      person = next;
      put(name, next.self ? 'tile.you' : 'tile.camera', { name: next.key });
      const state = el('span', {}, icon(PLATFORM_ICONS[next.platform]), el('span', { say: `platform.${next.platform}` }));
      about.replaceChildren(state);
      if (!next.connected) about.append(el('em', { say: 'tile.reconnecting' }));
      sound.replaceChildren();
      if (onStage(next)) {
        sound.append(icon(next.sound === 'on' ? 'mic' : 'mic-off'), icon(next.picture ? 'camera' : 'camera-off'));
        if (next.screen) sound.append(icon('screen'));
      }
      put(menu, 'tile.menu', { name: next.key }, 'aria-label');
    },
  };
}

/** @param {import('../context.js').Context} context */
async function closeRoom({ conference }) {
  const answer = await ask({ title: 'close.title', text: 'close.text', act: 'close.act', danger: true, testid: 'close-dialog' });
  if (answer !== null) await conference.closeRoom();
}
