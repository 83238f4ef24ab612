/** What the two clients read and change in SDP, and which codecs they ask for. Pure. */

/** H.264 profiles in the order we would rather send them: what every phone decodes comes first. */
const H264_PROFILES = ['42e01f', '42001f', '4d001f', '64001f'];

/**
 * @typedef {{ mimeType: string, sdpFmtpLine?: string }} Codec the part of RTCRtpCodec that matters here
 */

/**
 * The codecs to offer for video: H.264 with packetization-mode 1, best profile first, and RTX for repairs.
 * Empty when the browser has no such H.264.
 *
 * @template {Codec} T
 * @param {readonly T[]} codecs what the browser can do
 * @returns {T[]}
 */
export function h264First(codecs) {
  const h264 = codecs
    .filter((codec) => codec.mimeType.toLowerCase() === 'video/h264')
    .filter((codec) => parameter(codec, 'packetization-mode') === '1')
    .sort((a, b) => profileRank(a) - profileRank(b));
  if (h264.length === 0) return [];
  return [...h264, ...codecs.filter((codec) => codec.mimeType.toLowerCase() === 'video/rtx')];
}

/** @param {Codec} codec */
function profileRank(codec) {
  const rank = H264_PROFILES.indexOf(parameter(codec, 'profile-level-id')?.toLowerCase() ?? '');
  return rank < 0 ? H264_PROFILES.length : rank;
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
 * Asks for stereo Opus (RFC 7587 section 6.1): browsers decode one channel unless their own description says so.
 *
 * @param {string} sdp
 * @returns {string}
 */
export function askForStereo(sdp) {
  const payloadTypes = [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000\/2\r?$/gim)].map((match) => match[1]);
  return sdp.replace(/^a=fmtp:(\d+) ([^\r\n]*)/gm, (line, payloadType, parameters) =>
    payloadTypes.includes(payloadType) && !/(^|;)\s*stereo=/.test(parameters) ? `${line};stereo=1` : line,
  );
}

/**
 * @typedef {{ ufrag: string, pwd: string }} IceCredentials
 */

/**
 * The first ICE credentials in a description or fragment. With BUNDLE they are those of the whole session.
 *
 * @param {string} sdp
 * @returns {IceCredentials | null}
 */
export function iceCredentials(sdp) {
  const ufrag = attribute(sdp, 'ice-ufrag');
  const pwd = attribute(sdp, 'ice-pwd');
  return ufrag !== undefined && pwd !== undefined ? { ufrag, pwd } : null;
}

/**
 * @param {string} sdp
 * @param {string} name
 * @returns {string | undefined}
 */
function attribute(sdp, name) {
  return new RegExp(`^a=${name}:([^\\r\\n]+)`, 'm').exec(sdp)?.[1]?.trim();
}

/**
 * The body of an ICE restart (`application/trickle-ice-sdpfrag`, RFC 8840 section 9, RFC 9725 section 4.3.3):
 * the new credentials under the section that carries the bundle. It names no candidates: the server is ICE-lite
 * and learns our address from the first check. Null when the offer has no credentials.
 *
 * @param {string} offer the new local description
 * @returns {string | null}
 */
export function restartFragment(offer) {
  const credentials = iceCredentials(offer);
  const media = /^m=[^\r\n]+/m.exec(offer)?.[0];
  if (credentials === null || media === undefined) return null;
  const group = attribute(offer, 'group');
  const lines = [
    'a=ice-options:trickle ice2',
    ...(group === undefined ? [] : [`a=group:${group}`]),
    media,
    `a=mid:${attribute(offer, 'mid') ?? '0'}`,
    `a=ice-ufrag:${credentials.ufrag}`,
    `a=ice-pwd:${credentials.pwd}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/**
 * The answer as it stands after an ICE restart: the server's earlier answer with the credentials, and where given
 * the candidates, of its fragment. Null when the fragment has no credentials.
 *
 * @param {string} answer the remote description in force
 * @param {string} fragment what the server answered to the PATCH
 * @returns {string | null}
 */
export function applyRestart(answer, fragment) {
  const credentials = iceCredentials(fragment);
  if (credentials === null) return null;
  const candidates = [...new Set(fragment.match(/^a=candidate:[^\r\n]+/gm) ?? [])];
  /** @type {string[]} */
  const lines = [];
  for (const line of answer.split(/\r?\n/)) {
    if (line === '') continue;
    if (candidates.length > 0 && /^a=(candidate:|end-of-candidates)/.test(line)) continue;
    if (line.startsWith('a=ice-ufrag:')) lines.push(`a=ice-ufrag:${credentials.ufrag}`);
    // ICE credentials of a section stand together, so its candidates may follow its password.
    else if (line.startsWith('a=ice-pwd:')) lines.push(`a=ice-pwd:${credentials.pwd}`, ...candidates);
    else lines.push(line);
  }
  return `${lines.join('\r\n')}\r\n`;
}
