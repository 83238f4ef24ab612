/** Watches by WHEP, and reads back what is shown and heard. */
import { readPlane } from '../barcode.mjs';
import { exchange, statsOf } from './http.js';

/** Frames are scaled to this before they are read. */
const WIDTH = 90;
const HEIGHT = 160;

/**
 * @typedef {object} Seen what a viewer collected, in a form that crosses to the test
 * @property {number} started
 * @property {[number | null, number, boolean, number, number][]} frames number, clock, flash, at, seen
 * @property {[number, number][]} anchors seconds in the sound, when presented
 * @property {string} sound 16-bit samples at 48 kHz, base64
 * @property {string[]} sizes
 * @property {object[]} stats
 * @property {string} state
 */

/** @param {HTMLVideoElement} video @param {Seen} seen */
function readFrames(video, seen) {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  /** @type {VideoFrameRequestCallback} */
  const onFrame = (_now, metadata) => {
    video.requestVideoFrameCallback(onFrame);
    if (!context) return;
    context.drawImage(video, 0, 0, WIDTH, HEIGHT);
    const code = readPlane(context.getImageData(0, 0, WIDTH, HEIGHT).data, WIDTH, HEIGHT, 4);
    const at = metadata.expectedDisplayTime / 1000;
    seen.frames.push([code ? code.number : null, code?.clock ?? 0, code?.flash ?? false, at, Date.now()]);
    const size = `${metadata.width}x${metadata.height}`;
    if (!seen.sizes.includes(size)) seen.sizes.push(size);
  };
  video.requestVideoFrameCallback(onFrame);
}

/** @param {MediaStream} stream @param {Seen} seen */
async function readSound(stream, seen) {
  const audio = new AudioContext({ sampleRate: 48_000 });
  await audio.audioWorklet.addModule(new URL('capture.worklet.js', import.meta.url));
  const capture = new AudioWorkletNode(audio, 'capture', { numberOfOutputs: 0 });
  /** @type {Int16Array[]} */
  const blocks = [];
  let first = -1;
  capture.port.onmessage = ({ data }) => {
    // Until something is received the browser plays silence.
    if (first < 0 && data.samples.every((/** @type {number} */ sample) => sample === 0)) return;
    if (first < 0) first = data.frame;
    const end = (data.frame - first + data.samples.length) / 48_000;
    seen.anchors.push([(data.frame - first) / 48_000, performance.now() / 1000 - end]);
    blocks.push(Int16Array.from(data.samples, (/** @type {number} */ v) => Math.max(-1, Math.min(1, v)) * 32767));
  };
  new MediaStreamAudioSourceNode(audio, { mediaStream: stream }).connect(capture);
  // The browser's first sound starts a process of its own, which takes a while on a busy machine.
  await audio.resume();
  return {
    blocks,
    close: () => audio.close(),
  };
}

/** Seconds around a block within which the promptest message tells how the two clocks relate. */
const CLOCK_WINDOW = 1;

/** @param {[number, number][]} anchors position, and wall clock less position when its message arrived */
function settle(anchors) {
  return anchors.map(([seconds]) => {
    const near = anchors.filter(([other]) => Math.abs(other - seconds) < CLOCK_WINDOW);
    const offset = Math.min(...near.map(([, late]) => late));
    return /** @type {[number, number]} */ ([seconds, seconds + offset]);
  });
}

/** @param {Int16Array[]} blocks */
function base64(blocks) {
  let text = '';
  for (const block of blocks) text += String.fromCharCode(...new Uint8Array(block.buffer));
  return btoa(text);
}

/**
 * Shows a stream and reads it back.
 * @param {HTMLVideoElement} video @param {MediaStream} stream @param {Seen} seen
 */
export async function read(video, stream, seen) {
  readFrames(video, seen);
  video.srcObject = stream;
  // The element stays silent but must play, or the browser does not pull the sound.
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  const sound = stream.getAudioTracks().length > 0 ? await readSound(stream, seen) : null;
  return {
    /** @returns {Seen} */
    collect() {
      return { ...seen, anchors: settle(seen.anchors), sound: base64(sound?.blocks ?? []) };
    },
    close: () => sound?.close(),
  };
}

/** @returns {Seen} */
export function nothingYet() {
  return { started: Date.now(), frames: [], anchors: [], sound: '', sizes: [], stats: [], state: 'new' };
}

/**
 * Reads a video element that something else plays.
 * @param {HTMLVideoElement} video
 */
export function probe(video) {
  const seen = nothingYet();
  readFrames(video, seen);
  return { collect: () => seen };
}

/**
 * @param {object} options
 * @param {string} options.url
 * @param {boolean} [options.video]
 * @param {boolean} [options.audio]
 * @param {string} [options.token]
 * @param {number} [options.viaPort]
 * @param {number} [options.patience]
 */
export async function watch(options) {
  const seen = nothingYet();
  const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const stream = new MediaStream();
  const video = document.createElement('video');
  document.body.append(video);
  for (const kind of ['audio', 'video']) {
    if (options[/** @type {'audio' | 'video'} */ (kind)] === false) continue;
    stream.addTrack(peer.addTransceiver(kind, { direction: 'recvonly' }).receiver.track);
  }
  // Before the first packet comes, as in any application: what a browser receives and nobody listens to piles up in its buffer,
  // and stays there as a delay that it makes up for only slowly.
  const reader = await read(video, stream, seen);
  seen.started = Date.now();
  const session = await exchange(peer, options.url, options).catch(async (error) => {
    peer.close();
    await reader.close();
    video.remove();
    throw error;
  });
  return {
    session,
    peer,
    stats: () => statsOf(peer),
    async collect() {
      return { ...reader.collect(), stats: await statsOf(peer), state: peer.connectionState };
    },
    async stop() {
      await session.end();
      await reader.close();
      video.remove();
    },
  };
}
