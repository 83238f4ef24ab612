import { tilesOf } from '../model.js';
import { FIGURES, pictureDetail, receivedFigures, sentFigures } from './figures.js';
import { Series } from './series.js';

/** @typedef {import('./figures.js').Figure} Figure */
/** @typedef {import('./figures.js').Stats} Stats */
/** @typedef {import('../model.js').Tile} Tile */

/**
 * The last minute of a tile.
 *
 * @typedef {object} Minute
 * @property {Record<Figure, Series>} series
 * @property {string} detail size and codec of the picture
 * @property {boolean} sending
 */

/** @typedef {{ rtt: number | null, up: number | null, down: number | null, available: number | null }} Session */

/** Measures once a second, whether or not anybody looks: a chart that is opened shows what was. */
const EVERY_MS = 1000;

/** The statistics of every tile. */
export class Collector {
  #context;
  /** @type {Map<string, Minute>} */
  #minutes = new Map();
  /** @type {Session} */
  session = { rtt: null, up: null, down: null, available: null };
  /** Is told after every measurement. @type {Set<() => void>} */
  listeners = new Set();

  /** @param {import('../context.js').Context} context */
  constructor(context) {
    this.#context = context;
    setInterval(() => this.measure(), EVERY_MS);
  }

  /** @param {string} id of a tile */
  minute(id) {
    return this.#minutes.get(id);
  }

  /** Reads everything once. */
  measure() {
    const { conference, store } = this.#context;
    const { client } = conference;
    const { self, others } = store.state;
    if (!client || !self) return this.#minutes.clear();
    const rtc = client.getRTCStats();
    this.session = {
      rtt: rtc.RTT,
      up: rtc.SendBitrate,
      down: rtc.RecvBitrate,
      available: rtc.OutgoingAvailableBandwidth * 1000,
    };
    const tiles = tilesOf([self, ...others]);
    for (const tile of tiles) this.#measure(tile);
    const ids = new Set(tiles.map(({ id }) => id));
    for (const id of this.#minutes.keys()) if (!ids.has(id)) this.#minutes.delete(id);
    for (const listener of this.listeners) listener();
  }

  /** @param {Tile} tile */
  #measure(tile) {
    const minute = this.#minutes.get(tile.id) ?? newMinute(tile.person.self);
    this.#minutes.set(tile.id, minute);
    const { video, audio } = this.#stats(tile);
    minute.detail = pictureDetail(video, minute.sending ? 'send' : 'receive');
    const { rtt: rttMs } = this.session;
    const figures = minute.sending ? sentFigures({ video, audio }) : receivedFigures({ video, audio, rttMs });
    for (const figure of FIGURES) minute.series[figure].push(figures[figure]);
  }

  /** @param {Tile} tile @returns {{ video: Stats | null, audio: Stats | null }} */
  #stats({ person, stream }) {
    const { conference, media, store } = this.#context;
    if (person.self) {
      const [picture, sound] = stream === 'screen' ? media.screenTracks : [media.camera, media.microphone];
      const { camera } = store.state.sources;
      const shown = stream === 'screen' || camera.state === 'on';
      return { video: shown ? statsOf(picture) : null, audio: statsOf(sound) };
    }
    const user = conference.user(person.key);
    if (stream === 'screen') return { video: statsOf(user?.screenTrack), audio: statsOf(user?.screenAudioTrack) };
    return { video: person.picture ? statsOf(user?.videoTrack) : null, audio: statsOf(user?.audioTrack) };
  }
}

/** @param {{ getStats(): object } | null | undefined} track @returns {Stats | null} */
function statsOf(track) {
  return track ? /** @type {Stats} */ (track.getStats()) : null;
}

/** @param {boolean} sending @returns {Minute} */
function newMinute(sending) {
  const series = /** @type {Record<Figure, Series>} */ (Object.fromEntries(FIGURES.map((figure) => [figure, new Series()])));
  return { series, detail: '', sending };
}
