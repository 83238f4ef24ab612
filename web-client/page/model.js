/** Who and what is in the room, as the page shows it. Pure. */

/** @typedef {import('./place.js').Role} Role */
/** @typedef {'web' | 'native' | 'miniprogram' | 'encoder'} Platform */
/** @typedef {'camera' | 'screen'} StreamName */

/** @type {readonly Platform[]} */
const PLATFORMS = ['web', 'native', 'miniprogram', 'encoder'];

/**
 * A participant, as of the last event about them.
 *
 * @typedef {object} Person
 * @property {string} key the uid as text: `42` and `"42"` are the same
 * @property {string | number} uid
 * @property {Platform} platform
 * @property {Role} role
 * @property {boolean} connected
 * @property {boolean} self
 * @property {'on' | 'off' | 'none'} sound of the camera stream; none if there is no such track
 * @property {boolean} picture whether a camera is on
 * @property {boolean} screen whether a screen is shown
 * @property {string} cameraTrack the id of the track to show, empty if it is not there yet
 * @property {string} screenTrack likewise
 */

/**
 * What of the SDK's user a person is made of.
 *
 * @typedef {object} UserLike
 * @property {string | number} uid
 * @property {string} platform
 * @property {Role} role
 * @property {boolean} connected
 * @property {boolean} hasAudio
 * @property {boolean} hasVideo
 * @property {boolean} hasScreen
 * @property {boolean} audioMuted
 * @property {boolean} videoMuted
 * @property {{ getTrackId(): string }} [videoTrack]
 * @property {{ getTrackId(): string }} [screenTrack]
 */

/**
 * @param {UserLike} user
 * @returns {Person}
 */
export function personOf(user) {
  const { uid, platform, role, connected, hasAudio, hasVideo, hasScreen, audioMuted, videoMuted } = user;
  const heard = hasAudio || audioMuted;
  return {
    key: String(uid),
    uid,
    platform: platformOf(platform),
    role,
    connected,
    self: false,
    sound: !heard ? 'none' : audioMuted || !hasAudio ? 'off' : 'on',
    picture: hasVideo && !videoMuted,
    screen: hasScreen,
    cameraTrack: user.videoTrack?.getTrackId() ?? '',
    screenTrack: user.screenTrack?.getTrackId() ?? '',
  };
}

/**
 * What it is shown as: platforms that came after this page count as native programs.
 *
 * @param {string} platform
 * @returns {Platform}
 */
function platformOf(platform) {
  return PLATFORMS.find((known) => known === platform) ?? 'native';
}

/**
 * One picture on the stage.
 *
 * @typedef {object} Tile
 * @property {string} id
 * @property {StreamName} stream
 * @property {Person} person
 * @property {string} track the id of the track to show, empty if there is none
 */

/**
 * @param {string} key
 * @param {StreamName} stream
 */
export const tileId = (key, stream) => `${stream}:${key}`;

/**
 * What stands on the stage: screens first, then everybody who may be seen or heard, in the order in which they came.
 *
 * @param {readonly Person[]} people
 * @returns {Tile[]}
 */
export function tilesOf(people) {
  /** @type {Tile[]} */
  const screens = [];
  /** @type {Tile[]} */
  const cameras = [];
  for (const person of people) {
    if (person.screen) {
      screens.push({ id: tileId(person.key, 'screen'), stream: 'screen', person, track: person.screenTrack });
    }
    if (onStage(person)) {
      const track = person.picture ? person.cameraTrack : '';
      cameras.push({ id: tileId(person.key, 'camera'), stream: 'camera', person, track });
    }
  }
  return [...screens, ...cameras];
}

/**
 * The audience is not on stage, whatever its clients say that they send.
 *
 * @param {Person} person
 */
export function onStage({ role }) {
  return role === 'host';
}

/**
 * Which tiles are to be large: the pinned one, else the screens of others, else none. One's own screen is before one's
 * eyes already, and large it would show itself in itself.
 *
 * @param {readonly Tile[]} tiles
 * @param {string | null} pinned
 * @returns {Tile[]}
 */
export function featured(tiles, pinned) {
  const chosen = tiles.filter(({ id }) => id === pinned);
  if (chosen.length > 0) return chosen;
  return tiles.filter(({ stream, person }) => stream === 'screen' && !person.self);
}

/** So many hues are told apart in `call.css`. */
const HUES = 8;

/**
 * A hue that stays with a uid.
 *
 * @param {string} key
 */
export function hueOf(key) {
  let sum = 7;
  for (const letter of key) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % HUES;
}

/**
 * A few letters that stand for a uid: `alice` is A, `web-4821` is W21, 小明 is 小.
 *
 * @param {string} key
 */
export function initials(key) {
  const words = key.split(/[\s._-]+/).filter((word) => word !== '');
  const first = [...(words[0] ?? '?')][0] ?? '?';
  const second = words[1];
  if (second === undefined || /[\u2e80-\uffff]/.test(first)) return first.toUpperCase();
  return (first + (/^\d+$/.test(second) ? second.slice(-2) : [...second][0])).toUpperCase();
}

/** The SDK's levels are above the first when somebody speaks; until they fall below the second for a moment. */
const SPEAKING_ABOVE = 0.6;
const SILENT_BELOW = 0.5;
/** How long a pause between words may be, in milliseconds. */
const PAUSE_MS = 600;

/** Who is speaking, by their levels. */
export class Voices {
  /** When each was last heard. @type {Map<string, number>} */
  #heard = new Map();

  /**
   * @param {ReadonlyMap<string, number>} levels 0 to 1, by tile
   * @param {number} nowMs
   * @returns {Set<string>} those who speak
   */
  update(levels, nowMs) {
    for (const [id, level] of levels) {
      const speaking = this.#heard.has(id);
      if (level > SPEAKING_ABOVE || (speaking && level > SILENT_BELOW)) this.#heard.set(id, nowMs);
    }
    for (const [id, at] of this.#heard) if (nowMs - at > PAUSE_MS || !levels.has(id)) this.#heard.delete(id);
    return new Set(this.#heard.keys());
  }
}

/** Of the SDK's scale, which is even to the ear: below lies the noise of a quiet room, above nothing that one wants. */
const METER_FROM = 0.3;
const METER_TO = 0.95;

/**
 * How full a meter is.
 *
 * @param {number} level 0 to 1
 */
export function meterFill(level) {
  return Math.min(1, Math.max(0, (level - METER_FROM) / (METER_TO - METER_FROM)));
}
