import {apiFunction, listenersFor} from './calls.js';
import {mediaApi} from './media.js';
import {miscApi} from './misc.js';
import {navigationApi} from './navigation.js';
import {Permissions} from './permissions.js';
import {Requests} from './request.js';
import {Sockets} from './socket.js';
import {Storage} from './storage.js';
import {System} from './system.js';
import {Ui} from './ui.js';

/**
 * @typedef {object} WxPorts
 * @property {import('../realm.js').Realm} realm
 * @property {import('../clock.js').Clock} clock
 * @property {import('../pages.js').Pages} pages
 * @property {'android' | 'ios'} platform
 * @property {string} appId
 * @property {(url: string) => string} rewrite the address that a request or socket really calls
 * @property {Record<string, unknown>} storage
 * @property {Record<string, boolean>} permissions
 * @property {string[]} deny
 * @property {(run: () => void) => void} nextFrame
 * @property {(level: string, text: string) => void} log
 * @property {import('./media.js').MediaPorts['findPusher']} findPusher
 * @property {import('./media.js').MediaPorts['findPlayer']} findPlayer
 * @property {() => Record<string, any>} launchOptions
 */

/** Events of the program as a whole, each with `wx.onX` and `wx.offX`. */
const APP_EVENTS = /** @type {const} */ ([
  'AppShow', 'AppHide', 'Error', 'UnhandledRejection', 'PageNotFound', 'ThemeChange', 'AudioInterruptionBegin',
  'AudioInterruptionEnd', 'MemoryWarning', 'WindowResize', 'UserCaptureScreen', 'KeyboardHeightChange',
]);

/** @typedef {typeof APP_EVENTS[number]} AppEvent */

/** The object `wx`, and what the emulator has to do with what is behind it. */
export class Wx {
  /** What the program sees. @type {Record<string, any>} */
  api;
  /** By name without `on`. @type {Record<AppEvent, import('./calls.js').Listeners>} */
  events;

  /** @param {WxPorts} ports */
  constructor(ports) {
    const {realm, clock, pages} = ports;
    this.ui = new Ui(clock, () => pages.top?.navigationBar);
    this.system = new System(realm, ports.platform, ports.appId);
    this.permissions = new Permissions(ports.permissions, ports.deny);
    this.sockets = new Sockets(realm, ports.rewrite);
    this.requests = new Requests(realm, ports.rewrite, clock);
    this.api = new realm.globals.Object();
    const {nextFrame, log} = ports;
    const misc = {realm, nextFrame, log, topInstance: () => pages.top?.instance, wx: () => this.api};
    const groups = [
      this.ui.api(), this.system.api(), this.permissions.api(), new Storage(realm, ports.storage).api(),
      navigationApi(pages), mediaApi(ports), miscApi(misc),
    ];
    for (const {async, sync} of groups) {
      for (const [name, run] of Object.entries(async)) this.api[name] = apiFunction(realm, name, run);
      Object.assign(this.api, sync);
    }
    Object.assign(this.api, this.sockets.api(), this.requests.api());
    this.events = listenersFor(APP_EVENTS, realm, 'on');
    for (const name of APP_EVENTS) {
      this.api[`on${name}`] = this.events[name].on;
      this.api[`off${name}`] = this.events[name].off;
    }
    const launchOptions = () => realm.own(ports.launchOptions());
    Object.assign(this.api, {
      getLaunchOptionsSync: launchOptions, getEnterOptionsSync: launchOptions,
      env: realm.own({USER_DATA_PATH: 'http://usr'}),
    });
  }

  /** Ends everything that is open. */
  close() {
    this.ui.close();
    this.sockets.close();
    this.requests.close();
  }
}
