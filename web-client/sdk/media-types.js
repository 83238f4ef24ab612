/** @typedef {import('../core/protocol.js').StreamName} StreamName */
/** @typedef {import('../core/protocol.js').Kind} Kind */

/**
 * Sound and pictures of the camera stream, then pictures and sound of the screen stream.
 *
 * @typedef {'audio' | 'video' | 'screen' | 'screen-audio'} MediaType
 */

/** @type {readonly { mediaType: MediaType, stream: StreamName, kind: Kind }[]} */
const TABLE = [
  { mediaType: 'audio', stream: 'camera', kind: 'audio' },
  { mediaType: 'video', stream: 'camera', kind: 'video' },
  { mediaType: 'screen', stream: 'screen', kind: 'video' },
  { mediaType: 'screen-audio', stream: 'screen', kind: 'audio' },
];

/** @type {readonly MediaType[]} */
export const MEDIA_TYPES = TABLE.map(({ mediaType }) => mediaType);

/**
 * @param {string} mediaType
 * @returns {{ stream: StreamName, kind: Kind } | undefined} undefined if it is none
 */
export function sectionOf(mediaType) {
  return TABLE.find((row) => row.mediaType === mediaType);
}

/**
 * @param {StreamName} stream
 * @param {Kind} kind
 * @returns {MediaType}
 */
export function mediaTypeOf(stream, kind) {
  if (stream === 'camera') return kind;
  return kind === 'video' ? 'screen' : 'screen-audio';
}
