/** @typedef {{ audio: boolean, video: boolean }} Tracks */

/**
 * @typedef {object} Stay
 * @property {import('../core/client.js').Client} core
 * @property {Tracks | null} published what the server was asked to take
 * @property {boolean} muted
 */

/**
 * What of one's own devices goes into the call: follows what the page wishes, one step after the other.
 *
 * Pictures that are turned off are published no longer, with a new address: a pusher whose camera is turned off while it
 * pushes makes its sound lag by seconds. Sound that is turned off is muted.
 */
export class Local {
  /** Which devices may be used at all. @type {Tracks} */
  allowed = { audio: true, video: true };
  /** Which ones the page has started. @type {Tracks} */
  started = { audio: false, video: false };
  /** @type {Stay | null} */
  #stay = null;
  /** @type {Promise<void> | null} */
  #arranging = null;
  #stale = false;
  #failed;

  /** @param {(cause: unknown) => void} failed is told what the server refused */
  constructor(failed) {
    this.#failed = failed;
  }

  /** What is in use, or will be. @returns {Tracks} */
  get wanted() {
    return { audio: this.allowed.audio && this.started.audio, video: this.allowed.video && this.started.video };
  }

  /** There is a channel to publish in. @param {import('../core/client.js').Client} core */
  enter(core) {
    /** @type {Stay} */
    const stay = { core, published: null, muted: false };
    this.#stay = stay;
    // By the server, too: the page decides whether to start again.
    core.on('push-ended', () => {
      stay.published = null;
      stay.muted = false;
    });
  }

  /** There is none any more. */
  exit() {
    this.#stay = null;
  }

  /**
   * Brings what is published to where it should be. Calls that come together are one step.
   *
   * @returns {Promise<void>} rejects with what the server refused
   */
  arrange() {
    this.#stale = true;
    this.#arranging ??= this.#arrange();
    return this.#arranging;
  }

  async #arrange() {
    // Lets whoever starts two devices say so before anything is asked.
    await Promise.resolve();
    try {
      while (this.#stale) {
        this.#stale = false;
        if (this.#stay !== null) await this.#follow(this.#stay);
      }
    } finally {
      this.#arranging = null;
    }
  }

  /** @param {Stay} stay */
  async #follow(stay) {
    try {
      await this.#step(stay);
    } catch (cause) {
      // What was asked for a channel that has been left is of no interest.
      if (this.#stay !== stay) return;
      this.#failed(cause);
      throw cause;
    }
  }

  /** @param {Stay} stay */
  async #step(stay) {
    const { core } = stay;
    const { audio, video } = this.wanted;
    if (!audio && !video) {
      if (core.publishes()) await core.unpublish();
      return;
    }
    const tracks = { audio: this.allowed.audio, video };
    if (stay.published?.audio !== tracks.audio || stay.published.video !== tracks.video) {
      await core.publish(tracks);
      stay.published = tracks;
    }
    if (tracks.audio && stay.muted === audio) {
      await core.mute('audio', !audio);
      stay.muted = !audio;
    }
  }
}
