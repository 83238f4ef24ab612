/**
 * Attributes of the two native components: their names as properties, their types and what WeChat takes for granted.
 *
 * @typedef {'string' | 'number' | 'boolean'} Kind
 * @typedef {Record<string, [Kind, string | number | boolean | undefined]>} Attributes
 */

/** @type {Attributes} */
export const PUSHER_ATTRIBUTES = {
  url: ['string', ''],
  mode: ['string', 'RTC'],
  autopush: ['boolean', false],
  muted: ['boolean', false],
  enableCamera: ['boolean', true],
  enableMic: ['boolean', true],
  enableAgc: ['boolean', false],
  enableAns: ['boolean', false],
  enableEarMonitor: ['boolean', false],
  autoFocus: ['boolean', true],
  zoom: ['boolean', false],
  orientation: ['string', 'vertical'],
  aspect: ['string', '9:16'],
  minBitrate: ['number', 200],
  maxBitrate: ['number', 1000],
  videoWidth: ['number', 360],
  videoHeight: ['number', 640],
  fps: ['number', 15],
  audioQuality: ['string', 'high'],
  audioVolumeType: ['string', 'auto'],
  audioReverbType: ['number', 0],
  voiceChangerType: ['number', 0],
  beauty: ['number', 0],
  whiteness: ['number', 0],
  beautyStyle: ['string', 'smooth'],
  filter: ['string', 'standard'],
  devicePosition: ['string', 'front'],
  mirror: ['boolean', false],
  remoteMirror: ['boolean', false],
  localMirror: ['string', 'auto'],
  waitingImage: ['string', ''],
  waitingImageHash: ['string', ''],
  backgroundMute: ['boolean', false],
  pictureInPictureMode: ['string', ''],
  customEffect: ['boolean', false],
  skinWhiteness: ['number', 0],
  skinSmoothness: ['number', 0],
  faceThinness: ['number', 0],
  eyeBigness: ['number', 0],
  enableVideoCustomRender: ['boolean', false],
  debug: ['boolean', false],
};

/** @type {Attributes} */
export const PLAYER_ATTRIBUTES = {
  src: ['string', ''],
  mode: ['string', 'live'],
  autoplay: ['boolean', false],
  muted: ['boolean', false],
  muteAudio: ['boolean', false],
  muteVideo: ['boolean', false],
  orientation: ['string', 'vertical'],
  objectFit: ['string', 'contain'],
  minCache: ['number', 1],
  maxCache: ['number', 3],
  soundMode: ['string', 'speaker'],
  backgroundMute: ['boolean', false],
  autoPauseIfNavigate: ['boolean', true],
  autoPauseIfOpenNative: ['boolean', true],
  pictureInPictureMode: ['string', ''],
  enableAutoRotation: ['boolean', false],
  enableCasting: ['boolean', false],
  enableRecvMessage: ['boolean', false],
  enableMetadata: ['boolean', false],
  referrerPolicy: ['string', 'no-referrer'],
  debug: ['boolean', false],
};

/**
 * What an attribute means, whatever a template has written there: `"true"` and `{{true}}` are the same (and so is
 * `"false"`, a string that is not empty), a number may be a string, and what is not set, or is nonsense, is the
 * default.
 *
 * @param {Attributes} table
 * @param {Record<string, unknown>} given
 * @returns {Record<string, any>} all attributes of the table
 */
export function readAttributes(table, given) {
  /** @type {Record<string, any>} */
  const read = {};
  for (const [name, [kind, byDefault]] of Object.entries(table)) read[name] = readOne(kind, byDefault, given[name]);
  return read;
}

/**
 * @param {Kind} kind
 * @param {any} byDefault
 * @param {any} value
 */
function readOne(kind, byDefault, value) {
  if (value === undefined || value === null) return byDefault;
  if (kind === 'boolean') return Boolean(value);
  if (kind === 'string') return String(value);
  const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value);
  return Number.isFinite(number) ? number : byDefault;
}

/**
 * @typedef {object} MediaHost what a native component needs of its place
 * @property {(event: string, detail: any) => void} emit `statechange`, `netstatus`, `error` and so on
 * @property {'android' | 'ios'} platform
 * @property {any} device camera, microphone and quirks, see launch()
 * @property {string} ffmpeg path of the program
 * @property {(path: string) => string} resolveFile a path in the package → a file; throws if there is none
 * @property {(level: string, text: string) => void} log
 *
 * @typedef {object} Media a LivePusher or LivePlayer
 * @property {(changes: Record<string, any>) => void} set attributes that have changed
 * @property {(method: string, options: any) => Promise<any>} call a method of the component's context
 * @property {(on: boolean) => void} background the mini-program is no longer on the screen
 * @property {(on: boolean) => void} [hidden] another page is on top
 * @property {() => void} [lose] its connection to the server breaks, and it does what a phone does then
 * @property {() => Promise<void>} close
 * @property {any} state
 *
 * @typedef {new (host: MediaHost, attributes: Record<string, any>) => Media} MediaClass
 */

/**
 * One live-pusher or live-player in the tree. It lives from attached to detached; changes of attributes reach it
 * once a turn.
 */
export class NativeElement {
  /** @type {'live-pusher' | 'live-player'} */
  kind;
  /** @type {Media} */
  media;
  /** The element in the tree. @type {any} */
  element;
  /** Settles when the media have let go of everything. @type {Promise<void> | undefined} */
  closed;
  #table;
  #attributes;
  #stale = false;

  /**
   * @param {'live-pusher' | 'live-player'} kind
   * @param {any} element a glass-easel component
   * @param {MediaClass} MediaType
   * @param {MediaHost} host
   */
  constructor(kind, element, MediaType, host) {
    this.kind = kind;
    this.element = element;
    this.#table = kind === 'live-pusher' ? PUSHER_ATTRIBUTES : PLAYER_ATTRIBUTES;
    this.#attributes = readAttributes(this.#table, element.data);
    this.media = new MediaType(host, {...this.#attributes});
  }

  /** @returns {Record<string, any>} a copy of what the attributes mean */
  get attributes() {
    return {...this.#attributes};
  }

  /** Attributes may have changed. */
  changed() {
    if (this.#stale) return;
    this.#stale = true;
    queueMicrotask(() => this.#flush());
  }

  #flush() {
    this.#stale = false;
    if (this.closed) return;
    const now = readAttributes(this.#table, this.element.data);
    /** @type {Record<string, any>} */
    const changes = {};
    for (const [name, value] of Object.entries(now)) {
      if (value !== this.#attributes[name]) changes[name] = value;
    }
    this.#attributes = now;
    if (Object.keys(changes).length > 0) this.media.set(changes);
  }

  /** @returns {Promise<void>} */
  close() {
    this.closed ??= this.media.close();
    return this.closed;
  }
}
