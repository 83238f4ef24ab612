/** Publishes the test source by WHIP: a canvas that carries the bar code and a WebAudio graph that plays the sound. */
import { CLOCK_MODULUS, FLASH_FRAMES, GREY, rectangles } from '../barcode.mjs';
import { BEEP_HZ, BEEP_LEVEL, BEEP_SECONDS, TONE_LEVEL } from '../sound.mjs';
import { exchange, statsOf } from './http.js';

/** Beeps are scheduled this far ahead, in seconds. */
const AHEAD = 1.5;

/** @param {AudioContext} audio @param {number} hz @param {number} level @param {AudioNode} out */
function oscillator(audio, hz, level, out) {
  const gain = new GainNode(audio, { gain: level });
  const node = new OscillatorNode(audio, { frequency: hz });
  node.connect(gain).connect(out);
  node.start();
  return gain;
}

/**
 * The test source of this page.
 * @param {{ tone: number, fps: number, width: number, height: number, firstNumber: number }} options
 */
export function makeSource({ tone, fps, width, height, firstNumber }) {
  const audio = new AudioContext({ sampleRate: 48_000 });
  const destination = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
  oscillator(audio, tone, TONE_LEVEL, destination);
  const beep = oscillator(audio, BEEP_HZ, 0, destination);
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  document.body.append(canvas);
  const context = canvas.getContext('2d');
  const video = canvas.captureStream(0).getVideoTracks()[0];
  if (!context || !video) throw new Error('no canvas');
  const start = audio.currentTime + 0.5;
  let scheduled = 0;
  let painted = -1;
  const tick = () => {
    const now = audio.currentTime - start;
    for (; scheduled < now + AHEAD; scheduled += 1) {
      beep.gain.setValueAtTime(BEEP_LEVEL, start + scheduled);
      beep.gain.setValueAtTime(0, start + scheduled + BEEP_SECONDS);
    }
    const due = Math.floor(now * fps);
    if (due <= painted) return;
    painted = due;
    const clock = Date.now() % CLOCK_MODULUS;
    context.fillStyle = `rgb(${GREY},${GREY},${GREY})`;
    context.fillRect(0, 0, width, height);
    for (const r of rectangles({ number: firstNumber + due, clock, flash: due % fps < FLASH_FRAMES })) {
      context.fillStyle = `rgb(${r.luma},${r.luma},${r.luma})`;
      const [x, y] = [Math.round(r.left * width), Math.round(r.top * height)];
      context.fillRect(x, y, Math.round((r.left + r.width) * width) - x, Math.round((r.top + r.height) * height) - y);
    }
    /** @type {CanvasCaptureMediaStreamTrack} */ (video).requestFrame();
  };
  const timer = setInterval(tick, 4);
  const stream = new MediaStream([video, ...destination.stream.getAudioTracks()]);
  return {
    stream,
    stop() {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
      canvas.remove();
      return audio.close();
    },
  };
}

/**
 * Leaves H.264 as the only codec.
 * @param {RTCRtpTransceiver} transceiver
 * @param {string} [profile] the profile-level-id to put first
 */
export function preferH264(transceiver, profile) {
  const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const h264 = codecs.filter((codec) => codec.mimeType === 'video/H264');
  /** @param {RTCRtpCodec} codec */
  const rank = (codec) => Number(!(profile && codec.sdpFmtpLine?.includes(profile)));
  h264.sort((a, b) => rank(a) - rank(b));
  transceiver.setCodecPreferences([...h264, ...codecs.filter((codec) => codec.mimeType === 'video/rtx')]);
}

/**
 * @param {object} options
 * @param {string} options.url
 * @param {number} [options.tone]
 * @param {number} [options.fps]
 * @param {number} [options.width]
 * @param {number} [options.height]
 * @param {number} [options.firstNumber]
 * @param {string} [options.profile] H.264 profile-level-id to prefer
 * @param {boolean} [options.video]
 * @param {boolean} [options.audio]
 * @param {string} [options.token]
 * @param {number} [options.viaPort]
 */
export async function publish(options) {
  const { tone = 440, fps = 15, width = 360, height = 640, firstNumber = 0, video = true, audio = true } = options;
  const source = makeSource({ tone, fps, width, height, firstNumber });
  const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const [videoTrack] = source.stream.getVideoTracks();
  const [audioTrack] = source.stream.getAudioTracks();
  if (audio && audioTrack) peer.addTransceiver(audioTrack, { direction: 'sendonly', streams: [source.stream] });
  if (video && videoTrack) {
    videoTrack.contentHint = 'motion';
    const transceiver = peer.addTransceiver(videoTrack, {
      direction: 'sendonly',
      streams: [source.stream],
      sendEncodings: [{ maxBitrate: 1_000_000 }],
    });
    preferH264(transceiver, options.profile);
    // Otherwise Chromium begins with a quarter of the picture and changes its size in the middle of a test.
    const parameters = transceiver.sender.getParameters();
    await transceiver.sender.setParameters({ ...parameters, degradationPreference: 'maintain-resolution' });
  }
  const session = await exchange(peer, options.url, options).catch(async (error) => {
    peer.close();
    await source.stop();
    throw error;
  });
  return {
    session,
    peer,
    stats: () => statsOf(peer),
    async stop() {
      await session.end();
      await source.stop();
    },
  };
}
