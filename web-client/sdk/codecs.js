/** What the browser can encode and decode. The server passes pictures on as they are, and mini-programs play H.264 alone. */

import { sdkError } from './errors.js';

/** H.264 profiles in the order in which to send them: what every phone decodes comes first. */
const H264_PROFILES = ['42e01f', '42001f', '4d001f', '64001f'];

/** @typedef {{ mimeType: string, sdpFmtpLine?: string }} Codec the part of RTCRtpCodec that matters here */

/**
 * All codecs, H.264 with packetization-mode 1 first, and of that the best profile. Nothing is left out, so that a
 * section can still be answered.
 *
 * @template {Codec} T
 * @param {readonly T[]} codecs
 * @returns {T[]}
 */
export function h264First(codecs) {
  return codecs
    .map((codec, at) => ({ codec, at, rank: rank(codec) }))
    .sort((a, b) => a.rank - b.rank || a.at - b.at)
    .map(({ codec }) => codec);
}

/** @param {Codec} codec */
function isH264(codec) {
  return codec.mimeType.toLowerCase() === 'video/h264';
}

/** @param {Codec} codec */
function rank(codec) {
  const last = H264_PROFILES.length + 1;
  if (!isH264(codec)) return last;
  const profile = H264_PROFILES.indexOf(parameter(codec, 'profile-level-id')?.toLowerCase() ?? '');
  const penalty = parameter(codec, 'packetization-mode') === '1' ? 0 : 0.5;
  return (profile < 0 ? H264_PROFILES.length - 0.5 : profile) + penalty;
}

/**
 * @param {Codec} codec
 * @param {string} name
 * @returns {string | undefined}
 */
function parameter(codec, name) {
  for (const item of (codec.sdpFmtpLine ?? '').split(';')) {
    const [key = '', value] = item.trim().split('=', 2);
    if (key.toLowerCase() === name) return value;
  }
  return undefined;
}

/**
 * Makes H.264 the first choice of a section, where the browser lets one choose.
 *
 * @param {RTCRtpTransceiver} transceiver
 */
export function preferH264(transceiver) {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.('video')?.codecs ?? [];
  if (codecs.some(isH264) && 'setCodecPreferences' in transceiver) transceiver.setCodecPreferences(h264First(codecs));
}

/**
 * The names of the codecs in a description, for browsers that cannot list them otherwise.
 *
 * @param {string} sdp
 * @param {'audio' | 'video'} kind
 * @returns {string[]}
 */
export function codecsIn(sdp, kind) {
  const sections = sdp.split(/^(?=m=)/m).filter((section) => section.startsWith(`m=${kind} `));
  return sections.flatMap((section) => [...section.matchAll(/^a=rtpmap:\d+ ([^/\s]+)/gm)].map(([, name = '']) => name));
}

/** Not codecs, but repair, silence and tones. */
const HELPERS = new Set(['RTX', 'RED', 'ULPFEC', 'FLEXFEC-03', 'CN', 'TELEPHONE-EVENT']);

/** @param {string[]} names */
const codecsAmong = (names) => [...new Set(names.map((name) => name.toUpperCase()))].filter((name) => name !== '' && !HELPERS.has(name));

/** @typedef {{ send: Record<'audio' | 'video', string[]>, receive: Record<'audio' | 'video', string[]> }} Codecs */

/** Does not change while the page is open. @type {Promise<Codecs> | null} */
let known = null;

/** @returns {Promise<Codecs>} upper-case names such as `H264` and `OPUS` */
export function supportedCodecs() {
  known ??= listCodecs();
  return known;
}

async function listCodecs() {
  if (globalThis.RTCPeerConnection === undefined) {
    return { send: { audio: [], video: [] }, receive: { audio: [], video: [] } };
  }
  const { RTCRtpSender, RTCRtpReceiver } = globalThis;
  if (RTCRtpSender?.getCapabilities === undefined || RTCRtpReceiver?.getCapabilities === undefined) return offeredCodecs();
  /** @param {RTCRtpCapabilities | null} capabilities */
  const names = (capabilities) => codecsAmong((capabilities?.codecs ?? []).map(({ mimeType }) => mimeType.split('/')[1] ?? ''));
  return {
    send: { audio: names(RTCRtpSender.getCapabilities('audio')), video: names(RTCRtpSender.getCapabilities('video')) },
    receive: { audio: names(RTCRtpReceiver.getCapabilities('audio')), video: names(RTCRtpReceiver.getCapabilities('video')) },
  };
}

async function offeredCodecs() {
  const connection = new RTCPeerConnection();
  try {
    connection.addTransceiver('audio');
    connection.addTransceiver('video');
    const { sdp = '' } = await connection.createOffer();
    const both = { audio: codecsAmong(codecsIn(sdp, 'audio')), video: codecsAmong(codecsIn(sdp, 'video')) };
    return { send: both, receive: both };
  } finally {
    connection.close();
  }
}

/**
 * @param {Codecs} codecs
 * @param {'send' | 'receive'} direction
 * @throws {import('./errors.js').RtcError} NOT_SUPPORTED
 */
export function requireH264(codecs, direction) {
  if (codecs[direction].video.includes('H264')) return;
  const what = direction === 'send' ? 'encode' : 'decode';
  throw sdkError('NOT_SUPPORTED', 'h264_unsupported', `this browser cannot ${what} H.264`);
}
