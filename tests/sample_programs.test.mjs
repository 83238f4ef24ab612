/**
 * The sample programs of the documents in the folder `QUEQIAO_SEEDS`, as they are printed: nothing is changed but the
 * import, the address of the server, the placeholders that every reader fills in, and what would not parse. Each holds a
 * call in the emulator with somebody at the call page. Without that folder the tests are skipped.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { launch } from 'queqiao-emulator';
import { bundle } from '../miniprogram/scripts/build.mjs';
import { report, summary } from './lib/content.mjs';
import { CAST, FEWEST, Guest, SOON, SPAN } from './lib/guest.mjs';
import { phoneCamera, record } from './lib/phone.mjs';
import { Document, methodsAndStatements, miniProgram, unescaped } from './lib/samples.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { makeToken } from './lib/server.mjs';
import { suite } from './lib/suite.mjs';

/** An app without a certificate, as the documents of Agora have it, and two whose back ends make tokens. */
const OPEN_APP = '6f0d3c8b51e94a27b8a1d90c42f7e5a3';
const VOLC_APP = '64b3f0a1c2d9e80017f5aa31';
const ZEGO_APP = '1357902468';
const SECRET = '9d41c07e5b8f4a63a2c8e61f70d3b954';
const CONFIG = `
[[apps]]
id = "${OPEN_APP}"
open = true
[[apps]]
id = "${VOLC_APP}"
secrets = ["${SECRET}"]
[[apps]]
id = "${ZEGO_APP}"
secrets = ["${SECRET}"]
`;
/** How long content is looked at. */
const LOOK_MS = 2_500;

const folder = process.env['QUEQIAO_SEEDS'];
const skip = folder === undefined || !existsSync(folder) ? 'QUEQIAO_SEEDS names no folder of documents' : false;
const s = suite({ browser: !skip, config: CONFIG });

/** @param {string} name */
const documentOf = (name) => new Document(folder ?? '', name);
/** @param {'agora' | 'volcengine' | 'zego' | 'plugin'} name */
const sdk = async (name) => readFile(await bundle(name), 'utf8');
const server = () => `http://${s.server.http}`;

/**
 * Runs a program with the phone's camera in front of the test source.
 * @param {import('./lib/scope.mjs').Scope} scope
 * @param {ReturnType<typeof miniProgram>} dir
 * @param {string} [query] with which its page is opened
 */
async function run(scope, dir, query = '') {
  /** @type {string[]} */
  const lines = [];
  const emulator = await launch({
    dir, start: `pages/meeting/meeting?${query}`, device: { camera: phoneCamera(CAST.phone) }, log: (line) => lines.push(line),
  });
  scope.defer(() => emulator.close());
  const until = async (/** @type {string} */ what, /** @type {() => unknown} */ check, timeoutMs = SOON) => {
    try {
      return await emulator.until(check, { what, timeoutMs });
    } catch (error) {
      throw new Error(`${what}, after:\n${lines.slice(-40).join('\n')}`, { cause: error });
    }
  };
  return { emulator, page: emulator.page.instance, until };
}

/**
 * Checks that a player shows and plays alice.
 * @param {import('node:test').TestContext} t @param {any} player
 * @param {{ video?: boolean }} [expected]
 */
async function showsAlice(t, player, { video = true } = {}) {
  const seen = record(player);
  await until('the phone plays', SOON, () => seen.sound.length > 0 && (!video || seen.frames.length > 0));
  await sleep(LOOK_MS);
  const r = report(seen);
  t.diagnostic(`the phone: ${summary(r)}`);
  if (video) {
    assert.ok(r.frames - r.unreadable >= FEWEST, `the phone shows ${r.frames} pictures`);
    assert.ok(r.first >= CAST.alice.firstNumber && r.last < CAST.alice.firstNumber + SPAN, 'the phone shows somebody else');
    assert.equal(r.backward, 0);
  }
  assert.ok(Math.abs(r.hertz - CAST.alice.tone) < 6, summary(r));
}

/** The page's own parts that a document leaves to its reader: what brings addresses into the components. */
const AGORA_DELIVERY = `
const DeliveringSdk = (page) => ({
  ...AgoraMiniappSDK,
  Client: class extends AgoraMiniappSDK.Client {
    publish(onSuccess, onFailure) {
      return super.publish((url) => { onSuccess(url); page.pushTo(url); }, onFailure);
    }
    subscribe(uid, onSuccess, onFailure) {
      return super.subscribe(uid, (url, rotation) => { onSuccess(url, rotation); page.play(uid, url); }, onFailure);
    }
  },
});
const delivery = {
  pushTo(url) { this.setData({ pushUrl: url }, () => wx.createLivePusherContext().start()); },
  play(uid, url) {
    this.uids = [...new Set([...(this.uids || []), uid])];
    this.setData({ playUrl: url }, () => wx.createLivePlayerContext('player').play());
  },
  playerStateChange(e) { this.client.updatePlayerStateChange(this.uids[0], e); },
  recorderStateChange(e) { this.client.updatePusherStateChange(e); },
};
`;

/**
 * A document of Agora as a page with the fragments as its methods.
 * @param {Document} document
 * @param {string} requireLine
 */
function agoraPage(document, requireLine) {
  const start = document.block(/new AgoraMiniappSDK\.Client\(\)/);
  const events = document.block(/client\.on\("stream-added"/);
  const again = document.block(/client\.rejoin\(undefined/);
  return `
${requireLine}
const APPID = '${OPEN_APP}';
const Utils = { log: (text) => console.log(text) };
${AGORA_DELIVERY}
let channel;
let uid;
Page({
  data: { pushUrl: '', playUrl: '', camera: true },
  onLoad(options) { channel = options.channel; uid = Number(options.uid); this.camera(options.camera !== 'off'); },
  camera(on) { this.setData({ camera: on }); },
  onReady() {
    const AgoraMiniappSDK = DeliveringSdk(this);
    ${start}
  },
  subscribeEvents(client) {
    client.on('error', (e) => { this.failure = e; });
    ${events}
  },
  again(uids) {
    const AgoraMiniappSDK = DeliveringSdk(this);
    return new Promise((resolve, reject) => {
      const client = new AgoraMiniappSDK.Client();
      this.client = client;
      this.subscribeEvents(client);
      ${again}
    });
  },
  ...delivery,
});
`;
}

/** The components of Agora's document, with its placeholders filled in. @param {Document} document */
function agoraComponents(document) {
  const player = document.block(/<live-player/).replace(/\{\{rtmp [^}]*\}\}/, '{{playUrl}}');
  const pusher = document.block(/<live-pusher/).replace(/\{\{rtmp [^}]*\}\}/, '{{pushUrl}}');
  return { player, pusher };
}

test('Agora’s video call: a call both ways, and back in it after the background', { skip, timeout: 120_000 }, async (t) => {
  const scope = scopeOf(t);
  const document = documentOf('agora-miniprogram-video-call.md');
  const line = document.block(/= require\(/).replace(/require\(([^)]*)\)/, `require($1).withServer('${server()}')`);
  const { player, pusher } = agoraComponents(document);
  const dir = miniProgram({
    js: agoraPage(document, line),
    wxml: `<view>${player}${pusher}</view>`,
    files: { 'lib/Agora_Miniapp_SDK_for_WeChat.js': await sdk('agora') },
  });
  const alice = await Guest.open(s, scope, 'alice', { query: `app=${OPEN_APP}&room=agora-video`, hash: `#token=${OPEN_APP}` });
  await alice.join();
  const { emulator, page, until } = await run(scope, dir, 'channel=agora-video&uid=1001');
  await until('addresses for both', () => page.data.pushUrl && page.data.playUrl);
  await alice.sees(t, 1001, 'phone');
  await alice.hears(['phone']);
  await showsAlice(t, emulator.players()[0]);

  const before = { ...page.data };
  emulator.background({ loseSockets: true, loseMedia: true });
  await sleep(500);
  emulator.foreground();
  await page.again(page.uids);
  await until('new addresses', () => page.data.pushUrl !== before.pushUrl && page.data.playUrl !== before.playUrl);
  // What is looked at next comes by the new address, and is not the rest of what the old one has sent.
  const sent = emulator.pushers()[0]?.state.picturesSent ?? 0;
  await until('pictures by the new address', () => (emulator.pushers()[0]?.state.picturesSent ?? 0) > sent + 15);
  await alice.sees(t, 1001, 'phone');
  await showsAlice(t, emulator.players()[0]);
  assert.deepEqual(emulator.errors, []);
});

test('Agora’s voice call: sound alone both ways, and the role changed there and back', { skip, timeout: 120_000 }, async (t) => {
  const scope = scopeOf(t);
  const document = documentOf('agora-miniprogram-voice-call-and-interop.md');
  const line = `const AgoraMiniappSDK = require('../../lib/sdk.js').withServer('${server()}');`;
  const { player, pusher } = agoraComponents(documentOf('agora-miniprogram-video-call.md'));
  const role = document.block(/^client\.setRole\(role\);/m);
  const js = agoraPage(document, `${line}\n`).replace('...delivery,', `...delivery,
  async setRole(role) { const { client } = this; await (async () => { return ${role} })(); },
  async publishAgain() { await this.client.publish((url) => this.pushTo(url)); },
  async logs() {
    this.logged = [];
    const Utils = { log: (text) => this.logged.push(text) };
    ${document.block(/LOG\.onlog =/)}
    ${document.block(/LOG\.setLogLevel/)}
  },`);
  const dir = miniProgram({
    js,
    wxml: `<view>${player}${pusher.replace('<live-pusher', '<live-pusher enable-camera="{{camera}}"')}</view>`,
    files: { 'lib/sdk.js': await sdk('agora') },
  });
  const alice = await Guest.open(s, scope, 'alice', { query: `app=${OPEN_APP}&room=agora-voice`, hash: `#token=${OPEN_APP}` });
  await alice.join();
  const { emulator, page, until } = await run(scope, dir, 'channel=agora-voice&uid=1002&camera=off');
  await page.logs();
  await until('addresses for both', () => page.data.pushUrl && page.data.playUrl);
  await alice.hears(['phone']);
  await showsAlice(t, emulator.players()[0], { video: false });
  assert.doesNotMatch((await alice.tile(1002).getAttribute('class')) ?? '', /\bshown\b/, 'there is no picture');

  await page.setRole('audience');
  assert.ok(page.logged.length > 0, 'the log is told to the page');
  page.setData({ pushUrl: '' });
  await alice.hears([]);
  await page.setRole('broadcaster');
  await page.publishAgain();
  await alice.hears(['phone']);
  assert.deepEqual(emulator.errors, []);
});

test('the blog’s plugin: its page as it stands, with our component beside it', { skip, timeout: 120_000 }, async (t) => {
  const scope = scopeOf(t);
  const document = documentOf('agora-plugin-blog.md');
  const whole = document.text.slice(document.text.indexOf('8.'));
  const program = unescaped(whole.slice(whole.indexOf('const agora')))
    .replace(/requirePlugin\('agora-plugin'\)/, `require('../../lib/queqiao-plugin.js').withServer('${server()}')`)
    .replace('YOUR_APPID', 'demo').replace('YOUR_CHANNEL_ID', 'plugin');
  const component = new URL('../miniprogram/components/queqiao-call/', import.meta.url);
  /** @type {Record<string, string>} */
  const files = { 'lib/queqiao-plugin.js': await sdk('plugin') };
  for (const ending of ['js', 'json', 'wxml', 'wxss']) {
    files[`components/queqiao-call/queqiao-call.${ending}`] = await readFile(new URL(`queqiao-call.${ending}`, component), 'utf8');
  }
  const json = { usingComponents: { 'queqiao-call': '/components/queqiao-call/queqiao-call' } };
  const dir = miniProgram({ js: program, wxml: '<queqiao-call />', json, files });
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=plugin' });
  await alice.join();
  const { emulator, until } = await run(scope, dir);
  await until('a pusher and a player', () => emulator.pushers().length === 1 && emulator.players().length === 1);
  const uid = await alice.page.locator('[data-testid=tile]:not([data-uid=alice])').first().getAttribute('data-uid');
  await alice.sees(t, uid ?? '', 'phone');
  await alice.hears(['phone']);
  await showsAlice(t, emulator.players()[0]);
  assert.deepEqual(emulator.errors, []);
  await emulator.close();
  await gone(alice, uid ?? '');
});

/** Waits until somebody's tile is gone. @param {Guest} guest @param {string} uid */
async function gone(guest, uid) {
  await until(`${uid} is gone`, SOON, async () => (await guest.tile(uid).count()) === 0);
}

/**
 * Volcengine's fragments as one page. As they are printed, some do not parse (wide commas, a list spread into an object)
 * and one writes `publishUrl` where the WXML reads `pushUrl`.
 * @param {Document} document
 */
function volcenginePage(document) {
  const fragments = document.blocks.map(({ text }) => text).filter((text) => text.startsWith('Page({'));
  const mended = fragments.map((text) =>
    text.replaceAll('，', ',').replaceAll('publishUrl', 'pushUrl')
      .replace(/setData\(\{\s*\.\.\.(this\.data\.remoteStreams),\s*(\{[^{}]*(?:\$\{[^}]*\}[^{}]*)*\})\s*\}\)/, 'setData({ remoteStreams: [...$1, $2] })'));
  return mended.map((text) => `((Page) => { ${text} })((part) => parts.push(part));`).join('\n');
}

test('Volcengine’s quickstart: its fragments as one page, with its two components', { skip, timeout: 120_000 }, async (t) => {
  const scope = scopeOf(t);
  const document = documentOf('volcengine-miniprogram-quickstart.md');
  const who = { app: VOLC_APP, room: 'volc', role: 'host' };
  const [phoneToken, aliceToken] = await Promise.all([
    makeToken(scope, CONFIG, { ...who, uid: 'u42', format: 'volcengine-001' }),
    makeToken(scope, CONFIG, { ...who, uid: 'alice' }),
  ]);
  const line = document.block(/require\(/).replace(/require\(([^)]*)\)/, `require($1).withServer('${server()}')`);
  const js = `
${line}
const VolcEngineRTCMiniappSDK = VolcMiniappSdk;
const [APPID, TOKEN, ROOMID, USERID] = ['${VOLC_APP}', '${phoneToken}', 'volc', 'u42'];
const parts = [];
${volcenginePage(document)}
Page(Object.assign({}, ...parts, { data: Object.assign({ pushUrl: '' }, ...parts.map(({ data }) => data)) }));
`;
  const pusherWxml = document.blocks.find(({ text }) => /^\s*<v-pusher/.test(text))?.text ?? '';
  const playersWxml = document.blocks.find(({ text }) => /wx:for="\{\{remoteStreams\}\}"/.test(text))?.text ?? '';
  const json = JSON.parse(document.block(/"v-player": /));
  /** @type {Record<string, string>} */
  const files = { 'lib/miniapp-rtc.min.js': await sdk('volcengine') };
  for (const name of ['v-pusher', 'v-player']) {
    const [wxml = '', code = ''] = document.blocksAfter(`\`${name}.wxml\``);
    Object.assign(files, {
      [`components/${name}/${name}.wxml`]: wxml, [`components/${name}/${name}.js`]: code,
      [`components/${name}/${name}.json`]: JSON.stringify({ component: true }),
    });
  }
  const dir = miniProgram({ js, wxml: `${pusherWxml}${playersWxml}`, json, files });
  const alice = await Guest.open(s, scope, 'alice', { query: `app=${VOLC_APP}&room=volc`, hash: `#token=${aliceToken}` });
  await alice.join();
  const { emulator, page, until } = await run(scope, dir);
  page._handleClientEvents();
  page.join();
  await until('to be in the room', () => page.client.state === 'connected');
  page.publish();
  await until('a pusher and a player', () => emulator.pushers().length === 1 && emulator.players().length === 1);
  await alice.sees(t, 'u42', 'phone');
  await alice.hears(['phone']);
  await showsAlice(t, emulator.players()[0]);
  assert.deepEqual(emulator.errors, []);
});

test('ZEGO’s native components: its page, with the call page as the other side', { skip, timeout: 120_000 }, async (t) => {
  const scope = scopeOf(t);
  const document = documentOf('zego-miniprogram-native-components.md');
  const who = { app: ZEGO_APP, room: 'zego', role: 'host' };
  const [phoneToken, aliceToken] = await Promise.all([
    makeToken(scope, CONFIG, { ...who, uid: 'u7', format: 'zego-04' }),
    makeToken(scope, CONFIG, { ...who, uid: 'alice' }),
  ]);
  const reports = document.blocks.map(({ text }) => text).filter((text) => /^on(Push|Play)\w+\(e\) \{/m.test(text)).map(methodsAndStatements);
  const handlers = [
    document.block(/zg\.on\('roomStateUpdate'/),
    document.block(/zg\.on\('roomUserUpdate'/),
    document.block(/getPlayerInstance\(i\.streamID\)\.play\(\)/),
    ...reports.map(({ statements }) => statements),
  ];
  const js = `
const { ZegoExpressEngine } = require('../../lib/zego.js');
const [appID, server, token] = [${ZEGO_APP}, '${server()}', '${phoneToken}'];
const [userID, userName] = ['u7', '小七'];
let zg;
let playStreamID;
Page({
  data: { canShow: 1, roomID: '', pusher: {}, playerList: [] },
  bindKeyInput(e) { this.setData({ roomID: e.detail.value }); },
  binddatachange() {},
  bindaudiovolumenotify() {},
  async openRoom() {
    const { roomID } = this.data;
    ${document.block(/^zg = new ZegoExpressEngine/m)}
    this.zg = zg;
    this.states = [];
    zg.on('publisherStateUpdate', ({ state }) => this.states.push(state));
    zg.on('playerStateUpdate', ({ streamID }) => { playStreamID = streamID; });
    ${handlers.join('\n')}
    ${document.block(/await zg\.loginRoom/)}
    ${document.block(/zg\.initContext/)}
    ${document.block(/zg\.createPusher\(\)/)}
  },
  logout() {
    const { roomID } = this.data;
    ${document.block(/zg\.getPusherInstance\(\)\.stop\(\)/)}
    ${document.block(/^zg\.logoutRoom/m)}
  },
  ${reports.map(({ methods }) => methods).join('\n')}
});
`;
  const dir = miniProgram({ js, wxml: document.block(/wx:if="\{\{canShow== 1\}\}"/), files: { 'lib/zego.js': await sdk('zego') } });
  const alice = await Guest.open(s, scope, 'alice', { query: `app=${ZEGO_APP}&room=zego`, hash: `#token=${aliceToken}` });
  await alice.join();
  const { emulator, page, until } = await run(scope, dir);
  await emulator.find('.room-input').input('zego');
  await emulator.find('.openRoom').tap();
  await until('a pusher and a player', () => emulator.pushers().length === 1 && emulator.players().length === 1);
  await alice.sees(t, 'u7', 'phone');
  await alice.hears(['phone']);
  await showsAlice(t, emulator.players()[0]);
  assert.equal(page.states.at(-1), 'PUBLISHING');
  const buttons = emulator.findAll('button');
  await buttons.at(-1)?.tap();
  await gone(alice, 'u7');
  await until('no components', () => emulator.pushers().length === 0);
  assert.deepEqual(emulator.errors, []);
});
