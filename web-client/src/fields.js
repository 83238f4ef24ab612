import { find } from './dom.js';
import { friendlyUid, readPlace, writePlace } from './place.js';

/** The app that needs no token, which a server on loopback has. */
const DEFAULT_APP = 'demo';
const DEFAULT_ROOM = 'lobby';

/**
 * The names that a person types: app, room, uids, token. They come from the link that opened the page, and all but the
 * token stand in its fragment from then on. Says when any of them changes.
 */
export class Fields extends EventTarget {
  #app = find('app', HTMLInputElement);
  #room = find('room', HTMLInputElement);
  #uid = find('uid', HTMLInputElement);
  #token = find('token', HTMLInputElement);
  #watch = find('watch-uid', HTMLInputElement);
  #rtmp = find('rtmp-uid', HTMLInputElement);
  #roomForm = find('room-form', HTMLFormElement);

  constructor() {
    super();
    const random = Math.random();
    this.#rtmp.value = friendlyUid('obs', random);
    const place = readPlace(location, {
      app: DEFAULT_APP,
      room: DEFAULT_ROOM,
      uid: friendlyUid('web', random),
      watch: this.#rtmp.value,
    });
    this.#app.value = place.app;
    this.#room.value = place.room;
    this.#uid.value = place.uid;
    this.#watch.value = place.watch;
    for (const input of [this.#app, this.#room, this.#uid, this.#token, this.#watch, this.#rtmp]) {
      input.addEventListener('input', () => this.#changed());
    }
    this.#roomForm.addEventListener('submit', (event) => event.preventDefault());
    this.#changed();
  }

  get room() {
    return this.#room.value.trim();
  }

  get uid() {
    return this.#uid.value.trim();
  }

  get watchUid() {
    return this.#watch.value.trim();
  }

  set watchUid(uid) {
    this.#watch.value = uid;
    this.#changed();
  }

  get rtmpUid() {
    return this.#rtmp.value.trim();
  }

  get token() {
    return this.#token.value.trim();
  }

  /**
   * @param {string} uid
   * @returns {import('./commands.js').StreamAddress}
   */
  address(uid) {
    return { app: this.#app.value.trim(), room: this.room, uid, token: this.token };
  }

  /** Points a person at what is missing in the room's fields. */
  complete() {
    return this.#roomForm.reportValidity();
  }

  /**
   * Names in use cannot change: what they say is what goes on.
   *
   * @param {{ publishing: boolean, watching: boolean }} use
   */
  lock({ publishing, watching }) {
    for (const input of [this.#app, this.#room, this.#token]) input.readOnly = publishing || watching;
    this.#uid.readOnly = publishing;
    this.#watch.readOnly = watching;
  }

  /** A link to this page that opens on watching what this page publishes. */
  viewerLink() {
    const { app, room } = this.address('');
    return new URL(writePlace({ app, room, watch: this.uid }, DEFAULT_APP), location.href).href;
  }

  #changed() {
    const { app, room } = this.address('');
    const hash = writePlace({ app, room, uid: this.uid, watch: this.watchUid }, DEFAULT_APP);
    history.replaceState(null, '', location.pathname + hash);
    this.dispatchEvent(new Event('change'));
  }
}
