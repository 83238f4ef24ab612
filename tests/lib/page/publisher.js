/** Publishes the test source by WHIP: a canvas that carries the bar code and a WebAudio graph that plays the sound. */
import { CLOCK_MODULUS, FLASH_FRAMES, GREY, rectangles, texture } from '../barcode.mjs';
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
 * A recording that repeats. Nothing is heard of it before `start` is called.
 * @param {AudioContext} audio @param {string} speech 16-bit samples at the context's rate, base64 @param {AudioNode} out
 */
function speaker(audio, speech, out) {
  const text = atob(speech);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = text.charCodeAt(i);
  const samples = Float32Array.from(new Int16Array(bytes.buffer), (value) => value / 32768);
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: audio.sampleRate });
  buffer.copyToChannel(samples, 0);
  const node = new AudioBufferSourceNode(audio, { buffer, loop: true });
  node.connect(out);
  return node;
}

/**
 * The tone of the test source, with a beep at each second from a moment on.
 * @param {AudioContext} audio @param {number} tone @param {AudioNode} out @param {number} start
 * @returns {() => void} schedules what is due soon
 */
function beepingTone(audio, tone, out, start) {
  oscillator(audio, tone, TONE_LEVEL, out);
  const beep = oscillator(audio, BEEP_HZ, 0, out);
  let scheduled = 0;
  return () => {
    for (; scheduled < audio.currentTime - start + AHEAD; scheduled += 1) {
      beep.gain.setValueAtTime(BEEP_LEVEL, start + scheduled);
      beep.gain.setValueAtTime(0, start + scheduled + BEEP_SECONDS);
    }
  };
}

/**
 * The test source of this page.
 * @param {object} options
 * @param {number} options.tone
 * @param {number} options.fps
 * @param {number} options.width
 * @param {number} options.height
 * @param {number} options.firstNumber
 * @param {boolean} [options.textured] whether pictures are hard to compress, and do not flash
 * @param {string} [options.speech] instead of tone and beeps: 16-bit samples at 48 kHz, base64
 */
export function makeSource({ tone, fps, width, height, firstNumber, textured = false, speech }) {
  const audio = new AudioContext({ sampleRate: 48_000 });
  const destination = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  document.body.append(canvas);
  const context = canvas.getContext('2d');
  const video = canvas.captureStream(0).getVideoTracks()[0];
  if (!context || !video) throw new Error('no canvas');
  // This takes its time, which must not pass between the start of the picture and that of the sound.
  const speaking = speech === undefined ? null : speaker(audio, speech, destination);
  const start = audio.currentTime + 0.5;
  const schedule = speaking ? null : beepingTone(audio, tone, destination, start);
  speaking?.start(start);
  let painted = -1;
  const tick = () => {
    schedule?.();
    const due = Math.floor((audio.currentTime - start) * fps);
    if (due <= painted) return;
    painted = due;
    const clock = Date.now() % CLOCK_MODULUS;
    context.fillStyle = `rgb(${GREY},${GREY},${GREY})`;
    context.fillRect(0, 0, width, height);
    const number = firstNumber + due;
    const flash = !textured && due % fps < FLASH_FRAMES;
    for (const r of [...rectangles({ number, clock, flash }), ...(textured ? texture(number) : [])]) {
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
 * @param {boolean} [options.textured]
 * @param {string} [options.speech]
 */
export async function publish(options) {
  const { tone = 440, fps = 15, width = 360, height = 640, firstNumber = 0, video = true, audio = true } = options;
  const source = makeSource({ ...options, tone, fps, width, height, firstNumber });
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
