import { atNextGesture } from './autoplay.js';

/** Sound that is this much quieter than the loudest counts as silence, so that speech is around 0.6 (as with Agora). */
const RANGE_DB = 75;
/** A meter that nobody has read for so long is let go. */
const IDLE_MS = 3_000;
/** 43 ms at 48 kHz: two syllables do not fit, a period of the deepest voice does. */
const WINDOW = 2048;

/**
 * @param {number} amplitude 0 to 1, of the loudest possible sound
 * @returns {number} 0 to 1, evenly by ear; above 0.6 somebody speaks
 */
export function loudness(amplitude) {
  if (!(amplitude > 0)) return 0;
  return Math.min(Math.max(1 + (20 * Math.log10(amplitude)) / RANGE_DB, 0), 1);
}

/** The one AudioContext of the page, for as long as somebody needs it. */
class SharedContext {
  /** @type {AudioContext | null} */
  #context = null;
  #users = 0;
  #takeBack = () => {};

  acquire() {
    this.#users += 1;
    const context = (this.#context ??= new AudioContext({ latencyHint: 'interactive' }));
    if (context.state === 'suspended') this.#resume(context);
    return context;
  }

  release() {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#takeBack();
    void this.#context?.close();
    this.#context = null;
  }

  /** @param {AudioContext} context that may make no sound before the user has done something */
  #resume(context) {
    this.#takeBack();
    this.#takeBack = atNextGesture(() => void context.resume());
    void context.resume();
  }
}

export const sharedContext = new SharedContext();

/** How loud a track of the microphone is. Works while it is read. */
export class LevelMeter {
  #track;
  /** @type {{ source: MediaStreamAudioSourceNode, analyser: AnalyserNode, samples: Float32Array<ArrayBuffer> } | null} */
  #nodes = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  /** @param {MediaStreamTrack} track */
  constructor(track) {
    this.#track = track;
  }

  /** @returns {number} 0 to 1 */
  read() {
    const { analyser, samples } = (this.#nodes ??= this.#open());
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.release(), IDLE_MS);
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return loudness(Math.sqrt(power));
  }

  release() {
    clearTimeout(this.#idle);
    if (this.#nodes === null) return;
    this.#nodes.source.disconnect();
    this.#nodes = null;
    sharedContext.release();
  }

  #open() {
    const context = sharedContext.acquire();
    const source = context.createMediaStreamSource(new MediaStream([this.#track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = WINDOW;
    source.connect(analyser);
    return { source, analyser, samples: new Float32Array(WINDOW) };
  }
}

/** A track made louder or quieter. */
export class Gain {
  #source;
  #gain;
  #destination;

  /**
   * @param {MediaStreamTrack} track
   * @param {number} factor
   */
  constructor(track, factor) {
    const context = sharedContext.acquire();
    this.#source = context.createMediaStreamSource(new MediaStream([track]));
    this.#gain = context.createGain();
    this.#destination = context.createMediaStreamDestination();
    this.#source.connect(this.#gain).connect(this.#destination);
    this.setFactor(factor);
  }

  /** @returns {MediaStreamTrack} */
  get track() {
    const [track] = this.#destination.stream.getAudioTracks();
    if (track === undefined) throw new Error('a destination of Web Audio has one track');
    return track;
  }

  /** @param {number} factor */
  setFactor(factor) {
    this.#gain.gain.value = factor;
  }

  close() {
    this.#source.disconnect();
    this.#gain.disconnect();
    this.track.stop();
    sharedContext.release();
  }
}
