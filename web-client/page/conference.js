import { failureOf } from './failure.js';
import { personOf } from './model.js';
import { joinedNews, leftNews } from './news.js';
import { OUTSIDE } from './state.js';

/** @typedef {import('./sdk.js').Client} Client */
/** @typedef {import('./sdk.js').RemoteUser} RemoteUser */
/** @typedef {import('./sdk.js').MediaType} MediaType */
/** @typedef {import('./sdk.js').Uid} Uid */
/** @typedef {import('./state.js').State} State */
/** @typedef {import('./model.js').Person} Person */
/** @typedef {import('./model.js').StreamName} StreamName */

/** Events and messages that are kept. */
const MOST_LOG = 400;
const MOST_MESSAGES = 500;
/** What a ban from the menu lasts, in seconds. */
export const BAN_SECONDS = 3600;

/** The stay in a room: what the SDK tells goes into the store, what people do goes to the SDK. */
export class Conference {
  #sdk;
  #store;
  #media;
  #notify;
  /** @type {Client | null} */
  #client = null;
  #leaving = false;
  /** The last thing that was published, or is being. */
  #publishing = Promise.resolve(true);

  /**
   * @param {object} context
   * @param {import('./sdk.js').Sdk} context.sdk
   * @param {import('./store.js').Store<State>} context.store
   * @param {import('./media.js').LocalMedia} context.media
   * @param {import('./notices.js').Notices} context.notify
   */
  constructor({ sdk, store, media, notify }) {
    this.#sdk = sdk;
    this.#store = store;
    this.#media = media;
    this.#notify = notify;
    media.onScreenEnded = () => void this.stopScreen().then(() => notify.tell('info', 'toast.screen.ended'));
    media.onLost = () => this.#refresh();
    sdk.onAutoplayFailed = () => this.#soundHeld();
  }

  /** What everything about the running call is read from; null outside a room. */
  get client() {
    return this.#client;
  }

  /** Joins what the store names, and publishes what is on. */
  async join() {
    const { place, token, joining } = this.#store.state;
    if (joining || this.#client) return;
    this.#store.set({ joining: true, failure: null, ending: null });
    const client = this.#sdk.createClient({ mode: 'live', codec: 'h264', role: place.role });
    this.#listen(client);
    this.#client = client;
    try {
      await client.join(place.app, place.room, token === '' ? null : token, place.uid);
    } catch (cause) {
      this.#client = null;
      client.removeAllListeners();
      this.#log(`join failed: ${failureOf(cause).reason}`);
      this.#store.set({ ...OUTSIDE, joining: false, failure: failureOf(cause) });
      return;
    }
    this.#log(`joined ${place.app}/${place.room} as ${client.uid}`);
    this.#store.set({ view: 'call', joining: false, since: new Date(), panel: null });
    this.#refresh();
    this.#notify.announce('say.joined', { room: place.room });
    if (place.role === 'host') await this.#publishWhatIsOn();
    else this.#media.close();
  }

  /** Opens microphone and camera, one question after the other; who has joined meanwhile publishes what has come late. */
  async openDevices() {
    await this.#media.openMicrophone();
    await this.#media.openCamera();
    const { view, place } = this.#store.state;
    if (view !== 'call') return;
    if (place.role === 'host') await this.#publishWhatIsOn();
    else this.#media.close();
  }

  async leave() {
    const client = this.#client;
    if (!client || this.#leaving) return;
    this.#leaving = true;
    await client.leave();
    this.#leaving = false;
    this.#outside();
    this.#notify.announce('say.left');
  }

  async toggleMicrophone() {
    const { state, blocked } = this.#store.state.sources.microphone;
    if (state === 'on') await this.#media.muteMicrophone();
    else if (blocked) this.#notify.fail({ reason: 'blocked', message: '', device: 'microphone' });
    else if (await this.#media.openMicrophone()) await this.#publish([this.#media.microphone]);
    this.#sourceChanged('microphone');
  }

  async toggleCamera() {
    const { state, blocked } = this.#store.state.sources.camera;
    if (state === 'on') await this.#media.disableCamera();
    else if (blocked) this.#notify.fail({ reason: 'blocked', message: '', device: 'camera' });
    else if (await this.#media.openCamera()) await this.#publish([this.#media.camera]);
    this.#sourceChanged('camera');
  }

  async toggleScreen() {
    const { state, blocked } = this.#store.state.sources.screen;
    if (state === 'on') return this.stopScreen();
    if (blocked) return this.#notify.fail({ reason: 'blocked', message: '', device: 'screen' });
    if (!(await this.#media.openScreen())) return this.#sourceChanged('screen');
    if (!(await this.#publish(this.#media.screenTracks))) this.#media.closeScreen();
    else this.#notify.announce('say.screen.on');
    this.#refresh();
  }

  async stopScreen() {
    const tracks = this.#media.screenTracks;
    if (tracks.length === 0) return;
    await this.#try(() => this.#client?.unpublish([...tracks]));
    this.#media.closeScreen();
    this.#refresh();
  }

  /** @param {import('./place.js').Role} role */
  async setRole(role) {
    if (!(await this.#try(() => this.#client?.setClientRole(role)))) return;
    if (role === 'audience') this.#media.close();
    this.#refresh();
    this.#log(`role: ${role}`);
  }

  /**
   * @param {string} text
   * @param {string} to a uid, empty for everyone
   * @returns {Promise<boolean>}
   */
  async send(text, to) {
    const person = this.person(to);
    const sent = await this.#try(() => this.#client?.sendMessage(text, person?.uid));
    if (sent) this.#keep({ from: this.#store.state.self?.key ?? '', own: true, whom: to === '' ? null : to, text });
    return sent;
  }

  /**
   * @param {Person} person
   * @param {MediaType} mediaType
   * @param {boolean} muted
   */
  async block(person, mediaType, muted) {
    if (!(await this.#try(() => this.#client?.muteUser(person.uid, mediaType, muted)))) return;
    const blocks = new Set(this.#store.state.blocks);
    if (muted) blocks.add(`${mediaType}:${person.key}`);
    else blocks.delete(`${mediaType}:${person.key}`);
    this.#store.set({ blocks });
  }

  /**
   * @param {Person} person
   * @param {string} text for them
   */
  async kick(person, text) {
    const done = await this.#try(() => this.#client?.kick(person.uid, text === '' ? undefined : text));
    if (done) this.#notify.tell('good', 'toast.done.kick', { name: person.key });
  }

  /**
   * @param {Person} person
   * @param {string} text
   */
  async ban(person, text) {
    const done = await this.#try(() => this.#client?.ban(person.uid, BAN_SECONDS, text === '' ? undefined : text));
    if (done) this.#notify.tell('good', 'toast.done.ban', { name: person.key });
  }

  async closeRoom() {
    await this.#try(() => this.#client?.closeRoom());
  }

  /** @param {string} token */
  async renewToken(token) {
    if (!(await this.#try(() => this.#client?.renewToken(token)))) return;
    this.#store.set({ token, tokenExpiring: false });
    this.#refresh();
  }

  /** Any gesture will do, and the SDK plays the sound by itself then. */
  #soundHeld() {
    this.#store.set({ soundHeld: true });
    const over = new AbortController();
    const heard = () => {
      over.abort();
      this.#store.set({ soundHeld: false });
    };
    for (const gesture of ['click', 'keydown']) document.addEventListener(gesture, heard, { signal: over.signal });
  }

  /**
   * Whether this page plays somebody's sound.
   *
   * @param {string} key
   * @param {boolean} silent
   */
  silence(key, silent) {
    const silenced = new Set(this.#store.state.silenced);
    if (silent) silenced.add(key);
    else silenced.delete(key);
    this.#store.set({ silenced });
    const user = this.user(key);
    user?.audioTrack?.setVolume(silent ? 0 : 100);
    user?.screenAudioTrack?.setVolume(silent ? 0 : 100);
  }

  /**
   * How large somebody's pictures are shown, in CSS pixels: larger ones need not be sent.
   *
   * @param {string} key
   * @param {{ width: number, height: number } | null} place null if they are not shown
   */
  shown(key, place) {
    const user = this.user(key);
    if (!user) return;
    const asked = this.#client?.setRemoteVideoSize(user, place ?? { width: 0, height: 0 });
    asked?.catch((cause) => this.#log(`asking for the size of ${key} failed: ${failureOf(cause).reason}`));
  }

  /** @param {string} id of a speaker */
  async chooseSpeaker(id) {
    for (const user of this.#client?.remoteUsers ?? []) {
      for (const track of [user.audioTrack, user.screenAudioTrack]) await this.#try(() => track?.setPlaybackDevice(id));
    }
  }

  /** @param {string} key @returns {RemoteUser | undefined} */
  user(key) {
    return this.#client?.remoteUsers.find(({ uid }) => String(uid) === key);
  }

  /** @param {string} key */
  person(key) {
    return this.#store.state.others.find((person) => person.key === key);
  }

  async #publishWhatIsOn() {
    const { microphone, camera } = this.#media;
    await this.#publish([microphone, camera]);
    this.#refresh();
  }

  /**
   * @param {readonly (import('./sdk.js').LocalTrack | null)[]} tracks those that are not published yet are
   */
  #publish(tracks) {
    // One after the other: what is being published now is not published once more.
    const result = this.#publishing.then(async () => {
      const client = this.#client;
      if (!client) return true;
      const fresh = tracks.filter((track) => track !== null && !client.localTracks.includes(track));
      if (fresh.length === 0) return true;
      return this.#try(() => client.publish(/** @type {import('./sdk.js').LocalTrack[]} */ (fresh)));
    });
    this.#publishing = result;
    return result;
  }

  /** @param {import('./state.js').SourceName} name */
  #sourceChanged(name) {
    const { state, failure } = this.#store.state.sources[name];
    if (failure && this.#client) this.#notify.fail(failure);
    else if (name === 'microphone') this.#notify.announce(state === 'on' ? 'say.mic.on' : 'say.mic.off');
    else if (name === 'camera') this.#notify.announce(state === 'on' ? 'say.camera.on' : 'say.camera.off');
    this.#refresh();
  }

  /**
   * Does something, and says so if it fails.
   *
   * @param {() => Promise<unknown> | undefined} act
   */
  async #try(act) {
    try {
      await act();
      return true;
    } catch (cause) {
      const failure = failureOf(cause);
      this.#log(`failed: ${failure.reason || failure.message}`);
      // What was given up by leaving needs no words.
      if (failure.reason !== 'left') this.#notify.fail(failure);
      return false;
    }
  }

  /** @param {Client} client */
  #listen(client) {
    client.on('connection-state-change', (now, before, reason) => this.#connectionChanged(now, before, reason));
    client.on('user-joined', (user) => this.#userJoined(user));
    client.on('user-left', (user, reason) => this.#userLeft(user, reason));
    client.on('user-published', (user, mediaType) => void this.#subscribe(client, user, mediaType));
    client.on('user-unpublished', (user, mediaType) => this.#changed(`${user.uid} unpublished ${mediaType}`));
    client.on('user-info-updated', (uid, message) => this.#changed(`${uid}: ${message}`));
    client.on('user-role-changed', (user) => this.#roleChanged(user));
    client.on('user-connection', (user) => this.#changed(`${user.uid} ${user.connected ? 'is back' : 'is reconnecting'}`));
    client.on('local-track-state', (mediaType, state, by) => this.#localState(mediaType, state, by));
    client.on('local-role-changed', (role) => this.#changed(`own role: ${role}`));
    client.on('local-unpublished', (tracks) => this.#unpublished(tracks));
    client.on('session-ended', (error) => this.#ended(error));
    client.on('token-privilege-will-expire', () => {
      this.#log('token expires soon');
      this.#store.set({ tokenExpiring: true });
    });
    client.on('message', (message) => this.#received(message));
    client.on('network-quality', ({ uplinkNetworkQuality: uplink, downlinkNetworkQuality: downlink }) => {
      this.#store.set({ network: { uplink, downlink }, qualityOf: this.#qualities(client) });
    });
    client.on('exception', ({ code, msg, uid }) => this.#log(`exception ${code}: ${msg}${uid === undefined ? '' : ` (${uid})`}`));
    client.on('media-reconnect-start', () => this.#mediaLost(true));
    client.on('media-reconnect-end', () => this.#mediaLost(false));
  }

  /** @param {Client} client @returns {State['qualityOf']} */
  #qualities(client) {
    const entries = Object.entries(client.getRemoteNetworkQuality());
    return Object.fromEntries(
      entries.map(([uid, quality]) => [
        uid,
        { uplink: quality.uplinkNetworkQuality, downlink: quality.downlinkNetworkQuality },
      ]),
    );
  }

  /** @param {State['connection']} now @param {State['connection']} before @param {string} [reason] */
  #connectionChanged(now, before, reason) {
    this.#log(`${before} → ${now}${reason ? ` (${reason})` : ''}`);
    const wasLost = now === 'RECONNECTING';
    if (before === 'RECONNECTING' && now === 'CONNECTED') this.#notify.tell('good', 'toast.back');
    this.#store.set({ connection: now, wasLost });
    this.#refresh();
    // Reasons that have an error come as `session-ended`; a connection that was given up has none.
    if (now === 'DISCONNECTED' && before === 'RECONNECTING' && !this.#leaving) queueMicrotask(() => this.#lost(reason));
  }

  /** @param {boolean} mediaLost */
  #mediaLost(mediaLost) {
    this.#log(mediaLost ? 'media interrupted' : 'media back');
    this.#store.set({ mediaLost });
  }

  /** @param {string} [reason] */
  #lost(reason = '') {
    if (this.#client?.connectionState === 'DISCONNECTED') this.#ended({ reason: 'lost', message: reason, data: {} });
  }

  /** @param {RemoteUser} user */
  #userJoined(user) {
    this.#changed(`${user.uid} joined (${user.platform}, ${user.role})`);
    const news = joinedNews(this.#store.state.others.length);
    if (news && this.#settled) this.#notify.tell('info', news, { name: String(user.uid) });
  }

  /** @param {RemoteUser} user @param {string} reason */
  #userLeft(user, reason) {
    const count = this.#store.state.others.length;
    this.#changed(`${user.uid} left (${reason})`);
    const news = leftNews(reason, count);
    if (news) this.#notify.tell('info', news, { name: String(user.uid) });
  }

  /** Who is in the room already when one joins is no news. */
  get #settled() {
    const { since } = this.#store.state;
    return since !== null && Date.now() - since.getTime() > 1000;
  }

  /**
   * @param {Client} client
   * @param {RemoteUser} user
   * @param {MediaType} mediaType
   */
  async #subscribe(client, user, mediaType) {
    this.#changed(`${user.uid} published ${mediaType}`);
    try {
      await client.subscribe(user, mediaType);
    } catch (cause) {
      // Streams end while one asks for them.
      this.#log(`subscribing to ${mediaType} of ${user.uid} failed: ${failureOf(cause).reason}`);
      return;
    }
    const sound = mediaType === 'audio' ? user.audioTrack : mediaType === 'screen-audio' ? user.screenAudioTrack : null;
    if (sound) this.#play(sound, String(user.uid));
    this.#refresh();
  }

  /** @param {import('./sdk.js').RemoteAudioTrack} track @param {string} key */
  #play(track, key) {
    const { chosen, silenced } = this.#store.state;
    track.play();
    if (silenced.has(key)) track.setVolume(0);
    if (chosen.audiooutput !== '') void this.#try(() => track.setPlaybackDevice(chosen.audiooutput));
  }

  /** @param {RemoteUser} user */
  #roleChanged(user) {
    this.#changed(`${user.uid} is ${user.role}`);
    this.#notify.tell('info', user.role === 'host' ? 'toast.role.host' : 'toast.role.audience', { name: String(user.uid) });
  }

  /** @param {MediaType} mediaType @param {string} state @param {Uid} [by] */
  #localState(mediaType, state, by) {
    this.#log(`own ${mediaType}: ${state}${by === undefined ? '' : ` by ${by}`}`);
    const what = mediaType === 'audio' || mediaType === 'video' ? mediaType : 'screen';
    const source = /** @type {const} */ ({ audio: 'microphone', video: 'camera', screen: 'screen' })[what];
    const blocked = state === 'blocked';
    if (this.#store.state.sources[source].blocked === blocked) return;
    this.#media.setBlocked(source, blocked);
    this.#notify.tell(blocked ? 'bad' : 'info', blocked ? `toast.blocked.${what}` : `toast.freed.${what}`);
    if (blocked && source === 'microphone') void this.#media.muteMicrophone().then(() => this.#refresh());
    if (blocked && source === 'camera') void this.#media.disableCamera().then(() => this.#refresh());
    if (blocked && source === 'screen') void this.stopScreen();
  }

  /** Another connection of the same user ID publishes now, or the role is gone. @param {readonly object[]} tracks */
  #unpublished(tracks) {
    if (tracks.some((track) => track === this.#media.screen)) this.#media.closeScreen();
    this.#changed(`own ${tracks.length} tracks are not published any longer`);
  }

  /** @param {{ from: Uid, private: boolean, text?: string, data?: Uint8Array }} message */
  #received({ from, private: secret, text, data }) {
    const key = String(from);
    this.#keep({ from: key, own: false, whom: secret ? key : null, text: text ?? '', bytes: data?.length ?? 0 });
    const { panel, unread } = this.#store.state;
    if (panel === 'chat') return;
    this.#store.set({ unread: unread + 1 });
    if (text) this.#notify.tell('info', 'toast.message', { name: key, text: text.slice(0, 120) });
  }

  /** @param {{ from: string, own: boolean, whom: string | null, text: string, bytes?: number }} message */
  #keep({ from, own, whom, text, bytes = 0 }) {
    const { messages } = this.#store.state;
    const id = (messages.at(-1)?.id ?? 0) + 1;
    const message = { id, from, own, whom, at: new Date(), text, bytes };
    this.#store.set({ messages: [...messages, message].slice(-MOST_MESSAGES) });
  }

  /** @param {{ reason: string, message: string, data?: { message?: string, seconds?: number } }} error */
  #ended({ reason, message, data = {} }) {
    if (this.#client === null) return;
    this.#log(`session ended: ${reason}${message ? `, ${message}` : ''}`);
    this.#outside();
    this.#store.set({ ending: { reason, message: data.message ?? '', seconds: data.seconds ?? 0 } });
    if (reason === 'token_expired') this.#store.set({ token: '' });
  }

  /** The room is behind us, whoever ended it. */
  #outside() {
    this.#client?.removeAllListeners();
    this.#client = null;
    this.#media.close();
    this.#store.set({ ...OUTSIDE, view: 'lobby', panel: null });
  }

  /** @param {string} event */
  #changed(event) {
    this.#log(event);
    this.#refresh();
  }

  /** Reads everybody anew from the SDK. */
  #refresh() {
    const client = this.#client;
    if (!client || client.uid === undefined) return;
    const others = client.remoteUsers.map(personOf);
    const keys = new Set(others.map(({ key }) => key));
    const { chatTo, blocks } = this.#store.state;
    this.#store.set({
      others,
      admin: client.admin,
      self: this.#self(client),
      chatTo: keys.has(chatTo) ? chatTo : '',
      blocks: new Set([...blocks].filter((block) => keys.has(block.slice(block.indexOf(':') + 1)))),
    });
  }

  /** @param {Client} client @returns {Person} */
  #self(client) {
    const { microphone, camera, screen } = this.#store.state.sources;
    const uid = client.uid ?? '';
    return {
      key: String(uid),
      uid,
      platform: 'web',
      role: client.role === 'audience' ? 'audience' : 'host',
      connected: client.connectionState === 'CONNECTED',
      self: true,
      sound: microphone.state === 'on' ? 'on' : 'off',
      picture: camera.state === 'on',
      screen: screen.state === 'on',
      cameraTrack: this.#media.camera?.getTrackId() ?? '',
      screenTrack: this.#media.screen?.getTrackId() ?? '',
    };
  }

  /** @param {string} text without tokens: what is logged is copied to others */
  #log(text) {
    this.#store.set({ log: [...this.#store.state.log, { at: new Date(), text }].slice(-MOST_LOG) });
  }
}

