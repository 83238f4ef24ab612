import { button, el } from '../dom.js';
import { icon } from '../icons.js';
import { featured, tilesOf, Voices } from '../model.js';
import { put } from '../say.js';
import { arrange } from './layout.js';
import { openTileMenu } from './tile-menu.js';
import { TileView } from './tile.js';

/** @typedef {import('../model.js').Tile} Tile */

/** How often voices are listened to, in milliseconds. */
const VOICES_MS = 150;

/** The tiles, and where they stand. */
export class Stage {
  #context;
  #collector;
  #floor = el('div', { class: 'floor' });
  #rest = el('p', { class: 'rest' });
  #empty = el('div', { class: 'empty' });
  /** @type {Map<string, TileView>} */
  #views = new Map();
  /** @type {Tile[]} */
  #tiles = [];
  #voices = new Voices();
  element = el('section', { class: 'stage', testid: 'stage', label: 'call.stage' }, this.#floor);

  /**
   * @param {import('../context.js').Context} context
   * @param {import('../stats/collector.js').Collector} collector
   */
  constructor(context, collector) {
    this.#context = context;
    this.#collector = collector;
    this.#floor.append(this.#rest);
    this.element.append(this.#empty);
    const { store } = context;
    this.#empty.append(
      icon('bridge'),
      el('h2', { say: 'call.empty' }),
      el('p', { say: 'call.empty.hint' }),
      button({ class: 'quiet', icon: 'link', say: 'control.invite', on: { click: () => store.set({ panel: 'bring' }) } }),
    );
    store.watch(
      ({ self, others, pinned, mirror, statistics, qualityOf, network }) => [self, others, pinned, mirror, statistics, qualityOf, network],
      () => this.#render(),
    );
    new ResizeObserver(() => this.#arrange()).observe(this.element);
    collector.listeners.add(() => this.#showStats());
    setInterval(() => this.#listen(), VOICES_MS);
  }

  #render() {
    const { self, others, pinned, mirror, statistics, qualityOf, network } = this.#context.store.state;
    // Others first: one knows what one looks like.
    this.#tiles = self ? tilesOf([...others, self]) : [];
    const ids = new Set(this.#tiles.map(({ id }) => id));
    for (const [id, view] of this.#views) {
      if (ids.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
    const large = new Set(featured(this.#tiles, pinned).map(({ id }) => id));
    for (const tile of this.#tiles) {
      const quality = tile.person.self ? network.uplink : (qualityOf[tile.person.key]?.uplink ?? 0);
      const look = { pinned: tile.id === pinned, large: large.has(tile.id), mirror, statistics, quality };
      this.#view(tile).render(tile, look);
    }
    this.#empty.hidden = this.#tiles.length > 0 || !self;
    this.#arrange();
    this.#showStats();
  }

  /** @param {Tile} tile */
  #view(tile) {
    const known = this.#views.get(tile.id);
    if (known) return known;
    const view = new TileView(tile, {
      trackOf: (which) => this.#trackOf(which),
      menu: (which, opener) => openTileMenu(this.#context, which, opener, this.#views.get(which.id)?.element ?? null),
      pin: (id) => this.#pin(id),
    });
    this.#views.set(tile.id, view);
    this.#floor.append(view.element);
    return view;
  }

  /** @param {string} id */
  #pin(id) {
    const { store } = this.#context;
    store.set({ pinned: store.state.pinned === id ? null : id });
  }

  /** @param {Tile} tile */
  #trackOf({ person, stream }) {
    const { media, conference } = this.#context;
    if (person.self) return stream === 'screen' ? media.screen : media.camera;
    const user = conference.user(person.key);
    return stream === 'screen' ? user?.screenTrack : user?.videoTrack;
  }

  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    const large = featured(this.#tiles, this.#context.store.state.pinned);
    const small = this.#tiles.filter((tile) => !large.includes(tile));
    const places = arrange({ large: large.length, small: small.length }, { width, height });
    large.forEach((tile, index) => this.#place(tile, places.large[index] ?? null));
    small.forEach((tile, index) => this.#place(tile, places.small[index] ?? null));
    this.#floor.style.height = `${places.height}px`;
    this.element.classList.toggle('scrolls', places.height > height + 1);
    this.#rest.hidden = places.rest === null;
    if (!places.rest) return;
    const { x, y, width: w, height: h } = places.rest;
    Object.assign(this.#rest.style, { width: `${w}px`, height: `${h}px`, transform: `translate(${x}px, ${y}px)` });
    put(this.#rest, 'call.hidden', { count: places.small.filter((box) => box === null).length });
  }

  /**
   * @param {Tile} tile
   * @param {import('./layout.js').Box | null} box null: there is no place for it
   */
  #place({ id, person, stream }, box) {
    this.#views.get(id)?.move(box);
    // A screen is sent in one size.
    if (!person.self && stream === 'camera') this.#context.conference.shown(person.key, box);
  }

  #showStats() {
    if (!this.#context.store.state.statistics) return;
    for (const [id, view] of this.#views) view.showStats(this.#collector.minute(id));
  }

  #listen() {
    const { conference, media } = this.#context;
    if (!conference.client) return;
    /** @type {Map<string, number>} */
    const levels = new Map();
    for (const { id, person, stream } of this.#tiles) {
      if (person.self && stream === 'camera') levels.set(id, person.sound === 'on' ? (media.microphone?.getVolumeLevel() ?? 0) : 0);
      if (person.self) continue;
      const user = conference.user(person.key);
      const track = stream === 'screen' ? user?.screenAudioTrack : user?.audioTrack;
      levels.set(id, track?.getVolumeLevel() ?? 0);
    }
    const speaking = this.#voices.update(levels, performance.now());
    for (const [id, view] of this.#views) view.speak(speaking.has(id));
  }
}
