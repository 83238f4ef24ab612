/** @typedef {import('../core/client.js').Kind} Kind */

/** What this participant sends, and what of it the server is to hold back. */
export class Sending {
  #core;
  /** @type {Kind[]} */
  #kinds;
  /** Lasts beyond a publication: who was muted is muted when they publish again. @type {Set<Kind>} */
  #muted = new Set();

  /** @param {import('../core/client.js').Client} core @param {boolean} audioOnly */
  constructor(core, audioOnly) {
    this.#core = core;
    this.#kinds = audioOnly ? ['audio'] : ['audio', 'video'];
  }

  /** Again for a new address. @returns {Promise<string>} the address for the pusher */
  async publish() {
    const url = await this.#core.publish({ audio: true, video: this.#kinds.includes('video') });
    await Promise.all([...this.#muted].map((kind) => this.#tell(kind, true)));
    return url;
  }

  async unpublish() {
    await this.#core.unpublish();
  }

  /** @param {Kind[]} kinds @param {boolean} muted */
  async mute(kinds, muted) {
    for (const kind of kinds) {
      if (muted) this.#muted.add(kind);
      else this.#muted.delete(kind);
    }
    await Promise.all(kinds.map((kind) => this.#tell(kind, muted)));
  }

  /** @param {Kind} kind @param {boolean} muted */
  async #tell(kind, muted) {
    if (this.#core.publishes() && this.#kinds.includes(kind)) await this.#core.mute(kind, muted);
  }
}
