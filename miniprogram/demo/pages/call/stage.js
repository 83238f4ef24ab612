/** What the tiles of the call show. Pure. */

const { layout, styleOf } = require('../../utils/layout.js');
const { hueOf, initialsOf, platformIcon } = require('../../utils/names.js');

/** Narrower tiles, in parts of the stage, say less. */
const SMALL = 32;
const SMALL_LYING = 22;
/** The SDK receives as many streams at once: phones show black pictures beyond that. */
const MAX_PLAYERS = 6;
/** The tile of oneself. */
const ME = 'me';

/**
 * @typedef {object} Scene
 * @property {import('../../../src/core/view.js').PusherItem[]} pushers
 * @property {import('../../../src/core/view.js').PlayerItem[]} players
 * @property {number} published how many streams of others there are in the room
 * @property {string | number} uid one's own
 * @property {(uid: string | number) => { platform: string, state: string } | undefined} participant
 * @property {(uid: string | number) => number} level of somebody's uplink, 0 unknown to 6 unusable
 * @property {boolean} shown whether one's own picture is seen by others
 * @property {string} mic state of one's own
 * @property {string | null} focus the tile that is enlarged
 * @property {boolean} lying whether the phone lies on its side
 * @property {import('../../i18n/index.js').Texts} texts
 */

/**
 * @param {Scene} scene
 * @returns {{ pushers: object[], players: object[], hidden: string }} the items with what their tiles show, the others
 *   first and oneself last; and that there are more streams than a phone plays
 */
function arrange({ pushers, players, published, uid, participant, level, shown, mic, focus, lying, texts }) {
  const ids = [...players.map(({ id }) => id), ...pushers.map(() => ME)];
  const focused = focus === null ? -1 : ids.indexOf(focus);
  const boxes = layout(ids.length, {
    lying, focus: focused === -1 ? null : focused, inset: players.length === 1 && pushers.length === 1,
  });
  const place = (/** @type {number} */ index) => ({ style: styleOf(boxes[index]), small: boxes[index].width < (lying ? SMALL_LYING : SMALL) });
  return {
    players: players.map((item, index) => ({ ...item, ...place(index), ...playerTile(item, participant(item.uid), level(item.uid), texts) })),
    pushers: pushers.map((item) => ({
      ...item,
      ...place(players.length),
      name: texts.t.me,
      hue: hueOf(uid),
      initials: initialsOf(uid),
      icon: '',
      face: !shown,
      mic,
      level: level(uid),
      veil: veilOf(item.phase, 'connected', texts.t),
    })),
    // Fewer players than that are about to be more.
    hidden: players.length >= MAX_PLAYERS && published > players.length
      ? texts.say('hidden', { max: MAX_PLAYERS, count: published - players.length })
      : '',
  };
}

/**
 * @param {import('../../../src/core/view.js').PlayerItem} item
 * @param {{ platform: string, state: string } | undefined} person
 * @param {number} level
 * @param {Scene['texts']} texts
 */
function playerTile({ uid, stream, audio, video, phase }, person, level, { t, say }) {
  const screen = stream === 'screen';
  return {
    name: screen ? say('tile_screen', { name: uid }) : String(uid),
    hue: hueOf(uid),
    initials: initialsOf(uid),
    icon: platformIcon(person === undefined ? '' : person.platform),
    face: video !== 'live',
    mic: screen ? 'live' : audio,
    level,
    // A screen is of no use if its edges are cut off.
    fit: screen ? 'contain' : 'fillCrop',
    veil: veilOf(phase, person === undefined ? 'connected' : person.state, t),
  };
}

/** @param {string} phase of the component @param {string} state of its owner @param {Record<string, string>} t */
function veilOf(phase, state, t) {
  if (state === 'reconnecting') return t.tile_away;
  if (phase === 'starting') return t.tile_connecting;
  if (phase === 'retrying') return t.tile_retrying;
  return phase === 'failed' ? t.tile_failed : '';
}

module.exports = { arrange, ME };
