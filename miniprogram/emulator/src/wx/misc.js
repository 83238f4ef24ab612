import {tell} from './calls.js';

/** WeChat's codes of its own components, for canIUse. */
const COMPONENTS = new Set(['live-pusher', 'live-player', 'view', 'text', 'image', 'button', 'input', 'cover-view',
  'cover-image', 'scroll-view', 'swiper', 'switch', 'slider', 'picker', 'form', 'label', 'radio', 'checkbox', 'icon',
  'canvas', 'progress', 'textarea', 'navigator', 'block', 'template', 'slot']);

/**
 * @typedef {object} MiscPorts
 * @property {import('../realm.js').Realm} realm
 * @property {(run: () => void) => void} nextFrame
 * @property {(level: string, text: string) => void} log
 * @property {() => any} topInstance the page on top, as the program sees it
 * @property {() => Record<string, any>} wx
 */

/**
 * @param {MiscPorts} ports
 * @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}}
 */
export function miscApi(ports) {
  const {realm, nextFrame, topInstance} = ports;
  let clipboard = '';
  return {
    async: {
      setClipboardData: ({data}) => {
        clipboard = String(data);
      },
      getClipboardData: () => ({data: clipboard}),
    },
    sync: {
      nextTick: (/** @type {Function} */ callback) => nextFrame(() => tell(realm, 'nextTick', callback)),
      canIUse: (/** @type {unknown} */ schema) => canIUse(ports.wx(), String(schema)),
      createSelectorQuery: () => {
        const page = topInstance();
        if (!page) throw new realm.globals.Error('createSelectorQuery:fail no page');
        return page.createSelectorQuery();
      },
      base64ToArrayBuffer: (/** @type {string} */ text) => realm.arrayBuffer(Buffer.from(text, 'base64')),
      arrayBufferToBase64: (/** @type {ArrayBuffer} */ data) => Buffer.from(new Uint8Array(data)).toString('base64'),
      getLogManager: () => logManager(ports),
      getRealtimeLogManager: () => logManager(ports),
      getUpdateManager: () => updateManager(realm),
      // They report to WeChat.
      reportMonitor: () => {}, reportAnalytics: () => {}, reportPerformance: () => {}, reportEvent: () => {},
    },
  };
}

/**
 * @param {Record<string, any>} wx
 * @param {string} schema such as `connectSocket`, `live-player` or `showToast.object.image`
 */
function canIUse(wx, schema) {
  const [name = ''] = schema.split('.');
  return name in wx || COMPONENTS.has(name);
}

/** @param {MiscPorts} ports */
function logManager({realm, log}) {
  const manager = new realm.globals.Object();
  for (const level of ['debug', 'info', 'log', 'warn', 'error']) {
    manager[level] = (/** @type {unknown[]} */ ...args) => log(level, args.map(asText).join(' '));
  }
  for (const name of ['addFilterMsg', 'setFilterMsg', 'in', 'tag']) manager[name] = () => manager;
  return manager;
}

/** @param {unknown} value */
function asText(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** There is never an update. @param {import('../realm.js').Realm} realm */
function updateManager(realm) {
  return Object.assign(new realm.globals.Object(), {
    onCheckForUpdate: (/** @type {unknown} */ listener) => {
      realm.globals.Promise.resolve().then(() =>
        tell(realm, 'onCheckForUpdate', listener, realm.own({hasUpdate: false})));
    },
    onUpdateReady: () => {}, onUpdateFailed: () => {}, applyUpdate: () => {},
  });
}
