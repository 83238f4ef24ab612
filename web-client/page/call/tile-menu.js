import { copyText } from '../copy.js';
import { ask } from '../dialogs.js';
import { toggleMenu } from '../menu.js';

/** @typedef {import('../context.js').Context} Context */
/** @typedef {import('../model.js').Person} Person */
/** @typedef {import('../menu.js').MenuItem} MenuItem */

/** The longest word to somebody who is removed, in UTF-16 units; the server takes 256 bytes. */
const MAX_WORD = 80;

/**
 * @param {Context} context
 * @param {import('../model.js').Tile} tile
 * @param {HTMLElement} opener
 * @param {HTMLElement | null} element of the tile
 */
export function openTileMenu(context, tile, opener, element) {
  const { store } = context;
  const pinned = store.state.pinned === tile.id;
  /** @type {MenuItem[]} */
  const items = [
    {
      say: pinned ? 'menu.unpin' : 'menu.pin',
      icon: 'pin',
      testid: 'menu-pin',
      act: () => store.set({ pinned: pinned ? null : tile.id }),
    },
  ];
  if (element && document.fullscreenEnabled) {
    items.push({ say: 'menu.fullscreen', icon: 'expand', act: () => void element.requestFullscreen().catch(() => {}) });
  }
  items.push(...personItems(context, tile.person));
  toggleMenu(opener, items);
}

/**
 * What can be done about somebody, for their tile and for the list of people.
 *
 * @param {Context} context
 * @param {Person} person
 * @returns {MenuItem[]}
 */
export function personItems(context, person) {
  const { store, conference } = context;
  /** @type {MenuItem[]} */
  const items = [];
  if (!person.self) {
    const silent = store.state.silenced.has(person.key);
    items.push({
      say: silent ? 'menu.hear' : 'menu.silence',
      icon: silent ? 'speaker' : 'speaker-off',
      testid: 'menu-silence',
      act: () => conference.silence(person.key, !silent),
    });
    // Encoders have no signalling that a message could come by.
    if (person.platform !== 'encoder') {
      items.push({
        say: 'menu.message',
        icon: 'chat',
        testid: 'menu-message',
        act: () => store.set({ panel: 'chat', chatTo: person.key, unread: 0 }),
      });
    }
  }
  items.push({ say: 'menu.copy', icon: 'copy', act: () => void copyText(person.key) });
  if (store.state.admin && !person.self) items.push(...adminItems(context, person));
  return items;
}

/** @param {Context} context @param {Person} person @returns {MenuItem[]} */
function adminItems({ store, conference }, person) {
  const { blocks } = store.state;
  const noSound = blocks.has(`audio:${person.key}`);
  const noPicture = blocks.has(`video:${person.key}`);
  /** @type {MenuItem[]} */
  const items = [];
  if (person.sound !== 'none' || noSound) {
    items.push({
      say: noSound ? 'menu.unmute' : 'menu.mute',
      icon: noSound ? 'mic' : 'mic-off',
      testid: 'menu-mute',
      act: () => void conference.block(person, 'audio', !noSound),
    });
  }
  if (person.picture || noPicture) {
    items.push({
      say: noPicture ? 'menu.show' : 'menu.hide',
      icon: noPicture ? 'camera' : 'camera-off',
      testid: 'menu-hide',
      act: () => void conference.block(person, 'video', !noPicture),
    });
  }
  items.push(
    { say: 'menu.kick', icon: 'kick', danger: true, testid: 'menu-kick', act: () => void remove(conference, person, 'kick') },
    { say: 'menu.ban', icon: 'ban', danger: true, testid: 'menu-ban', act: () => void remove(conference, person, 'ban') },
  );
  return items;
}

/**
 * @param {import('../conference.js').Conference} conference
 * @param {Person} person
 * @param {'kick' | 'ban'} how
 */
async function remove(conference, person, how) {
  const word = await ask({
    title: `${how}.title`,
    text: `${how}.text`,
    parameters: { name: person.key },
    act: `${how}.act`,
    danger: true,
    field: { label: 'kick.reason', maxLength: MAX_WORD },
    testid: how,
  });
  if (word !== null) await conference[how](person, word);
}
