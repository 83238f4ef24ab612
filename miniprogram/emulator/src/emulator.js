import {App} from './app.js';
import {parsePageUrl} from './address.js';
import {readConfig} from './config.js';
import {Framework, plainEvent} from './framework.js';
import {PageHandle} from './handles.js';
import {Journal} from './journal.js';
import {MediaElements} from './media-elements.js';
import {Modules} from './modules.js';
import {Pages} from './pages.js';
import {Realm} from './realm.js';
import {watchRejections} from './rejections.js';
import {compileTemplates} from './templates.js';
import {windowSize} from './wx/system.js';
import {Wx} from './wx/index.js';

/** How often `until` looks again. */
const POLL_MS = 10;
/** What `until` waits for unless it is told. */
const PATIENCE_MS = 10_000;
/** A launch from the list of recently used programs, in WeChat's numbers. */
const SCENE = 1089;

/**
 * @typedef {object} EmulatorParts what launch() has made ready
 * @property {import('./package.js').Package} pkg
 * @property {import('./clock.js').Clock} clock
 * @property {'android' | 'ios'} platform
 * @property {string | undefined} server
 * @property {Record<string, string>} plugins
 * @property {string | undefined} start
 * @property {Record<string, unknown>} storage
 * @property {Record<string, boolean>} permissions
 * @property {string[]} deny
 * @property {(line: string) => void} log
 * @property {string} ffmpeg
 * @property {any} device
 * @property {{LivePusher: import('./native.js').MediaClass, LivePlayer: import('./native.js').MediaClass}} media
 */

/** One mini-program that runs. */
export class Emulator {
  #parts;
  #config;
  #realm;
  #framework;
  #pages;
  #app;
  /** @type {Wx} */
  #wx;
  #unwatch;
  #journal;
  /** @type {MediaElements} */
  #natives;
  /** @type {(() => void)[]} */
  #frame = [];
  #inBackground = false;
  #closed = false;
  /** @type {WeakMap<import('./pages.js').Page, PageHandle>} */
  #handles = new WeakMap();

  /**
   * Reads and compiles the program; nothing of it runs before `start`.
   *
   * @param {EmulatorParts} parts
   * @throws {Error} that names the file, if the package cannot be run
   */
  constructor(parts) {
    this.#parts = parts;
    const {pkg, clock, platform} = parts;
    this.#config = readConfig(pkg);
    this.#journal = new Journal(parts.log);
    const onError = (/** @type {unknown} */ error, /** @type {string} */ where) => this.#fail(error, where);
    this.#realm = new Realm({clock, onError, onConsole: (level, text) => this.#journal.say(level, text)});
    const nextFrame = (/** @type {() => void} */ run) => this.#nextFrame(run);
    this.#framework = new Framework({
      realm: this.#realm, window: windowSize(platform), nextFrame, onError,
      onNativeAttached: (kind, element) => this.#natives.attached(kind, element),
      onNativeChanged: (element) => this.#natives.changed(element),
      onNativeDetached: (element) => this.#natives.detached(element),
    });
    this.#pages = new Pages({
      config: this.#config, realm: this.#realm, framework: this.#framework,
      onCovered: ({root, covered}) => this.#natives.cover(root.getComponent(), covered),
    });
    this.#wx = this.#makeWx(nextFrame);
    this.#natives = this.#makeNatives();
    this.#realm.globals.wx = this.#wx.api;
    this.#app = new App(this.#realm, this.#launchOptions());
    this.#unwatch = watchRejections(this.#realm.globals.Promise.prototype,
      (reason, promise) => this.#rejected(reason, promise));
  }

  /**
   * Runs app.js, the files of all pages and components, and opens the first page.
   *
   * @returns {Promise<void>} when the page has been shown
   * @throws {Error} if a file cannot be compiled or ends with an exception
   */
  async start() {
    const {pkg, plugins, start} = this.#parts;
    const modules = new Modules(pkg, this.#realm, plugins);
    const paths = this.#config.components.map(({path}) => path);
    const templates = compileTemplates(pkg, this.#realm, paths,
      (/** @type {any} */ caller, /** @type {any} */ event, /** @type {Function} */ handler) => {
        // What a handler returns says nothing in WeChat; glass-easel would stop the event at false.
        this.#realm.guard(`${caller.is} ${handler.name}`, () => handler.call(caller, plainEvent(this.#realm, event)));
      },
      (text) => this.#journal.note(`warning ${text}`));
    if (pkg.has('app.js')) modules.load('app.js');
    if (!this.#app.instance) this.#realm.globals.App({});
    for (const {path, config} of this.#config.components) this.#framework.add(path, config, templates.get(path));
    for (const {path} of [...this.#config.components].reverse()) {
      this.#framework.define(path, () => modules.load(`${path}.js`));
      if (!this.#framework.isDefined(path)) throw new Error(`${path}.js calls neither Page() nor Component()`);
    }
    this.#app.show();
    this.#wx.events.AppShow.emit(this.#launchOptions());
    const first = start ?? this.#config.first;
    if (!this.#config.pages.includes(parsePageUrl(first).path)) throw new Error(`there is no page ${first}`);
    this.#pages.open('appLaunch', `/${first.replace(/^\//, '')}`);
    await this.#settled();
  }

  /** @returns {import('./journal.js').Failure[]} uncaught exceptions and unhandled rejections of the program */
  get errors() {
    return this.#journal.errors;
  }

  /** @returns {{level: string, text: string}[]} what the program has logged */
  get console() {
    return this.#journal.console;
  }

  /** @returns {PageHandle} the page on top */
  get page() {
    const top = this.#pages.top;
    if (!top) throw new Error('no page is open');
    return this.#handle(top);
  }

  /** @returns {PageHandle[]} the stack, the page on top last */
  get pages() {
    return this.#pages.stack.map((page) => this.#handle(page));
  }

  /** @returns {any} what getApp() returns in the program */
  get app() {
    return this.#app.instance;
  }

  /** @returns {any} the program's `wx`, to call as the program would */
  get wx() {
    return this.#wx.api;
  }

  /** @returns {import('./wx/ui.js').Modal[]} shown so far */
  get modals() {
    return this.#wx.ui.modals;
  }

  /** @returns {import('./wx/ui.js').Toast[]} shown so far, loading signs included */
  get toasts() {
    return this.#wx.ui.toasts;
  }

  /** @returns {import('./wx/ui.js').Sheet[]} shown so far */
  get sheets() {
    return this.#wx.ui.sheets;
  }

  /** @returns {import('./pages.js').NavigationBar} of the page on top */
  get navigationBar() {
    const top = this.#pages.top;
    if (!top) throw new Error('no page is open');
    return top.navigationBar;
  }

  /** @returns {number} sockets that are not closed */
  get sockets() {
    return this.#wx.sockets.count;
  }

  /**
   * @param {string} selector
   * @returns {import('./handles.js').ElementHandle} on the page on top; throws if there is none
   */
  find(selector) {
    return this.page.find(selector);
  }

  /**
   * @param {string} selector
   * @returns {import('./handles.js').ElementHandle[]} on the page on top
   */
  findAll(selector) {
    return this.page.findAll(selector);
  }

  /** @returns {import('./media/live-pusher.js').LivePusher[]} of every live-pusher on all pages */
  pushers() {
    return this.#natives.all('live-pusher').map(({media}) => /** @type {any} */ (media));
  }

  /** @returns {import('./media/live-player.js').LivePlayer[]} of every live-player on all pages, as they came */
  players() {
    return this.#natives.all('live-player').map(({media}) => /** @type {any} */ (media));
  }

  /**
   * Answers the modal (`confirm`) or action sheet (`tapIndex`) that waits.
   *
   * @param {{confirm?: boolean, content?: string, tapIndex?: number}} choice
   */
  answer(choice) {
    this.#wx.ui.answer(choice);
  }

  /**
   * The user goes to another app. What a phone may lose meanwhile is lost if it is asked for, after a time if one is
   * given.
   *
   * @param {{loseSockets?: boolean, loseMedia?: boolean, lossAfterMs?: number}} [options]
   */
  background({loseSockets = false, loseMedia = false, lossAfterMs = 0} = {}) {
    if (this.#inBackground) return;
    this.#inBackground = true;
    this.#pages.background(true);
    this.#app.call('onHide');
    this.#wx.events.AppHide.emit();
    this.#wx.requests.background(true);
    this.#natives.background(true);
    const lose = () => {
      if (!this.#inBackground) return;
      if (loseSockets) this.#wx.sockets.lose();
      if (loseMedia) this.#natives.lose();
    };
    if (!loseSockets && !loseMedia) return;
    if (lossAfterMs > 0) this.#parts.clock.setTimeout(lose, lossAfterMs);
    else lose();
  }

  /** The user comes back. */
  foreground() {
    if (!this.#inBackground) return;
    this.#inBackground = false;
    this.#wx.requests.background(false);
    this.#natives.background(false);
    this.#app.show();
    this.#wx.events.AppShow.emit(this.#launchOptions());
    this.#pages.background(false);
  }

  /** All sockets break, as when a phone changes its network. */
  loseSockets() {
    this.#wx.sockets.lose();
  }

  /**
   * @param {'wifi' | '5g' | '4g' | '3g' | '2g' | 'none' | 'unknown'} type
   */
  setNetwork(type) {
    this.#wx.system.setNetwork(type);
  }

  /**
   * Something befalls the phone: a call interrupts the sound, the user takes a picture of the screen.
   *
   * @param {import('./wx/index.js').AppEvent} name without `on`, such as `AudioInterruptionBegin`
   * @param {any} [payload] what listeners are given
   */
  happen(name, payload) {
    if (!Object.hasOwn(this.#wx.events, name)) throw new Error(`there is no wx.on${name}`);
    this.#wx.events[name].emit(payload);
  }

  /**
   * Waits until something is so.
   *
   * @template T
   * @param {() => T | Promise<T>} check
   * @param {{timeoutMs?: number, what?: string}} [options] `what` it is that is waited for
   * @returns {Promise<T>} what the check has returned, something true
   * @throws {Error} that says what did not happen, with the program's errors and last lines
   */
  async until(check, {timeoutMs = PATIENCE_MS, what = check.toString()} = {}) {
    const {clock} = this.#parts;
    const end = clock.now() + timeoutMs;
    for (;;) {
      const result = await check();
      if (result) return result;
      if (clock.now() >= end) throw new Error(`not within ${timeoutMs} ms: ${what}\n${this.#report()}`);
      await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), POLL_MS));
    }
  }

  /**
   * Unloads all pages and lets go of media, sockets and timers.
   *
   * @returns {Promise<void>}
   */
  async close() {
    if (this.#closed) return;
    this.#pages.close();
    this.#closed = true;
    await this.#natives.close();
    this.#wx.close();
    this.#realm.close();
    // What the last calls have rejected is told of in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    this.#unwatch();
    this.#parts.pkg.close();
  }

  /** @param {(run: () => void) => void} nextFrame */
  #makeWx(nextFrame) {
    const {pkg, clock, platform, server, storage, permissions, deny} = this.#parts;
    const project = pkg.has('project.config.json') ? pkg.json('project.config.json') : {};
    return new Wx({
      realm: this.#realm, clock, pages: this.#pages, platform, storage, permissions, deny, nextFrame,
      appId: String(project.appid ?? 'wx0000000000000000'),
      rewrite: (url) => (server === undefined ? url : redirect(url, server)),
      log: (level, text) => this.#journal.say(level, text),
      findPusher: (owner) => this.#natives.pusherIn(owner ?? this.#pages.top?.root.getComponent()),
      findPlayer: (id, owner) => this.#natives.playerIn(owner ?? this.#pages.top?.root.getComponent(), id),
      launchOptions: () => this.#launchOptions(),
    });
  }

  #launchOptions() {
    const {path, query} = parsePageUrl(this.#parts.start ?? this.#config.first);
    return {path, query, scene: SCENE, referrerInfo: {}};
  }

  #makeNatives() {
    const {media, platform, device, ffmpeg, pkg} = this.#parts;
    return new MediaElements({
      media, platform, device, ffmpeg, journal: this.#journal,
      ask: (scope) => this.#wx.permissions.ask(scope),
      locate: (path) => pkg.locate(path),
      trigger: (element, event, detail) => {
        this.#framework.lib.Event.triggerEvent(element, event, this.#realm.own(detail), this.#realm.own({}));
      },
    });
  }

  /** @param {import('./pages.js').Page} page */
  #handle(page) {
    const known = this.#handles.get(page);
    if (known) return known;
    const handle = new PageHandle({
      realm: this.#realm, lib: this.#framework.lib, wx: this.#wx.api, nativeOf: (element) => this.#natives.of(element),
    }, page);
    this.#handles.set(page, handle);
    return handle;
  }

  /** @param {() => void} run */
  #nextFrame(run) {
    this.#frame.push(run);
    if (this.#frame.length > 1) return;
    this.#parts.clock.setTimeout(() => {
      const due = this.#frame;
      this.#frame = [];
      if (this.#closed) return;
      for (const one of due) one();
    }, 0);
  }

  /** Resolves after a frame. */
  #settled() {
    return new Promise((resolve) => this.#nextFrame(() => resolve(undefined)));
  }

  /**
   * @param {unknown} error
   * @param {string} where
   */
  #fail(error, where) {
    const {message, stack} = this.#journal.fail(error, where);
    const text = stack?.includes(message) ? stack : `${message}\n${stack ?? ''}`;
    this.#app?.call('onError', text);
    this.#wx?.events.Error.emit({message: text, stack});
  }

  /**
   * @param {unknown} reason
   * @param {unknown} promise
   */
  #rejected(reason, promise) {
    this.#journal.fail(reason, 'unhandled rejection');
    const event = Object.assign(new this.#realm.globals.Object(), {reason, promise});
    this.#app.call('onUnhandledRejection', event);
    this.#wx.events.UnhandledRejection.emit(event);
  }

  #report() {
    return `${this.#journal.recent()}\n${this.#pages.top ? this.page.tree() : ''}`;
  }
}

/**
 * @param {string} url http, https, ws or wss
 * @param {string} server http://host:port
 * @returns {string} the same path and query there
 */
export function redirect(url, server) {
  const from = new URL(url);
  const to = new URL(server);
  const socket = from.protocol === 'ws:' || from.protocol === 'wss:';
  const secure = to.protocol === 'https:';
  return `${socket ? (secure ? 'wss' : 'ws') : to.protocol.slice(0, -1)}://${to.host}${from.pathname}${from.search}`;
}
