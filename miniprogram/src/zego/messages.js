/**
 * The vendor's three kinds of messages as our own: a broadcast is a text to all and a command to somebody is a private
 * text, so that browsers understand them and are understood. What only this shape has goes as data.
 */

import { fromUtf8, toUtf8 } from './text.js';

/** @typedef {'barrage' | 'command'} EnvelopeKind `command`: to all */
/** @typedef {{ kind: 'broadcast' | EnvelopeKind, text: string }} Received */

/** The envelope adds this much to the 1024 bytes of a message at most, whose every byte may be escaped as six. */
const MAX_ENVELOPE = 1024 * 6 + 64;

/** @param {EnvelopeKind} kind @param {string} text @returns {Uint8Array} */
export function envelope(kind, text) {
  return toUtf8(JSON.stringify({ zego: kind, text }));
}

/** @param {import('../core/client.js').Message} message @returns {Received | null} null: data of somebody else's making */
export function readMessage({ private: isPrivate, text, data }) {
  if (text !== undefined) return { kind: isPrivate ? 'command' : 'broadcast', text };
  if (data === undefined || data.length > MAX_ENVELOPE) return null;
  try {
    const { zego: kind, text: inner } = JSON.parse(fromUtf8(data) ?? 'null') ?? {};
    return (kind === 'barrage' || kind === 'command') && typeof inner === 'string' ? { kind, text: inner } : null;
  } catch {
    return null;
  }
}
