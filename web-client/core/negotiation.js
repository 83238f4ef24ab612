/**
 * Answers the server's offers one after the other, always the newest: a newer one makes those before it void.
 */
export class Negotiation {
  #offer;
  #answer;
  #report;
  /** @type {import('./protocol.js').Event<'offer'> | null} */
  #latest = null;
  /** The one that answers now; another after a reset. @type {object | null} */
  #worker = null;

  /**
   * @param {object} options
   * @param {import('./ports.js').Media['offer']} options.offer
   * @param {(revision: number, sdp: string) => void} options.answer
   * @param {(cause: unknown) => void} options.report what went wrong; the next offer is looked at all the same
   */
  constructor({ offer, answer, report }) {
    this.#offer = offer;
    this.#answer = answer;
    this.#report = report;
  }

  /** @param {import('./protocol.js').Event<'offer'>} offer */
  offer(offer) {
    this.#latest = offer;
    if (this.#worker === null) void this.#work();
  }

  /** Forgets every offer. What is being answered now may never settle: its PeerConnection is closed. */
  reset() {
    this.#latest = null;
    this.#worker = null;
  }

  async #work() {
    const worker = {};
    this.#worker = worker;
    while (this.#worker === worker && this.#latest !== null) {
      const { revision, sdp, mids } = this.#latest;
      this.#latest = null;
      try {
        const answer = await this.#offer(revision, sdp, mids);
        if (this.#worker === worker && this.#latest === null) this.#answer(revision, answer);
      } catch (cause) {
        if (this.#worker === worker) this.#report(cause);
      }
    }
    if (this.#worker === worker) this.#worker = null;
  }
}
