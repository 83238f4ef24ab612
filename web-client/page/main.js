import { Awake } from './awake.js';
import { call } from './call/call.js';
import { watchEnding } from './call/ending.js';
import { DEFAULT_RTMP_PORT } from './commands.js';
import { Conference } from './conference.js';
import { isLanguage, pickLanguage } from './i18n/index.js';
import { lobby } from './lobby/lobby.js';
import { LocalMedia } from './media.js';
import { recall, remember } from './memory.js';
import { Notices } from './notices.js';
import { friendlyUid, readLink } from './place.js';
import { qualityOf } from './qualities.js';
import { setLanguage } from './say.js';
import { sdk } from './sdk.js';
import { createStore } from './state.js';
import { Appearance } from './theme.js';
import { isTaken, take } from './uids.js';

const USUAL = { app: 'demo', room: 'lobby' };

/** @returns {Promise<import('./state.js').State['place'] & { token: string }>} where a link or the last visit leads */
async function firstPlace() {
  const { token = '', ...link } = readLink(location);
  // A token is not to stay in the address bar, nor in the history.
  if (token !== '') history.replaceState(null, '', location.pathname + location.search);
  const place = {
    app: link.app ?? (recall('app') || USUAL.app),
    room: link.room ?? (recall('room') || USUAL.room),
    uid: link.uid ?? (recall('uid') || friendlyUid('web', Math.random())),
    role: link.role ?? /** @type {const} */ ('host'),
  };
  if (link.uid === undefined && (await isTaken(place))) place.uid = friendlyUid('web', Math.random());
  return { ...place, token };
}

/** Asks the server where its RTMP side is; without an answer the usual port stands. */
async function loadConfig() {
  const response = await fetch('config.json', { cache: 'no-store' });
  if (!response.ok) return {};
  /** @type {unknown} */
  const config = await response.json();
  /** @type {{ rtmpPort?: number, version?: string }} */
  const server = {};
  if (typeof config !== 'object' || config === null) return server;
  if ('rtmp_port' in config && typeof config.rtmp_port === 'number') server.rtmpPort = config.rtmp_port;
  if ('version' in config && typeof config.version === 'string') server.version = config.version;
  return server;
}

/**
 * Shows what was allowed before; who was never asked is asked by a click.
 *
 * @param {import('./context.js').Context} context
 */
async function openAllowed(context) {
  if (!LocalMedia.secure || !('permissions' in navigator)) return;
  const names = /** @type {PermissionName[]} */ (/** @type {string[]} */ (['camera', 'microphone']));
  const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })));
  await context.media.refresh();
  const { view, place } = context.store.state;
  if (view === 'lobby' && place.role === 'host' && states.every(({ state }) => state === 'granted')) await context.conference.openDevices();
}

async function start() {
  const kept = recall('language');
  setLanguage(isLanguage(kept) ? kept : pickLanguage(navigator.languages));
  const { token, ...place } = await firstPlace();
  const store = createStore({
    place,
    token,
    chosen: { audioinput: recall('microphone'), videoinput: recall('camera'), audiooutput: recall('speaker') },
    quality: qualityOf(recall('quality')).id,
    server: { rtmpPort: DEFAULT_RTMP_PORT, version: '' },
  });
  const notify = new Notices();
  const media = new LocalMedia(sdk, store, notify);
  const conference = new Conference({ sdk, store, media, notify });
  /** @type {import('./context.js').Context} */
  const context = { store, media, conference, notify, appearance: new Appearance() };
  const views = { lobby: lobby(context), call: call(context) };
  document.body.prepend(views.lobby, views.call);
  const awake = new Awake();
  let giveBack = () => {};
  store.watch(
    ({ view }) => [view],
    ({ view, place: now }) => {
      views.lobby.hidden = view !== 'lobby';
      views.call.hidden = view !== 'call';
      giveBack();
      giveBack = view === 'call' ? take(now) : () => {};
      if (view === 'call') for (const name of /** @type {const} */ (['app', 'room', 'uid'])) remember(name, now[name]);
      awake.keep(view === 'call');
    },
  );
  watchEnding(context);
  void loadConfig().then(
    (server) => store.set({ server: { ...store.state.server, ...server } }),
    (/** @type {unknown} */ cause) => console.warn('no config.json, the usual RTMP port is shown', cause),
  );
  void openAllowed(context).catch((/** @type {unknown} */ cause) => console.info('no permissions to ask about', cause));
  if (!sdk.checkSystemRequirements()) store.set({ failure: { reason: 'webrtc_unsupported', message: '' } });
}

void start();
