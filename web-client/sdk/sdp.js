/**
 * Asks for stereo Opus (RFC 7587 section 6.1) in the sections that receive: browsers decode one channel unless their
 * own description says otherwise, and encoders in the room send music in two.
 *
 * @param {string} answer
 * @returns {string}
 */
export function askForStereo(answer) {
  return answer.split(/^(?=m=)/m).map((section) => (/^a=recvonly/m.test(section) ? stereoSection(section) : section)).join('');
}

/** @param {string} section */
function stereoSection(section) {
  const payloadTypes = [...section.matchAll(/^a=rtpmap:(\d+) opus\/48000\/2/gim)].map(([, payloadType]) => payloadType);
  return section.replace(/^a=fmtp:(\d+) ([^\r\n]*)/gm, (line, payloadType, parameters) =>
    payloadTypes.includes(payloadType) && !/(^|;)\s*stereo=/.test(parameters) ? `${line};stereo=1` : line,
  );
}
