/** WHIP and WHEP: the exchange of descriptions that both share. */

/**
 * @typedef {object} Session
 * @property {number} status
 * @property {string | null} location absolute address of the session
 * @property {string | null} etag
 * @property {string} answer
 * @property {() => Promise<number>} end ends the session, gives the HTTP status
 */

/** How often a stream is asked for that is not there yet. */
const ASK_AGAIN_MS = 50;

/** An HTTP answer that is not a session. */
export class Refused extends Error {
  /** @param {number} status @param {string} body @param {string | null} retryAfter */
  constructor(status, body, retryAfter) {
    super(`HTTP ${status}: ${body}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** @param {RTCPeerConnection} peer */
function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === 'complete' && resolve(undefined);
    peer.addEventListener('icegatheringstatechange', check);
    check();
  });
}

/**
 * Offers, and takes the answer.
 * @param {RTCPeerConnection} peer
 * @param {string} url
 * @param {{ token?: string, viaPort?: number, patience?: number }} [options] `viaPort` replaces the port of every candidate in the
 * answer, so that packets pass a link; `patience` is how many milliseconds to ask again while there is no such stream
 * @returns {Promise<Session>}
 */
export async function exchange(peer, url, { token, viaPort, patience = 0 } = {}) {
  await peer.setLocalDescription();
  await gathered(peer);
  /** @type {Record<string, string>} */
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const ask = () => fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', ...authorization },
    body: peer.localDescription?.sdp ?? '',
  });
  const deadline = performance.now() + patience;
  let response = await ask();
  while (response.status === 404 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    response = await ask();
  }
  let answer = await response.text();
  if (response.status !== 201) throw new Refused(response.status, answer, response.headers.get('retry-after'));
  if (viaPort) answer = answer.replace(/^(a=candidate:(?:\S+ ){5})\d+/gm, `$1${viaPort}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: answer });
  const path = response.headers.get('location');
  const location = path && new URL(path, url).href;
  return {
    status: response.status,
    location,
    etag: response.headers.get('etag'),
    answer,
    async end() {
      peer.close();
      if (!location) return 0;
      return (await fetch(location, { method: 'DELETE', headers: authorization })).status;
    },
  };
}

/** @param {RTCPeerConnection} peer */
export async function statsOf(peer) {
  return [...(await peer.getStats()).values()];
}
