/**
 * What the parts of the page are given.
 *
 * @typedef {object} Context
 * @property {import('./store.js').Store<import('./state.js').State>} store
 * @property {import('./media.js').LocalMedia} media
 * @property {import('./conference.js').Conference} conference
 * @property {import('./notices.js').Notices} notify
 * @property {import('./theme.js').Appearance} appearance
 */

export {};
