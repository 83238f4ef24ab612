import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { Conference } from '../page/conference.js';
import { LocalMedia } from '../page/media.js';
import { createStore } from '../page/state.js';
import { createFakeSdk, fakeUser } from './fake-sdk.mjs';

/** @type {ReturnType<typeof createFakeSdk>} */
let sdk;
/** @type {ReturnType<typeof createStore>} */
let store;
/** @type {Conference} */
let conference;
/** @type {LocalMedia} */
let media;
/** What people were told. @type {string[]} */
let told;

/** Lets everything that waits for no timer happen. */
const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

const refusal = (/** @type {string} */ reason, data = {}) => Object.assign(new Error(reason), { reason, data });
const client = () => sdk.clients.at(-1);
/** @param {string} name */
const calls = (name) => client().calls.filter(([called]) => called === name).map(([, ...args]) => args);

beforeEach(() => {
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: {} }, configurable: true });
  globalThis.document = /** @type {any} */ (new EventTarget());
  told = [];
  const notify = /** @type {any} */ ({
    tell: (_level, key) => told.push(key),
    fail: ({ reason }) => told.push(`error.${reason}`),
    announce: () => {},
  });
  sdk = createFakeSdk();
  store = createStore({
    place: { app: 'demo', room: 'lobby', uid: 'alice', role: 'host' },
    token: '',
    chosen: { audioinput: '', videoinput: 'c1', audiooutput: '' },
    quality: '360p',
    server: { rtmpPort: 1935, version: '' },
  });
  media = new LocalMedia(/** @type {any} */ (sdk), store, notify);
  conference = new Conference({ sdk: /** @type {any} */ (sdk), store, media, notify });
});

test('who joins with devices on publishes them, and is shown with them', async () => {
  await media.openMicrophone();
  await media.openCamera();
  await conference.join();
  await settle();
  assert.deepEqual(calls('join'), [['demo', 'lobby', null, 'alice']]);
  assert.deepEqual(client().config, { mode: 'live', codec: 'h264', role: 'host' });
  assert.deepEqual(calls('publish').flat(2), [media.microphone, media.camera]);
  assert.equal(store.state.view, 'call');
  assert.deepEqual([store.state.self?.sound, store.state.self?.picture], ['on', true]);
  assert.equal(/** @type {any} */ (media.camera).options.config.cameraId, 'c1');
});

test('who joins before the camera is open publishes it when it is, and each track once', async () => {
  const { createCameraVideoTrack } = sdk;
  /** @type {() => void} */
  let allow = () => {};
  sdk.createCameraVideoTrack = async (...args) => {
    await new Promise((resolve) => (allow = () => resolve(undefined)));
    return createCameraVideoTrack.apply(sdk, args);
  };
  const opening = conference.openDevices();
  await settle();
  await conference.join();
  assert.deepEqual(calls('publish').flat(2), [media.microphone]);
  allow();
  await opening;
  await settle();
  assert.deepEqual(calls('publish').flat(2), [media.microphone, media.camera]);
});

test('who joins as audience before the camera is open lets it go when it is', async () => {
  store.set({ place: { ...store.state.place, role: 'audience' } });
  const opening = conference.openDevices();
  await conference.join();
  await opening;
  assert.deepEqual([calls('publish'), media.camera, media.microphone], [[], null, null]);
});

test('who joins with devices off publishes nothing until one is turned on', async () => {
  await conference.join();
  assert.deepEqual(calls('publish'), []);
  await conference.toggleMicrophone();
  assert.deepEqual(calls('publish').flat(2), [media.microphone]);
  await conference.toggleMicrophone();
  assert.equal(media.microphone?.muted, true);
  await conference.toggleMicrophone();
  assert.equal(calls('publish').length, 1, 'it is published once');
  assert.equal(media.microphone?.muted, false);
});

test('who presses twice at once has the microphone on again', async () => {
  await media.openMicrophone();
  await conference.join();
  await Promise.all([conference.toggleMicrophone(), conference.toggleMicrophone()]);
  assert.equal(media.microphone?.muted, false);
  assert.equal(store.state.sources.microphone.state, 'on');
});

test('the camera lets its device go when it is turned off', async () => {
  await conference.join();
  await conference.toggleCamera();
  const { camera } = media;
  await conference.toggleCamera();
  assert.equal(camera?.enabled, false);
  assert.equal(store.state.self?.picture, false);
  await media.choose('videoinput', 'c2');
  await conference.toggleCamera();
  assert.equal(media.camera, camera);
  assert.deepEqual(/** @type {any} */ (camera).calls, [['setDevice', 'c2']], 'what was chosen meanwhile counts');
});

test('a token goes to the server and nowhere else', async () => {
  store.set({ token: 'se.cr.et' });
  await conference.join();
  assert.equal(calls('join')[0]?.[2], 'se.cr.et');
  assert.doesNotMatch(JSON.stringify(store.state.log), /se\.cr\.et/);
});

test('a refusal leaves one in the lobby with its reason, and lets one try again', async () => {
  sdk.refuseNext = { join: refusal('missing_token') };
  await conference.join();
  assert.equal(store.state.view, 'lobby');
  assert.equal(store.state.failure?.reason, 'missing_token');
  sdk.refuseNext = {};
  await conference.join();
  assert.equal(store.state.view, 'call');
  assert.equal(store.state.failure, null);
});

test('what others publish is received, played and shown', async () => {
  await conference.join();
  const bob = fakeUser(42, { audioMuted: true });
  client().enter(bob, ['audio', 'video']);
  await settle();
  assert.deepEqual(calls('subscribe'), [[42, 'audio'], [42, 'video']]);
  assert.equal(bob.audioTrack.isPlaying, true);
  const [person] = store.state.others;
  assert.deepEqual([person?.key, person?.sound, person?.cameraTrack], ['42', 'off', bob.videoTrack.getTrackId()]);
  bob.audioMuted = false;
  client().emit('user-info-updated', 42, 'unmute-audio');
  assert.equal(store.state.others[0]?.sound, 'on');
  client().exit(bob, 'ServerTimeOut');
  assert.deepEqual(store.state.others, []);
  assert.ok(told.includes('toast.timed_out'));
});

test('a stream that ends while one asks for it is no failure', async () => {
  await conference.join();
  client().refuse.subscribe = refusal('no_such_stream');
  client().enter(fakeUser('bob'), ['video']);
  await settle();
  assert.deepEqual(told, []);
});

test('a screen is published and ends with the browser’s own button', async () => {
  await conference.join();
  await conference.toggleScreen();
  const { screen } = media;
  assert.ok(screen);
  assert.equal(store.state.self?.screen, true);
  screen.emit('track-ended');
  await settle();
  assert.deepEqual(calls('unpublish'), [[[screen]]]);
  assert.equal(store.state.self?.screen, false);
  assert.ok(told.includes('toast.screen.ended'));
});

test('a screen that cannot be published is not kept', async () => {
  await conference.join();
  client().refuse.publish = refusal('not_host');
  await conference.toggleScreen();
  assert.equal(media.screen, null);
  assert.equal(store.state.self?.screen, false);
  assert.deepEqual(told, ['error.not_host']);
});

test('who goes off stage lets all devices go', async () => {
  await media.openMicrophone();
  await conference.join();
  const { microphone } = media;
  await conference.setRole('audience');
  assert.equal(/** @type {any} */ (microphone).closed, true);
  assert.deepEqual([store.state.self?.role, store.state.sources.microphone.state], ['audience', 'off']);
});

test('a track that an admin blocks is off, and stays off until it is allowed', async () => {
  await conference.join();
  await conference.toggleMicrophone();
  client().emit('local-track-state', 'audio', 'blocked', 'root');
  await settle();
  assert.equal(store.state.self?.sound, 'off');
  await conference.toggleMicrophone();
  assert.deepEqual(told, ['toast.blocked.audio', 'error.blocked']);
  client().emit('local-track-state', 'audio', 'muted', 'root');
  await conference.toggleMicrophone();
  assert.equal(store.state.self?.sound, 'on');
});

test('blocks that one has set are forgotten with those they concern', async () => {
  await conference.join();
  const bob = fakeUser('bob');
  client().enter(bob);
  const person = /** @type {any} */ (conference.person('bob'));
  await conference.block(person, 'audio', true);
  assert.deepEqual(calls('muteUser'), [['bob', 'audio', true]]);
  assert.deepEqual([...store.state.blocks], ['audio:bob']);
  client().exit(bob);
  assert.deepEqual([...store.state.blocks], []);
});

test('a message is kept with whom it was for, and counted while nobody reads', async () => {
  await conference.join();
  client().enter(fakeUser(7));
  await conference.send('psst', '7');
  assert.deepEqual(calls('sendMessage'), [['psst', 7]]);
  client().emit('message', { from: 7, private: false, text: 'hello' });
  client().emit('message', { from: 7, private: true, data: new Uint8Array(3) });
  const kept = store.state.messages.map(({ from, own, whom, text, bytes }) => [from, own, whom, text, bytes]);
  assert.deepEqual(kept, [['alice', true, '7', 'psst', 0], ['7', false, null, 'hello', 0], ['7', false, '7', '', 3]]);
  assert.equal(store.state.unread, 2);
});

test('a message that was refused stays with its writer', async () => {
  await conference.join();
  client().refuse.sendMessage = refusal('rate_limited');
  assert.equal(await conference.send('again', ''), false);
  assert.deepEqual(store.state.messages, []);
  assert.deepEqual(told, ['error.rate_limited']);
});

test('who is removed is told why, and everything of the room is gone', async () => {
  await media.openCamera();
  await conference.join();
  client().enter(fakeUser('bob'));
  const { camera } = media;
  client().emit('session-ended', refusal('banned', { message: 'enough', seconds: 60 }));
  client().become('DISCONNECTED', 'UID_BANNED');
  await settle();
  assert.deepEqual(store.state.ending, { reason: 'banned', message: 'enough', seconds: 60 });
  assert.deepEqual([store.state.view, store.state.others, store.state.self], ['lobby', [], null]);
  assert.equal(/** @type {any} */ (camera).closed, true);
  assert.equal(conference.client, null);
});

test('a token that has expired is forgotten', async () => {
  store.set({ token: 'old' });
  await conference.join();
  client().emit('token-privilege-will-expire');
  assert.equal(store.state.tokenExpiring, true);
  client().emit('session-ended', refusal('token_expired'));
  assert.equal(store.state.token, '');
  assert.equal(store.state.tokenExpiring, false);
});

test('a new token takes the place of the one that expires', async () => {
  await conference.join();
  client().emit('token-privilege-will-expire');
  await conference.renewToken('new');
  assert.deepEqual(calls('renewToken'), [['new']]);
  assert.deepEqual([store.state.token, store.state.tokenExpiring], ['new', false]);
});

test('a connection that is lost is said to be, and that it is back', async () => {
  await conference.join();
  client().become('RECONNECTING', 'NETWORK_ERROR');
  assert.deepEqual([store.state.wasLost, store.state.self?.connected], [true, false]);
  client().become('CONNECTED');
  assert.deepEqual([store.state.wasLost, store.state.self?.connected], [false, true]);
  assert.deepEqual(told, ['toast.back']);
});

test('a connection that is given up ends the call with words', async () => {
  await conference.join();
  client().become('RECONNECTING', 'NETWORK_ERROR');
  client().become('DISCONNECTED', 'NETWORK_ERROR');
  await settle();
  assert.equal(store.state.ending?.reason, 'lost');
  assert.equal(store.state.view, 'lobby');
});

test('leaving leaves nothing, and is no ending that needs words', async () => {
  await media.openMicrophone();
  await conference.join();
  await conference.leave();
  assert.equal(store.state.view, 'lobby');
  assert.equal(store.state.ending, null);
  assert.equal(media.microphone, null);
  assert.equal(client().listenerCount, 0);
});

test('sound that the browser holds back waits for any gesture', async () => {
  await conference.join();
  sdk.onAutoplayFailed?.();
  assert.equal(store.state.soundHeld, true);
  globalThis.document.dispatchEvent(new Event('keydown'));
  assert.equal(store.state.soundHeld, false);
});

test('a device that cannot be opened says which and why', async () => {
  sdk.refuse.camera = refusal('device_busy');
  assert.equal(await media.openCamera(), false);
  const { state, failure } = store.state.sources.camera;
  assert.deepEqual([state, failure?.reason, failure?.device], ['off', 'device_busy', 'camera']);
});

test('a device that is unplugged is told of by its name, and another one opened next', async () => {
  await media.openMicrophone();
  media.microphone?.emit('track-ended');
  await settle();
  assert.deepEqual(told, ['toast.lost.microphone']);
  assert.equal(store.state.sources.microphone.state, 'muted');
  assert.equal(media.microphone?.enabled, false);
  assert.deepEqual(/** @type {any} */ (media.microphone).calls, [['setDevice', '']], 'another one may take its place');
  await media.openMicrophone();
  assert.deepEqual([media.microphone?.enabled, media.microphone?.muted], [true, false]);
});

test('somebody who is not to be heard here is silent, also when they publish anew', async () => {
  await conference.join();
  const bob = fakeUser('bob');
  client().enter(bob, ['audio']);
  await settle();
  conference.silence('bob', true);
  assert.equal(bob.audioTrack.volume, 0);
  client().emit('user-published', bob, 'audio');
  await settle();
  assert.equal(bob.audioTrack.volume, 0);
  conference.silence('bob', false);
  assert.equal(bob.audioTrack.volume, 100);
});

test('the SDK is told how large somebody is shown', async () => {
  await conference.join();
  client().enter(fakeUser('bob'));
  conference.shown('bob', { width: 320, height: 180 });
  conference.shown('bob', null);
  conference.shown('nobody', null);
  assert.deepEqual(calls('setRemoteVideoSize'), [['bob', 320, 180], ['bob', 0, 0]]);
});
