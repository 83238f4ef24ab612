/**
 * The sound every test source plays and every test player listens for: a steady tone that names the source, and a
 * short beep once a second, at the instant the picture flashes.
 */

export const BEEP_HZ = 1000;
export const BEEP_SECONDS = 0.05;
export const TONE_LEVEL = 0.2;
export const BEEP_LEVEL = 0.5;

/** Beeps are searched in windows of this length, moved by this step, in seconds. */
const WINDOW = 0.016;
const STEP = 0.002;

/**
 * One block of the test sound.
 * @param {{ tone: number, rate: number, channels: number, from: number, count: number, loudness?: number }} options
 * `from` and `count` in samples per channel; `loudness` 0 is silence, 1 the usual
 * @returns {Int16Array} interleaved samples
 */
export function synthesize({ tone, rate, channels, from, count, loudness = 1 }) {
  const out = new Int16Array(count * channels);
  for (let i = 0; i < count; i += 1) {
    const t = (from + i) / rate;
    let value = TONE_LEVEL * Math.sin(2 * Math.PI * tone * t);
    if (t % 1 < BEEP_SECONDS) value += BEEP_LEVEL * Math.sin(2 * Math.PI * BEEP_HZ * t);
    const sample = Math.round(Math.max(-1, Math.min(1, value * loudness)) * 32767);
    for (let c = 0; c < channels; c += 1) out[i * channels + c] = sample;
  }
  return out;
}

/**
 * The same sound at 16 to 32 kHz, which is enough for everything measured here and three times as fast.
 * @param {Float32Array} pcm @param {number} rate
 */
function decimate(pcm, rate) {
  const factor = Math.max(1, Math.floor(rate / 16000));
  const out = new Float32Array(Math.floor(pcm.length / factor));
  for (let i = 0; i < out.length; i += 1) {
    let sum = 0;
    for (let j = 0; j < factor; j += 1) sum += pcm[i * factor + j] ?? 0;
    out[i] = sum / factor;
  }
  return { pcm: out, rate: rate / factor };
}

/** @type {Map<number, Float64Array>} */
const hannWindows = new Map();

/** @param {number} count */
function hann(count) {
  let window = hannWindows.get(count);
  if (!window) {
    window = Float64Array.from({ length: count }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / count));
    hannWindows.set(count, window);
  }
  return window;
}

/**
 * Amplitude of one frequency in a Hann window of samples.
 * @param {Float32Array} pcm @param {number} from @param {number} count @param {number} rate @param {number} hz
 */
function amplitude(pcm, from, count, rate, hz) {
  const window = hann(count);
  const turnCos = Math.cos((2 * Math.PI * hz) / rate);
  const turnSin = Math.sin((2 * Math.PI * hz) / rate);
  let [cos, sin, re, im] = [1, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    const value = (pcm[from + i] ?? 0) * (window[i] ?? 0);
    re += value * cos;
    im += value * sin;
    const next = cos * turnCos - sin * turnSin;
    sin = sin * turnCos + cos * turnSin;
    cos = next;
  }
  return (4 * Math.hypot(re, im)) / count;
}

/**
 * Frequency of the strongest steady tone between 150 and 900 Hz (below the beep), or 0 in silence.
 * @param {Float32Array} pcm @param {number} from @param {number} count @param {number} rate
 */
function pitch(pcm, from, count, rate) {
  let best = 0;
  let bestHz = 0;
  const coarse = rate / count;
  for (let hz = 150; hz <= 900; hz += coarse) {
    const a = amplitude(pcm, from, count, rate, hz);
    if (a > best) [best, bestHz] = [a, hz];
  }
  if (best < TONE_LEVEL / 10) return 0;
  for (let step = coarse / 2; step > 0.05; step /= 2) {
    for (const hz of [bestHz - step, bestHz + step]) {
      const a = amplitude(pcm, from, count, rate, hz);
      if (a > best) [best, bestHz] = [a, hz];
    }
  }
  return bestHz;
}

/**
 * How loud tones are, as the median over windows of a tenth of a second.
 * @param {Float32Array} sound @param {number} soundRate @param {number[]} tones hertz
 * @returns {number[]} amplitudes, one per tone
 */
export function loudness(sound, soundRate, tones) {
  const { pcm, rate } = decimate(sound, soundRate);
  const count = Math.round(rate / 10);
  return tones.map((hz) => {
    const all = [];
    for (let from = 0; from + count <= pcm.length; from += count) all.push(amplitude(pcm, from, count, rate, hz));
    return all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
  });
}

/**
 * Pitch over the whole recording, in windows of a tenth of a second.
 * @param {Float32Array} sound @param {number} soundRate
 * @returns {number[]} hertz, one per window, 0 in silence
 */
export function pitches(sound, soundRate) {
  const { pcm, rate } = decimate(sound, soundRate);
  const count = Math.round(rate / 10);
  const list = [];
  for (let from = 0; from + count <= pcm.length; from += count) list.push(pitch(pcm, from, count, rate));
  return list;
}

/**
 * Where beeps start.
 * @param {Float32Array} sound @param {number} soundRate
 * @returns {number[]} seconds from the first sample
 */
export function beeps(sound, soundRate) {
  const { pcm, rate } = decimate(sound, soundRate);
  const count = Math.round(WINDOW * rate);
  const step = Math.round(STEP * rate);
  const threshold = BEEP_LEVEL / 4;
  const starts = [];
  let last = -Infinity;
  for (let from = 0; from + count <= pcm.length; from += step) {
    if (amplitude(pcm, from, count, rate, BEEP_HZ) < threshold) continue;
    // The window reaches a quarter of the level when the beep has filled about a third of it.
    const at = (from + count * 0.63) / rate;
    if (at - last > 2 * BEEP_SECONDS) starts.push(at);
    last = at;
  }
  return starts;
}

/**
 * @param {Buffer} bytes little-endian 16-bit samples, one channel
 */
export function fromInt16(bytes) {
  const pcm = new Float32Array(Math.floor(bytes.length / 2));
  for (let i = 0; i < pcm.length; i += 1) pcm[i] = bytes.readInt16LE(i * 2) / 32768;
  return pcm;
}

/** @param {Int16Array} recording repeated for ever @param {number} from @param {number} count */
export function excerpt(recording, from, count) {
  return Int16Array.from({ length: count }, (_, i) => recording[(from + i) % recording.length] ?? 0);
}
