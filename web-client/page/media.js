import { failureOf } from './failure.js';
import { remember } from './memory.js';
import { encoderConfiguration } from './qualities.js';

/** @typedef {import('./sdk.js').Sdk} Sdk */
/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').DeviceKind} DeviceKind */
/** @typedef {import('./state.js').SourceName} SourceName */
/** @typedef {import('./state.js').Source} Source */

/** @type {readonly DeviceKind[]} */
const KINDS = ['audioinput', 'videoinput', 'audiooutput'];

/** How choices are remembered. @type {Readonly<Record<DeviceKind, import('./memory.js').Name>>} */
const MEMORY = { audioinput: 'microphone', videoinput: 'camera', audiooutput: 'speaker' };

/** One's own microphone, camera and screen, in the lobby and in the call. */
export class LocalMedia {
  #sdk;
  #store;
  #notify;
  /** @type {import('./sdk.js').MicrophoneTrack | null} */
  #microphone = null;
  /** @type {import('./sdk.js').CameraTrack | null} */
  #camera = null;
  /** @type {import('./sdk.js').LocalTrack[]} */
  #screen = [];
  /** Is told when the browser ends the sharing of a screen. @type {() => void} */
  onScreenEnded = () => {};
  /** Is told when a device is gone. @type {() => void} */
  onLost = () => {};

  /**
   * @param {Sdk} sdk
   * @param {import('./store.js').Store<State>} store
   * @param {import('./notices.js').Notices} notify
   */
  constructor(sdk, store, notify) {
    this.#sdk = sdk;
    this.#store = store;
    this.#notify = notify;
    sdk.on('camera-changed', (change) => void this.#deviceChanged('camera', 'videoinput', change));
    sdk.on('microphone-changed', (change) => void this.#deviceChanged('microphone', 'audioinput', change));
    sdk.on('playback-device-changed', () => void this.refresh());
  }

  get microphone() {
    return this.#microphone;
  }

  get camera() {
    return this.#camera;
  }

  /** The picture of the shared screen, if one is shared. */
  get screen() {
    return this.#screen[0] ?? null;
  }

  get screenTracks() {
    return this.#screen;
  }

  /** Browsers hide devices from pages that came over plain HTTP from another machine. */
  static get secure() {
    return 'mediaDevices' in navigator;
  }

  static get canShareScreen() {
    return LocalMedia.secure && 'getDisplayMedia' in navigator.mediaDevices;
  }

  static get canChooseSpeaker() {
    return 'setSinkId' in HTMLMediaElement.prototype;
  }

  /**
   * Opens the microphone, or lets it be heard again.
   *
   * @returns {Promise<boolean>} whether it is on
   */
  async openMicrophone() {
    const known = this.#microphone;
    return this.#open('microphone', async () => {
      // It is disabled since its device went; now there may be another one.
      if (known && !known.enabled) await known.setEnabled(true);
      if (known) return known.setMuted(false);
      const { chosen } = this.#store.state;
      const id = chosen.audioinput;
      const track = await this.#sdk.createMicrophoneAudioTrack(id === '' ? {} : { microphoneId: id });
      track.on('track-ended', () => void this.#ended('microphone', track));
      this.#microphone = track;
    });
  }

  /** Keeps the microphone open, so that it is back at once. */
  async muteMicrophone() {
    // Shown before it is done, so that pressing again at once means the opposite.
    if (this.#microphone) this.#show('microphone', { state: 'muted' });
    await this.#microphone?.setMuted(true);
  }

  /**
   * Opens the camera, or turns it on again.
   *
   * @returns {Promise<boolean>} whether it is on
   */
  async openCamera() {
    const known = this.#camera;
    return this.#open('camera', async () => {
      if (known) return known.setEnabled(true);
      const { chosen, quality } = this.#store.state;
      const id = chosen.videoinput;
      const encoderConfig = encoderConfiguration(quality);
      const track = await this.#sdk.createCameraVideoTrack({ encoderConfig, ...(id === '' ? {} : { cameraId: id }) });
      track.on('track-ended', () => void this.#ended('camera', track));
      this.#camera = track;
    });
  }

  /** Turns the camera off, and its light. */
  async disableCamera() {
    if (this.#camera) this.#show('camera', { state: 'muted' });
    await this.#camera?.setEnabled(false);
  }

  /** @returns {Promise<boolean>} whether a screen is shared */
  async openScreen() {
    return this.#open('screen', async () => {
      const made = await this.#sdk.createScreenVideoTrack({}, 'auto');
      this.#screen = Array.isArray(made) ? made : [made];
      this.screen?.on('track-ended', () => this.onScreenEnded());
    });
  }

  closeScreen() {
    for (const track of this.#screen) track.close();
    this.#screen = [];
    this.#show('screen', { state: 'off' });
  }

  /** Lets all devices go. */
  close() {
    this.closeScreen();
    this.#microphone?.close();
    this.#microphone = null;
    this.#camera?.close();
    this.#camera = null;
    const off = { state: /** @type {const} */ ('off'), blocked: false, failure: null };
    this.#store.set({ sources: { microphone: off, camera: off, screen: off } });
  }

  /**
   * @param {DeviceKind} kind
   * @param {string} id
   */
  async choose(kind, id) {
    this.#store.set({ chosen: { ...this.#store.state.chosen, [kind]: id } });
    remember(MEMORY[kind], id);
    const name = kind === 'audioinput' ? 'microphone' : 'camera';
    try {
      // Of a track that is off it is the device to open next.
      if (kind === 'audioinput') await this.#microphone?.setDevice(id);
      if (kind === 'videoinput') await this.#camera?.setDevice(id);
    } catch (cause) {
      this.#show(name, { failure: failureOf(cause, name) });
    }
  }

  /** @param {string} quality */
  async chooseQuality(quality) {
    this.#store.set({ quality });
    remember('quality', quality);
    await this.#camera?.setEncoderConfiguration(encoderConfiguration(quality));
  }

  /** Reads the list of devices anew; their names are told only after a first permission. */
  async refresh() {
    if (!LocalMedia.secure) return;
    const found = await this.#sdk.getDevices(true);
    const named = (/** @type {DeviceKind} */ kind) =>
      found
        .filter((device) => device.kind === kind && device.deviceId !== '' && device.deviceId !== 'default')
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    const [audioinput = [], videoinput = [], audiooutput = []] = KINDS.map(named);
    this.#store.set({ devices: { audioinput, videoinput, audiooutput } });
  }

  /** @param {SourceName} name @param {boolean} blocked by an admin */
  setBlocked(name, blocked) {
    this.#show(name, { blocked });
  }

  /**
   * @param {SourceName} name
   * @param {() => Promise<void>} act
   */
  async #open(name, act) {
    if (this.#store.state.sources[name].state === 'opening') return false;
    const before = this.#store.state.sources[name].state;
    this.#show(name, { state: 'opening', failure: null });
    try {
      await act();
    } catch (cause) {
      const failure = failureOf(cause, name);
      this.#show(name, { state: before, failure });
      return false;
    }
    this.#show(name, { state: 'on' });
    if (name !== 'screen') await this.refresh();
    return true;
  }

  /**
   * @param {SourceName} name
   * @param {Partial<Source>} change
   */
  #show(name, change) {
    const { sources } = this.#store.state;
    this.#store.set({ sources: { ...sources, [name]: { ...sources[name], ...change } } });
  }

  /**
   * A device is unplugged, or the browser has taken it away. What the system has beside it is opened next.
   *
   * @param {'microphone' | 'camera'} name
   * @param {import('./sdk.js').MicrophoneTrack | import('./sdk.js').CameraTrack} track
   */
  async #ended(name, track) {
    this.#notify.tell('bad', name === 'camera' ? 'toast.lost.camera' : 'toast.lost.microphone', {
      device: track.getTrackLabel(),
    });
    if (track !== this.#microphone && track !== this.#camera) return;
    if (name === 'microphone') await track.setMuted(true);
    await track.setEnabled(false);
    this.#show(name, { state: 'muted' });
    await this.choose(name === 'camera' ? 'videoinput' : 'audioinput', '');
    await this.refresh();
    this.onLost();
  }

  /**
   * @param {'microphone' | 'camera'} name
   * @param {DeviceKind} kind
   * @param {{ state: string, device: { deviceId: string, label: string } }} change
   */
  async #deviceChanged(name, kind, { state, device }) {
    const known = this.#store.state.devices[kind].some(({ id }) => id === device.deviceId);
    await this.refresh();
    const added = this.#store.state.devices[kind].some(({ id }) => id === device.deviceId);
    if (state === 'ACTIVE' && added && !known && device.label !== '') {
      const key = name === 'camera' ? 'toast.found.camera' : 'toast.found.microphone';
      this.#notify.tell('info', key, { device: device.label });
    }
  }
}
