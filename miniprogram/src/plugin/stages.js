/** @typedef {import('../core/view.js').View} View */

/** What the vendor's own sample sends at most, kbit/s. */
const MAX_BITRATE = 500;

/**
 * What a component that shows the call is to it. Beside `pushers` and `players`, whose items are those of a view, these
 * fields of its data are written: `camera` and `microphone` (whether they are in use), `facing` (`front` or `back`) and
 * `preview` (whether the camera is shown without being sent).
 *
 * @typedef {import('../core/view.js').DataOwner} Owner
 */

/** The components on the pages of the stack. The one that came last shows the call: a stream has one player. */
export class Stages {
  /** @type {Owner[]} */
  #owners = [];
  /** @type {import('../core/client.js').Client | null} */
  #core = null;
  /** @type {View | null} */
  #view = null;
  #devices = { audio: false, video: false };
  /** @type {'front' | 'back'} */
  #facing = 'front';

  /** @param {Owner} owner */
  add(owner) {
    this.#close();
    this.#owners.push(owner);
    this.#open();
    return {
      /** `bindstatechange` of a pusher. @param {unknown} event */
      pusherState: (event) => this.#view?.pusherState(event),
      /** `bindnetstatus` of a pusher. @param {unknown} event */
      pusherNetStatus: (event) => this.#view?.pusherNetStatus(event),
      /** `bindstatechange` of a player. @param {unknown} event */
      playerState: (event) => this.#view?.playerState(event),
      /** `bindnetstatus` of a player. @param {unknown} event */
      playerNetStatus: (event) => this.#view?.playerNetStatus(event),
      /** The component is gone. */
      release: () => this.#remove(owner),
    };
  }

  /** @param {import('../core/client.js').Client} core */
  enter(core) {
    this.#close();
    this.#core = core;
    this.#open();
  }

  exit() {
    this.#close();
    this.#core = null;
    this.#open();
  }

  /** @param {{ audio: boolean, video: boolean }} devices that are in use */
  devices(devices) {
    this.#devices = devices;
    this.#paint();
  }

  /** @param {'front' | 'back'} facing */
  facing(facing) {
    this.#facing = facing;
    this.#paint();
  }

  /** @param {Owner} owner */
  #remove(owner) {
    const shows = this.#owner === owner;
    this.#owners = this.#owners.filter((other) => other !== owner);
    if (!shows) return;
    this.#view?.release();
    this.#view = null;
    this.#open();
  }

  get #owner() {
    return this.#owners[this.#owners.length - 1];
  }

  #open() {
    const owner = this.#owner;
    if (owner !== undefined && this.#core !== null) this.#view = this.#core.bind(owner, { bitrate: { max: MAX_BITRATE } });
    this.#paint();
  }

  #close() {
    this.#view?.release();
    this.#view = null;
    this.#owner?.setData({ pushers: [], players: [], preview: false });
  }

  #paint() {
    const { audio, video } = this.#devices;
    this.#owner?.setData({ camera: video, microphone: audio, facing: this.#facing, preview: video && this.#core === null });
  }
}
