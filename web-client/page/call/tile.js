import { button, el, swapIcon } from '../dom.js';
import { icon } from '../icons.js';
import { hueOf, initials } from '../model.js';
import { put } from '../say.js';
import { StatsOverlay } from '../stats/overlay.js';

/** @typedef {import('../model.js').Tile} Tile */

/** @type {Readonly<Record<import('../model.js').Platform, import('../icons.js').IconName>>} */
export const PLATFORM_ICONS = { web: 'browser', native: 'chip', miniprogram: 'bubble', encoder: 'antenna' };

/** A picture that is this much narrower or wider than its tile is shown whole, not cut. */
const CUT_RATIO = 1.9;

/** A network from this quality on is worth a sign on the tile: 4 poor, 6 unusable. */
const POOR = 4;

/**
 * @typedef {object} TileActions
 * @property {(tile: Tile) => { play(element: HTMLElement, options?: object): void, stop(): void } | null | undefined} trackOf
 * @property {(tile: Tile, opener: HTMLElement) => void} menu
 * @property {(id: string) => void} pin
 */

/**
 * @typedef {object} TileLook what of a tile changes beside the person
 * @property {boolean} pinned
 * @property {boolean} large
 * @property {boolean} mirror
 * @property {boolean} statistics
 * @property {number} quality 0 unknown, 1 best to 6 unusable
 */

/** One picture on the stage, with what is known of it. */
export class TileView {
  #tile;
  #actions;
  #media = el('div', { class: 'media' });
  #face = el('div', { class: 'face', attr: { 'aria-hidden': 'true' } }, el('span'));
  #veil = el('p', { class: 'veil' });
  #mic = el('span', { class: 'mic' }, icon('mic'));
  #name = el('span', { class: 'name', testid: 'tile-name' });
  #platform = el('span', { class: 'platform', testid: 'tile-platform' });
  #role = el('span', { class: 'role' });
  #signal = el('span', { class: 'signal' }, el('i'), el('i'), el('i'));
  #pin = button({ class: 'bare', icon: 'pin', label: 'tile.pin', testid: 'tile-pin' });
  #menu = button({ class: 'bare', icon: 'more', testid: 'tile-menu', attr: { 'aria-haspopup': 'menu' } });
  #stats = new StatsOverlay();
  /** @type {ReturnType<TileActions['trackOf']>} */
  #playing = null;
  #mirrored = false;
  /** Whether the track that plays has brought a picture: one of a phone that sends sound alone never does. */
  #pictured = false;
  /** @type {import('./layout.js').Box | null} */
  #box = null;
  element;

  /** @param {Tile} tile @param {TileActions} actions */
  constructor(tile, actions) {
    this.#tile = tile;
    this.#actions = actions;
    const { person, stream, id } = tile;
    const plate = el('div', { class: 'plate' }, this.#mic, this.#name, this.#platform, this.#role, this.#signal);
    const tools = el('div', { class: 'tools' }, this.#pin, this.#menu);
    this.element = el(
      'article',
      { class: 'tile', testid: 'tile', attr: { 'data-uid': person.key, 'data-stream': stream, 'data-hue': String(hueOf(person.key)) } },
      this.#media,
      this.#face,
      this.#stats.element,
      this.#veil,
      plate,
      tools,
    );
    const letters = this.#face.firstElementChild;
    if (letters) letters.textContent = initials(person.key);
    this.#pin.addEventListener('click', () => actions.pin(id));
    this.#menu.addEventListener('click', () => actions.menu(this.#tile, this.#menu));
    this.element.addEventListener('dblclick', () => actions.pin(id));
    // The size of a picture is known, and may change, only while it plays.
    for (const event of ['resize', 'loadedmetadata']) this.#media.addEventListener(event, () => this.fit(), true);
    this.#media.addEventListener('loadeddata', () => {
      this.#pictured = true;
      this.#show();
    }, true);
  }

  get tile() {
    return this.#tile;
  }

  /** @param {Tile} tile @param {TileLook} look */
  render(tile, look) {
    this.#tile = tile;
    const { person, stream } = tile;
    const { element } = this;
    const shown = tile.track !== '';
    element.classList.toggle('self', person.self);
    element.classList.toggle('away', !person.connected);
    element.classList.toggle('pinned', look.pinned);
    element.classList.toggle('large', look.large);
    element.classList.toggle('with-stats', look.statistics);
    element.classList.toggle('muted', stream === 'camera' && person.sound !== 'on');
    this.#writePlate(tile, look);
    const waiting = stream === 'screen' || person.picture ? !shown : false;
    this.#veil.hidden = person.connected && !waiting;
    put(this.#veil, person.connected ? 'tile.waiting' : 'tile.reconnecting');
    this.#stats.element.hidden = !look.statistics;
    this.#pin.setAttribute('aria-pressed', String(look.pinned));
    put(this.#pin, look.pinned ? 'tile.unpin' : 'tile.pin', {}, 'aria-label');
    put(this.#menu, 'tile.menu', { name: person.key }, 'aria-label');
    put(element, stream === 'screen' ? 'tile.screen' : person.self ? 'tile.you' : 'tile.camera', { name: person.key }, 'aria-label');
    this.#play(tile, look);
    this.#show();
  }

  #show() {
    this.element.classList.toggle('shown', this.#playing !== null && this.#pictured);
  }

  /** @param {Tile} tile @param {TileLook} look */
  #writePlate({ person, stream }, look) {
    put(this.#name, stream === 'screen' ? 'tile.screen' : person.self ? 'tile.you' : 'tile.camera', { name: person.key });
    const off = person.sound !== 'on';
    this.#mic.hidden = stream === 'screen';
    swapIcon(this.#mic, off ? 'mic-off' : 'mic');
    this.#mic.classList.toggle('off', off);
    if (off) put(this.#mic, 'tile.muted', {}, 'title');
    else this.#mic.removeAttribute('title');
    if (!this.#platform.hasChildNodes() || this.element.dataset.platform !== person.platform) {
      this.element.dataset.platform = person.platform;
      const words = el('span', { say: `platform.${person.platform}` });
      this.#platform.replaceChildren(icon(PLATFORM_ICONS[person.platform]), words);
      put(this.#platform, `platform.${person.platform}`, {}, 'title');
    }
    // On stage everybody is a host; what is not usual is said.
    this.#role.hidden = person.role === 'host';
    put(this.#role, `role.${person.role}`);
    this.#signal.hidden = look.quality < POOR;
    this.#signal.dataset.quality = String(look.quality);
    put(this.#signal, 'tile.poor', {}, 'title');
  }

  /** @param {Tile} tile @param {TileLook} look */
  #play(tile, look) {
    const mirror = tile.person.self && tile.stream === 'camera' && look.mirror;
    const track = tile.track === '' ? null : this.#actions.trackOf(tile);
    if (track === this.#playing && (track === null || mirror === this.#mirrored)) return;
    if (this.#playing !== track) {
      this.#playing?.stop();
      this.#pictured = false;
    }
    this.#playing = track;
    this.#mirrored = mirror;
    track?.play(this.#media, { mirror, fit: tile.stream === 'screen' ? 'contain' : 'cover' });
  }

  /** Shows a picture whole if its shape is far from the tile's. */
  fit() {
    const video = this.#media.querySelector('video');
    // The box that it is going to have: its size is still moving there.
    if (!video || video.videoWidth === 0 || !this.#box) return;
    const ratio = video.videoWidth / video.videoHeight / (this.#box.width / this.#box.height);
    const whole = this.#tile.stream === 'screen' || ratio > CUT_RATIO || ratio < 1 / CUT_RATIO;
    this.element.classList.toggle('whole', whole);
  }

  /** @param {import('./layout.js').Box | null} box null: there is no place for it */
  move(box) {
    this.element.hidden = box === null;
    this.#box = box;
    if (!box) return;
    const { style } = this.element;
    style.width = `${box.width}px`;
    style.height = `${box.height}px`;
    style.transform = `translate(${box.x}px, ${box.y}px)`;
    this.fit();
  }

  /** @param {boolean} speaking */
  speak(speaking) {
    this.element.classList.toggle('speaking', speaking);
  }

  /** @param {import('../stats/collector.js').Minute | undefined} minute */
  showStats(minute) {
    if (!this.#stats.element.hidden && !this.element.hidden) this.#stats.show(minute, this.#tile.person.key);
  }
}
