import {NativeElement} from './native.js';

/**
 * @typedef {import('./native.js').NativeElement['kind']} Kind
 *
 * @typedef {object} MediaElementsPorts
 * @property {{LivePusher: import('./native.js').MediaClass, LivePlayer: import('./native.js').MediaClass}} media
 * @property {'android' | 'ios'} platform
 * @property {any} device
 * @property {string} ffmpeg
 * @property {import('./journal.js').Journal} journal
 * @property {(scope: string) => boolean} ask whether the user allows it
 * @property {(path: string) => string} locate a path in the package → a file
 * @property {(element: any, event: string, detail: any) => void} trigger
 */

/** The native components that are in the tree of one of the pages. */
export class MediaElements {
  #ports;
  /** @type {Map<any, NativeElement>} by element, in the order in which they came */
  #live = new Map();
  /** Those that are letting go. @type {Set<Promise<void>>} */
  #closing = new Set();
  /** Roots of pages that others are on top of. @type {WeakSet<any>} */
  #covered = new WeakSet();
  #inBackground = false;

  /** @param {MediaElementsPorts} ports */
  constructor(ports) {
    this.#ports = ports;
  }

  /**
   * @param {Kind} kind
   * @param {any} element a glass-easel component that has come into the tree
   */
  attached(kind, element) {
    const {media, platform, ffmpeg, journal} = this.#ports;
    const MediaType = kind === 'live-pusher' ? media.LivePusher : media.LivePlayer;
    const native = new NativeElement(kind, element, MediaType, {
      platform, ffmpeg,
      device: kind === 'live-pusher' ? this.#phone() : this.#ports.device,
      emit: (event, detail) => this.#emit(kind, element, event, detail),
      resolveFile: (path) => this.#resolveFile(path),
      log: (level, text) => journal.note(`${level} ${kind} ${text}`),
    });
    this.#live.set(element, native);
    if (this.#inBackground) native.media.background(true);
    if (hostsOf(element).some((host) => this.#covered.has(host))) native.media.hidden?.(true);
  }

  /** @param {any} element whose attributes may have changed */
  changed(element) {
    this.#live.get(element)?.changed();
  }

  /** @param {any} element that has left the tree */
  detached(element) {
    const native = this.#live.get(element);
    if (!native) return;
    this.#live.delete(element);
    const closing = native.close().catch((error) => this.#ports.journal.note(`error ${native.kind} ${error.message}`));
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  /**
   * @param {any} element
   * @returns {NativeElement | undefined}
   */
  of(element) {
    return this.#live.get(element);
  }

  /**
   * @param {Kind} kind
   * @returns {NativeElement[]} on all pages, in the order in which they came
   */
  all(kind) {
    return [...this.#live.values()].filter((native) => native.kind === kind);
  }

  /**
   * The pusher that a context is about: WeChat has one on a page, wherever it is in it.
   *
   * @param {any} root a component of glass-easel, or the root of a page
   * @returns {NativeElement | undefined} the one directly in it, else the first one deeper inside
   */
  pusherIn(root) {
    const pushers = this.all('live-pusher');
    const direct = pushers.find(({element}) => hostOf(element) === root);
    return direct ?? pushers.find(({element}) => isInside(element, root));
  }

  /**
   * @param {any} root a component of glass-easel, or the root of a page
   * @param {string} id
   * @returns {NativeElement | undefined} the player of this id directly in it
   */
  playerIn(root, id) {
    return this.all('live-player').find(({element}) => element.id === id && hostOf(element) === root);
  }

  /** @param {boolean} on the whole mini-program goes to the background, or comes back */
  background(on) {
    this.#inBackground = on;
    for (const native of this.#live.values()) native.media.background(on);
  }

  /**
   * @param {any} root of a page
   * @param {boolean} covered whether another page is on top of it
   */
  cover(root, covered) {
    if (covered) this.#covered.add(root);
    else this.#covered.delete(root);
    for (const native of this.#live.values()) {
      if (isInside(native.element, root)) native.media.hidden?.(covered);
    }
  }

  /** All connections to the media server break, as when a phone has slept. */
  lose() {
    for (const native of this.#live.values()) native.media.lose?.();
  }

  /** @returns {Promise<void>} when all have let go */
  async close() {
    for (const element of [...this.#live.keys()]) this.detached(element);
    await Promise.all(this.#closing);
  }

  /** The phone as a pusher finds it: WeChat asks the user before it opens camera and microphone. */
  #phone() {
    const {device, ask} = this.#ports;
    const allowed = {camera: ask('scope.camera'), microphone: ask('scope.record')};
    return {...device, denied: {
      camera: device.denied?.camera || !allowed.camera, microphone: device.denied?.microphone || !allowed.microphone,
    }};
  }

  /**
   * @param {Kind} kind
   * @param {any} element
   * @param {string} event
   * @param {any} detail
   */
  #emit(kind, element, event, detail) {
    if (!this.#live.has(element)) return;
    if (event === 'statechange') {
      this.#ports.journal.note(`${kind}${element.id ? `#${element.id}` : ''} ${detail.code} ${detail.message}`);
    }
    this.#ports.trigger(element, event, detail);
  }

  /** @param {string} path */
  #resolveFile(path) {
    if (/^[a-z]+:\/\//.test(path)) throw new Error('the emulator loads no images from the network');
    return this.#ports.locate(path);
  }
}

/** @param {any} element */
function hostOf(element) {
  return element.ownerShadowRoot?.getHostNode();
}

/**
 * @param {any} element
 * @returns {any[]} the components around it, the innermost first, the page's root last
 */
function hostsOf(element) {
  const hosts = [];
  for (let host = hostOf(element); host; host = hostOf(host)) hosts.push(host);
  return hosts;
}

/**
 * @param {any} element
 * @param {any} root
 */
function isInside(element, root) {
  return hostsOf(element).includes(root);
}
