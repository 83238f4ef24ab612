import { Store } from './store.js';

/** @typedef {import('./failure.js').Failure} Failure */
/** @typedef {import('./model.js').Person} Person */
/** @typedef {import('./place.js').Place} Place */
/** @typedef {'people' | 'chat' | 'bring' | 'log' | 'settings'} PanelName */
/** @typedef {'audioinput' | 'videoinput' | 'audiooutput'} DeviceKind */
/** @typedef {{ id: string, label: string }} Device */

/**
 * One's own microphone, camera or screen. `muted`: it is open and sends silence or nothing.
 *
 * @typedef {object} Source
 * @property {'off' | 'opening' | 'on' | 'muted'} state
 * @property {boolean} blocked by an admin
 * @property {Failure | null} failure why it is not on
 */

/** @typedef {'microphone' | 'camera' | 'screen'} SourceName */

/**
 * @typedef {object} ChatMessage
 * @property {number} id
 * @property {string} from
 * @property {boolean} own
 * @property {string | null} whom it is for alone, null for everybody
 * @property {Date} at
 * @property {string} text
 * @property {number} bytes of data that is not text, 0 if it is text
 */

/** Why the page is not in the room any longer. @typedef {{ reason: string, message: string, seconds: number }} Ending */

/** @typedef {{ level: 'info' | 'good' | 'bad', key: import('./say.js').Key, parameters: Record<string, string | number>, serial: number }} Notice */

/**
 * @typedef {object} State
 * @property {'lobby' | 'call'} view
 * @property {Place} place
 * @property {string} token in memory alone
 * @property {boolean} joining
 * @property {Failure | null} failure why joining failed
 * @property {Ending | null} ending
 * @property {Readonly<Record<SourceName, Source>>} sources
 * @property {Readonly<Record<DeviceKind, readonly Device[]>>} devices
 * @property {Readonly<Record<DeviceKind, string>>} chosen device ids, empty for the system's choice
 * @property {string} quality
 * @property {boolean} mirror
 * @property {import('./sdk.js').Client['connectionState']} connection
 * @property {boolean} wasLost whether it is being reconnected
 * @property {boolean} mediaLost whether picture and sound are interrupted
 * @property {boolean} admin
 * @property {Person | null} self
 * @property {readonly Person[]} others
 * @property {ReadonlySet<string>} silenced by this page alone, by uid
 * @property {ReadonlySet<string>} blocks that this page has set: `audio:uid`, `video:uid`
 * @property {Readonly<Record<string, { uplink: number, downlink: number }>>} qualityOf
 * @property {{ uplink: number, downlink: number }} network 0 unknown, 1 best to 6 unusable
 * @property {boolean} soundHeld by the browser, until its user wants it
 * @property {boolean} tokenExpiring
 * @property {Date | null} since
 * @property {string | null} pinned the id of a tile
 * @property {PanelName | null} panel
 * @property {boolean} statistics
 * @property {readonly ChatMessage[]} messages
 * @property {number} unread
 * @property {string} chatTo a uid, empty for everyone
 * @property {readonly { at: Date, text: string }[]} log
 * @property {{ rtmpPort: number, version: string }} server
 */

/** @type {Source} */
const OFF = { state: 'off', blocked: false, failure: null };

/** What a stay in a room leaves behind of itself: nothing. */
export const OUTSIDE = Object.freeze({
  connection: /** @type {State['connection']} */ ('DISCONNECTED'),
  wasLost: false,
  mediaLost: false,
  admin: false,
  self: null,
  others: [],
  silenced: /** @type {ReadonlySet<string>} */ (new Set()),
  blocks: /** @type {ReadonlySet<string>} */ (new Set()),
  qualityOf: {},
  network: { uplink: 0, downlink: 0 },
  soundHeld: false,
  tokenExpiring: false,
  since: null,
  pinned: null,
  messages: [],
  unread: 0,
  chatTo: '',
});

/**
 * @param {Pick<State, 'place' | 'token' | 'chosen' | 'quality' | 'server'>} initial
 * @returns {Store<State>}
 */
export function createStore(initial) {
  return new Store(
    /** @type {State} */ ({
      ...OUTSIDE,
      ...initial,
      view: 'lobby',
      joining: false,
      failure: null,
      ending: null,
      sources: { microphone: OFF, camera: OFF, screen: OFF },
      devices: { audioinput: [], videoinput: [], audiooutput: [] },
      mirror: true,
      panel: null,
      statistics: false,
      log: [],
    }),
  );
}
