// An engine in virtual time, a page as WeChat has it, and components whose calls are written down.
import assert from 'node:assert/strict';
import { joinReply, settle, World } from '../../web-client/test/core-world.mjs';
import { ZegoExpressEngine } from '../src/zego/index.js';

export const ROOM = 'r1';
export const APP_ID = 1234567890;

export const EVENTS = /** @type {const} */ ([
  'roomStateUpdate', 'roomStateChanged', 'roomUserUpdate', 'roomOnlineUserCountUpdate', 'roomStreamUpdate', 'streamExtraInfoUpdate',
  'publisherStateUpdate', 'playerStateUpdate', 'publishQualityUpdate', 'playQualityUpdate', 'IMRecvBroadcastMessage',
  'IMRecvBarrageMessage', 'IMRecvCustomCommand', 'roomExtraInfoUpdate', 'tokenWillExpire',
]);

/** A page whose data is written by setData alone. */
export class FakePage {
  /** @param {Record<string, unknown>} [data] */
  constructor(data = { pusher: {}, playerList: [] }) {
    this.data = data;
  }

  /** @param {Record<string, unknown>} data @param {() => void} [done] */
  setData(data, done) {
    Object.assign(this.data, JSON.parse(JSON.stringify(data)));
    if (done !== undefined) queueMicrotask(done);
  }
}

/** Contexts that do as they are told, but for the methods that fail for now. */
export class FakeWx {
  /** What the components were told: 'pusher.start', 'player[s1].play'. @type {string[]} */
  calls = [];
  /** How often each is to fail. @type {Record<string, number>} */
  failures = {};
  contexts = [];

  createLivePusherContext() {
    return this.#context('pusher');
  }

  /** @param {string} id @param {object} component */
  createLivePlayerContext(id, component) {
    this.contexts.push({ id, component });
    return this.#context(`player[${id}]`);
  }

  /** @param {string} name */
  #context(name) {
    return new Proxy({}, {
      get: (_target, method) => (method === 'then' ? undefined : (/** @type {any} */ options) => {
        const call = `${name}.${String(method)}`;
        this.calls.push(call);
        const failures = this.failures[call] ?? 0;
        this.failures[call] = failures - 1;
        if (failures > 0) options.fail?.({ errMsg: `${call}:fail` });
        else options.success?.({ errMsg: `${call}:ok` });
      }),
    });
  }
}

/** What an element tells its page. @param {string} id of the element @param {number} code */
export const stateChange = (id, code) => ({ type: 'statechange', currentTarget: { id }, detail: { code, message: '' } });
/** @param {string} id @param {object} info */
export const netStatus = (id, info) => ({ type: 'netstatus', currentTarget: { id }, detail: { info } });

/** @param {{ server?: string | string[], appID?: any, Engine?: typeof ZegoExpressEngine }} [options] */
export function makeEngine({ server = 'https://example.com', appID = APP_ID, Engine = ZegoExpressEngine } = {}) {
  const world = new World();
  const wx = new FakeWx();
  const zg = new Engine(appID, server, { platform: world.platform, wx });
  /** @type {any[][]} */
  const heard = [];
  for (const name of EVENTS) zg.on(name, (...args) => heard.push([name, ...args]));
  /** What has happened since the last call, of these events alone. @param {...string} names */
  const news = (...names) => heard.splice(0).filter(([name]) => names.length === 0 || names.includes(name));
  return { world, wx, zg, news };
}

/** @param {{ reply?: object, user?: any, config?: any, token?: string, server?: string | string[] }} [options] */
export async function loggedIn({ reply = {}, user = { userID: 'alice' }, config, token = 'T', server } = {}) {
  const made = makeEngine(server === undefined ? {} : { server });
  const page = new FakePage();
  made.zg.initContext({ wxContext: page, pushAtr: 'pusher', playAtr: 'playerList' });
  const login = made.zg.loginRoom(ROOM, token, user, config);
  await settle();
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply({ uid: user.userID, ...reply }));
  assert.equal(await login, true);
  await made.world.pass(0);
  return { ...made, page };
}

/** @param {number} [n] */
export const pushUrl = (n = 1) => `rtmp://h/1234567890/r1/alice?ticket=p${n}`;
/** @param {string} uid @param {string} [stream] @param {number} [n] */
export const playUrls = (uid, stream = 'camera', n = 1) => ({
  uid, stream, rtmp: `rtmp://h/a/r1/${uid}?ticket=${stream}${n}`, flv: `http://h/flv/a/r1/${uid}.flv?ticket=${stream}${n}`,
});

/** Starts the page's pusher and lets the server grant it. @param {Awaited<ReturnType<typeof loggedIn>>} scene @param {string} [streamID] */
export async function pushing({ zg, world, wx }, streamID = 'mine') {
  const pusher = zg.createPusher();
  assert.ok(pusher);
  const started = pusher.start(streamID);
  await settle();
  await world.socket.grant('publish', { stream: 'camera', rtmp: pushUrl() });
  assert.equal(await started, true);
  wx.calls.length = 0;
  return pusher;
}

/** Plays a stream in the page's player. @param {Awaited<ReturnType<typeof loggedIn>>} scene @param {string} streamID @param {string} uid */
export async function playing({ zg, world, wx }, streamID, uid) {
  const player = zg.getPlayerInstance(streamID);
  assert.ok(player);
  const played = player.play();
  await settle();
  await world.socket.grant('subscribe', playUrls(uid));
  assert.equal(await played, true);
  wx.calls.length = 0;
  return player;
}

/** @param {object} [attributes] @param {string} [name] */
export const zegoStream = (attributes = {}, name = 'camera') => ({ stream: name, audio: 'live', video: 'live', attributes });

/** Every request of this type. @param {World} world @param {string} type */
export const asked = (world, type) => world.sockets.flatMap(({ sent }) => sent).filter((message) => message.type === type);
