/** From the SDK's statistics to what a tile shows. Pure. */

/** @typedef {'bitrate' | 'fps' | 'loss' | 'jitter' | 'rtt' | 'latency'} Figure */

/** In the order in which they are shown. @type {readonly Figure[]} */
export const FIGURES = ['bitrate', 'fps', 'loss', 'jitter', 'rtt', 'latency'];

/** @typedef {Record<Figure, number | null>} Figures bit/s, per second, percent, and milliseconds */

/** @typedef {Readonly<Record<string, unknown>>} Stats */

/**
 * @param {Stats | null} stats
 * @param {string} name
 * @returns {number | null}
 */
function value(stats, name) {
  const found = stats?.[name];
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

/** @param {...(number | null)} values */
function sum(...values) {
  const known = values.filter((each) => each !== null);
  return known.length === 0 ? null : known.reduce((total, each) => total + each, 0);
}

/**
 * @param {{ video: Stats | null, audio: Stats | null, rttMs: number | null }} received
 * @returns {Figures}
 */
export function receivedFigures({ video, audio, rttMs }) {
  return {
    bitrate: sum(value(video, 'receiveBitrate'), value(audio, 'receiveBitrate')),
    fps: value(video, 'renderFrameRate') ?? value(video, 'receiveFrameRate'),
    loss: value(video, 'packetLossRate') ?? value(audio, 'packetLossRate'),
    jitter: value(video, 'jitterMs') ?? value(audio, 'jitterMs'),
    rtt: rttMs,
    latency: value(video, 'end2EndDelay') ?? value(audio, 'end2EndDelay'),
  };
}

/**
 * @param {{ video: Stats | null, audio: Stats | null }} sent
 * @returns {Figures}
 */
export function sentFigures({ video, audio }) {
  return {
    bitrate: sum(value(video, 'sendBitrate'), value(audio, 'sendBitrate')),
    fps: value(video, 'sendFrameRate'),
    loss: value(video, 'sendLossRate') ?? value(audio, 'sendLossRate'),
    jitter: value(video, 'sendJitterMs') ?? value(audio, 'sendJitterMs'),
    rtt: value(video, 'sendRttMs') ?? value(audio, 'sendRttMs'),
    // Only who sees the picture can tell how late it is.
    latency: null,
  };
}

/**
 * @param {Stats | null} stats
 * @param {'send' | 'receive'} direction
 * @returns {string} such as `1280×720 H264`, empty if there is no picture
 */
export function pictureDetail(stats, direction) {
  const width = value(stats, `${direction}ResolutionWidth`);
  const height = value(stats, `${direction}ResolutionHeight`);
  const codec = stats?.codecType;
  const size = width && height ? `${width}×${height}` : '';
  return [size, typeof codec === 'string' ? codec : ''].filter((part) => part !== '').join(' ');
}
