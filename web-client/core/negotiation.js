/**
 * Answers every offer of the server with its own revision, one after the other: the server has one open at a time and
 * waits for its answer before it makes the next.
 */
export class Negotiation {
  #offer;
  #answer;
  #failed;
  /** @type {import('./protocol.js').Event<'offer'>[]} */
  #waiting = [];
  /** The one that answers now; another after a reset. @type {object | null} */
  #worker = null;

  /**
   * @param {object} options
   * @param {import('./ports.js').Media['offer']} options.offer
   * @param {(revision: number, sdp: string) => void} options.answer
   * @param {(cause: unknown) => void} options.failed an offer that cannot be answered, which the server will wait for.
   *   Nothing more is answered until a reset
   */
  constructor({ offer, answer, failed }) {
    this.#offer = offer;
    this.#answer = answer;
    this.#failed = failed;
  }

  /** @param {import('./protocol.js').Event<'offer'>} offer */
  offer(offer) {
    this.#waiting.push(offer);
    if (this.#worker === null) void this.#work();
  }

  /** Forgets every offer. What is being answered now may never settle: its PeerConnection is closed. */
  reset() {
    this.#waiting = [];
    this.#worker = null;
  }

  async #work() {
    const worker = {};
    this.#worker = worker;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { revision, sdp, mids } = next;
      try {
        const answer = await this.#offer(revision, sdp, mids);
        if (this.#worker !== worker) return;
        this.#answer(revision, answer);
      } catch (cause) {
        if (this.#worker === worker) this.#failed(cause);
        return;
      }
    }
    this.#worker = null;
  }
}
