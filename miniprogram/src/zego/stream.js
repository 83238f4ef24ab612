/** What publishing and playing a stream have in common. */

import { codeOf } from '../core/components.js';

/** The vendor tells of the quality as often. */
const QUALITY_MS = 3_000;
/** A ticket holds for 180 s after its connection (docs/signalling.md): an address as old as this is not handed out again. */
export const TICKET_MS = 150_000;

/** Listeners that are taken away together. */
export class Listeners {
  /** @type {(() => void)[]} */
  #remove = [];

  /**
   * @template {keyof import('../core/client.js').ClientEvents} Name
   * @param {import('../core/client.js').Client} client
   * @param {Name} name
   * @param {(...args: import('../core/client.js').ClientEvents[Name]) => void} listener
   */
  on(client, name, listener) {
    client.on(name, listener);
    this.#remove.push(() => client.off(name, listener));
  }

  clear() {
    for (const remove of this.#remove.splice(0)) remove();
  }
}

/** When to tell of the quality, and what. */
export class QualityPace {
  #clock;
  /** @type {number | null} */
  #at = null;
  /** @type {number | null} */
  #volume = null;

  /** @param {import('../../../web-client/core/ports.js').Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** @param {unknown} event of `bindaudiovolumenotify` */
  volume(event) {
    const { volume } = /** @type {{ volume?: unknown }} */ (
      /** @type {{ detail?: unknown } | null | undefined} */ (event)?.detail ?? {});
    if (typeof volume === 'number' && Number.isFinite(volume)) this.#volume = volume;
  }

  /**
   * @param {import('../core/netstatus.js').NetInfo} info
   * @returns {import('./emitter.js').StreamStats | null} null: not yet
   */
  take({ videoBitrate, videoFPS, videoWidth, videoHeight, audioBitrate }) {
    const now = this.#clock.now();
    if (this.#at !== null && now - this.#at < QUALITY_MS) return null;
    this.#at = now;
    return {
      video: {
        ...(videoBitrate === undefined ? {} : { videoBitrate }),
        ...(videoFPS === undefined ? {} : { videoFPS }),
        ...(videoWidth === undefined ? {} : { frameWidth: videoWidth }),
        ...(videoHeight === undefined ? {} : { frameHeight: videoHeight }),
      },
      audio: {
        ...(audioBitrate === undefined ? {} : { audioBitrate }),
        ...(this.#volume === null ? {} : { audioLevel: this.#volume }),
      },
    };
  }
}

/**
 * The page's component for a stream, where the SDK drives it.
 *
 * @typedef {object} Sink
 * @property {(url: string) => Promise<void>} show gives the component this address and starts it; rejects with a ZegoError
 * @property {() => void} hide stops it and takes its address away
 * @property {(limits: import('../core/client.js').PublishLimits | null) => void} limit what a pusher sends at most
 */

export { codeOf };
