import { webrtcUrl } from './commands.js';
import { copyOnClick } from './copy.js';
import { closeStream, DeviceError, namedDevices, openStream, parseQuality } from './devices.js';
import { find } from './dom.js';
import { SessionError } from './errors.js';
import { Panel } from './panel.js';
import { WhipClient } from './whip.js';

/** Camera and microphone, from preview to publication. */
export class PublishPanel extends EventTarget {
  #words;
  #fields;
  #server;
  #client = new WhipClient({ onState: (state) => this.#enter(state) });
  #panel;
  #camera = find('camera', HTMLSelectElement);
  #microphone = find('microphone', HTMLSelectElement);
  #quality = find('quality', HTMLSelectElement);
  #preview = find('preview', HTMLButtonElement);
  #link = find('viewer-link', HTMLButtonElement);
  /** @type {MediaStream | null} */
  #stream = null;
  /** Counts the requests for a stream: an answer that comes after the next request is not wanted. */
  #request = 0;

  /**
   * @param {object} context
   * @param {import('./words.js').Words} context.words
   * @param {import('./fields.js').Fields} context.fields
   * @param {() => import('./commands.js').Server} context.server
   */
  constructor({ words, fields, server }) {
    super();
    this.#words = words;
    this.#fields = fields;
    this.#server = server;
    this.#panel = new Panel('publish', { words, videoId: 'local-video', peer: () => this.#client.peer });
    find('publish-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#publish();
    });
    find('stop-publish', HTMLButtonElement).addEventListener('click', () => this.#stop());
    this.#preview.addEventListener('click', () => void this.#togglePreview());
    copyOnClick(this.#link, { words, name: 'publish.link', text: () => fields.viewerLink() });
    for (const select of [this.#camera, this.#microphone, this.#quality]) {
      select.addEventListener('change', () => {
        if (this.#stream !== null) void this.#open();
      });
    }
    words.addEventListener('change', () => this.#writeButtons());
    this.#writeButtons();
    void this.#listDevices();
  }

  get state() {
    return this.#panel.state;
  }

  get busy() {
    return this.#panel.busy;
  }

  async #publish() {
    if (this.busy || !this.#fields.complete()) return;
    this.#enter({ name: 'connecting' });
    const stream = this.#stream ?? (await this.#open());
    // Stopped while the browser asked for permission, or refused.
    if (stream === null || !this.busy) return;
    const address = this.#fields.address(this.#fields.uid);
    try {
      await this.#client.publish(stream, {
        url: webrtcUrl(this.#server(), 'whip', address),
        token: address.token,
        maxVideoBitrateBps: parseQuality(this.#quality.value).maxBitrateBps,
      });
    } catch (error) {
      // The state has told the person already.
      if (!(error instanceof SessionError)) throw error;
    }
  }

  #stop() {
    this.#client.stop();
    this.#close();
    this.#enter({ name: 'idle' });
  }

  async #togglePreview() {
    if (this.#stream !== null) this.#close();
    else await this.#open();
  }

  /**
   * Opens what is chosen in place of what was open.
   *
   * @returns {Promise<MediaStream | null>} null when it failed, which the panel then says
   */
  async #open() {
    this.#request += 1;
    const request = this.#request;
    this.#panel.showFailure(null);
    try {
      const stream = await openStream({
        camera: this.#camera.value,
        microphone: this.#microphone.value,
        quality: parseQuality(this.#quality.value),
      });
      if (request !== this.#request) {
        closeStream(stream);
        return null;
      }
      closeStream(this.#stream);
      this.#show(stream);
      await this.#listDevices();
      return stream;
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      if (request !== this.#request) return null;
      this.#close();
      this.#enter({ name: 'idle' });
      this.#panel.showFailure(error);
      return null;
    }
  }

  #close() {
    this.#request += 1;
    closeStream(this.#stream);
    this.#show(null);
  }

  /** @param {MediaStream | null} stream */
  #show(stream) {
    this.#stream = stream;
    this.#panel.showStream(stream);
    this.#writeButtons();
  }

  /** @param {import('./session.js').State} state */
  #enter(state) {
    this.#panel.show(state);
    this.#writeButtons();
    this.dispatchEvent(new Event('change'));
  }

  #writeButtons() {
    this.#preview.textContent = this.#words.say(this.#stream === null ? 'publish.preview' : 'publish.preview.stop');
    this.#preview.hidden = this.busy;
    this.#link.hidden = !this.busy;
    for (const select of [this.#camera, this.#microphone, this.#quality]) select.disabled = this.busy;
  }

  async #listDevices() {
    list(this.#camera, await namedDevices('videoinput'));
    list(this.#microphone, await namedDevices('audioinput'));
  }
}

/**
 * Puts devices between the first option (the default) and the last (none), and keeps what is chosen if it is still there.
 *
 * @param {HTMLSelectElement} select
 * @param {readonly { id: string, label: string }[]} devices
 */
function list(select, devices) {
  const chosen = select.value;
  for (const option of [...select.options].slice(1, -1)) option.remove();
  for (const { id, label } of devices) select.add(new Option(label, id), select.options.length - 1);
  select.value = chosen;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}
