import {parsePageUrl} from './address.js';
import {EventChannel} from './event-channel.js';

/** WeChat's own limit. */
const MAX_PAGES = 10;

/**
 * @typedef {object} NavigationBar
 * @property {string} title
 * @property {string} frontColor
 * @property {string} backgroundColor
 * @property {boolean} loading
 *
 * @typedef {object} Page one page on the stack
 * @property {number} id
 * @property {string} path
 * @property {Record<string, string>} query
 * @property {any} root of the adapter
 * @property {any} instance what the program sees as `this`
 * @property {boolean} shown
 * @property {boolean} covered by another page
 * @property {NavigationBar} navigationBar
 * @property {EventChannel} [channel] between the page that opens and the one that is opened
 *
 * @typedef {object} PagesPorts
 * @property {import('./config.js').AppConfig} config
 * @property {import('./realm.js').Realm} realm
 * @property {import('./framework.js').Framework} framework
 * @property {(page: Page) => void} onCovered another page has come on top, or left
 */

/** The stack of pages and the ways to change it. */
export class Pages {
  #ports;
  #nextId = 1;
  #inBackground = false;
  /** @type {Page[]} */
  stack = [];

  /** @param {PagesPorts} ports */
  constructor(ports) {
    this.#ports = ports;
    ports.realm.globals.getCurrentPages = () => ports.realm.own(this.stack.map((page) => page.instance));
  }

  /** @returns {Page | undefined} the page on top */
  get top() {
    return this.stack.at(-1);
  }

  /**
   * @param {'appLaunch' | 'navigateTo' | 'redirectTo' | 'reLaunch' | 'switchTab'} how
   * @param {string} url absolute, or relative to the page on top
   * @param {Record<string, Function>} [events] for navigateTo: listeners of the channel
   * @returns {Page} the new page
   * @throws {Error} with the reason, as it stands in errMsg after `fail`
   */
  open(how, url, events) {
    const {path, query} = parsePageUrl(url, this.top?.path);
    const {config} = this.#ports;
    const isTab = config.tabs.includes(path);
    if (!config.pages.includes(path)) throw new Error(`page "${path}" is not found`);
    if (how === 'switchTab' && !isTab) throw new Error('can not switch to no-tabBar page');
    if ((how === 'navigateTo' || how === 'redirectTo') && isTab) throw new Error(`can not ${how} a tabbar page`);
    if (how === 'navigateTo' && this.stack.length >= MAX_PAGES) {
      throw new Error(`page stack limit ${MAX_PAGES} exceeded`);
    }
    if (how === 'switchTab') return this.#switchTab(path, query);
    if (how === 'navigateTo') this.#cover(this.top);
    if (how === 'redirectTo') this.#unload(1);
    if (how === 'reLaunch') this.#unload(this.stack.length);
    const channel = how === 'navigateTo' ? new EventChannel(this.#ports.realm) : undefined;
    for (const [name, listener] of Object.entries(events ?? {})) channel?.on(name, listener);
    return this.#load(path, query, channel);
  }

  /**
   * @param {number} delta
   * @throws {Error} on the first page
   */
  back(delta) {
    if (this.stack.length < 2) throw new Error('cannot navigate back at first page.');
    this.#unload(Math.min(Math.max(1, Math.trunc(delta)), this.stack.length - 1));
    this.#show(/** @type {Page} */ (this.top));
  }

  /** @param {boolean} on the whole mini-program goes to the background, or comes back */
  background(on) {
    this.#inBackground = on;
    if (!this.top) return;
    if (on) this.#hide(this.top);
    else this.#show(this.top);
  }

  /** Unloads everything. */
  close() {
    this.#unload(this.stack.length);
  }

  /**
   * Calls a function of a page if it has it.
   *
   * @param {Page} page
   * @param {string} name such as onShow
   * @param {any[]} args
   * @returns {any}
   */
  call(page, name, ...args) {
    if (typeof page.instance[name] !== 'function') return undefined;
    return this.#ports.realm.guard(`${page.path} ${name}`, () => page.instance[name](...args));
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} query
   */
  #switchTab(path, query) {
    const known = this.stack.find((page) => page.path === path);
    if (!known) {
      this.#unload(this.stack.length);
      return this.#load(path, query);
    }
    this.#unload(this.stack.length - 1 - this.stack.indexOf(known));
    this.#show(known);
    return known;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} query
   * @param {EventChannel} [channel]
   * @returns {Page}
   */
  #load(path, query, channel) {
    const {framework, realm} = this.#ports;
    const root = framework.createPage(path, query);
    const instance = root.get();
    /** @type {Page} */
    const page = {
      id: this.#nextId++, path, query, root, instance, shown: false, covered: false, channel,
      navigationBar: this.#navigationBar(path),
    };
    const options = realm.own(query);
    Object.assign(instance, {
      route: path, __route__: path, options, getPageId: () => `page-${page.id}`,
      getOpenerEventChannel: () => page.channel ?? new EventChannel(realm),
    });
    this.stack.push(page);
    framework.attach(root);
    this.call(page, 'onLoad', options);
    // The page may have left again in onLoad.
    if (this.top === page) this.#show(page);
    if (this.stack.includes(page)) {
      framework.settle();
      this.call(page, 'onReady');
    }
    return page;
  }

  /**
   * @param {string} path
   * @returns {NavigationBar}
   */
  #navigationBar(path) {
    const {config} = this.#ports;
    const own = config.components.find((one) => one.path === path)?.config ?? {};
    const {navigationBarTitleText: title = '', navigationBarBackgroundColor: backgroundColor = '#000000',
      navigationBarTextStyle = 'white'} = {...config.window, ...own};
    const frontColor = navigationBarTextStyle === 'white' ? '#ffffff' : '#000000';
    return {title, frontColor, backgroundColor, loading: false};
  }

  /** @param {number} count from the top */
  #unload(count) {
    for (let left = count; left > 0; left -= 1) {
      const page = this.stack.at(-1);
      if (!page) return;
      // Programs look for the other pages in onUnload, and this one is still among them.
      this.call(page, 'onUnload');
      const index = this.stack.indexOf(page);
      if (index !== -1) this.stack.splice(index, 1);
      page.root.release();
    }
  }

  /** @param {Page} page */
  #show(page) {
    if (page.shown || this.#inBackground) return;
    page.shown = true;
    this.call(page, 'onShow');
    page.root.getComponent().triggerPageLifetime('show', []);
    if (!page.covered) return;
    page.covered = false;
    this.#ports.onCovered(page);
  }

  /** @param {Page | undefined} page */
  #cover(page) {
    if (!page) return;
    this.#hide(page);
    page.covered = true;
    this.#ports.onCovered(page);
  }

  /** @param {Page | undefined} page */
  #hide(page) {
    if (!page?.shown) return;
    page.shown = false;
    this.call(page, 'onHide');
    page.root.getComponent().triggerPageLifetime('hide', []);
  }
}
