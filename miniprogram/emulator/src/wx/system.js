import {randomBytes} from 'node:crypto';
import {ApiError, Listeners} from './calls.js';

/** The base library whose functions are here. */
const SDK_VERSION = '3.7.12';
const WECHAT_VERSION = '8.0.55';
const STATUS_BAR = 44;
const NAVIGATION_BAR = 44;

/** @typedef {Record<'brand' | 'model' | 'system', string> & Record<'width' | 'height' | 'ratio', number>} Phone */
/** @type {Record<'android' | 'ios', Phone>} */
const PHONES = {
  android: {brand: 'Xiaomi', model: 'MI 9', system: 'Android 12', width: 393, height: 851, ratio: 2.75},
  ios: {brand: 'iPhone', model: 'iPhone 13<iPhone14,5>', system: 'iOS 16.5', width: 390, height: 844, ratio: 3},
};

/**
 * @param {'android' | 'ios'} platform
 * @returns {{width: number, height: number}} what a page has of the screen, in pixels of WXSS
 */
export function windowSize(platform) {
  const {width, height} = PHONES[platform];
  return {width, height: height - STATUS_BAR - NAVIGATION_BAR};
}

/**
 * What a program can learn of the phone, and that the network has changed.
 */
export class System {
  #realm;
  #platform;
  #appId;
  #network = 'wifi';
  #networkChange;

  /**
   * @param {import('../realm.js').Realm} realm
   * @param {'android' | 'ios'} platform
   * @param {string} appId
   */
  constructor(realm, platform, appId) {
    this.#realm = realm;
    this.#platform = platform;
    this.#appId = appId;
    this.#networkChange = new Listeners(realm, 'onNetworkStatusChange');
  }

  /** @param {string} type `wifi`, `4g`, `none` and so on */
  setNetwork(type) {
    if (type === this.#network) return;
    this.#network = type;
    this.#networkChange.emit({isConnected: type !== 'none', networkType: type});
  }

  /** @returns {boolean} */
  get connected() {
    return this.#network !== 'none';
  }

  /** @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}} */
  api() {
    const own = (/** @type {() => any} */ make) => () => this.#realm.own(make());
    const user = () => ({userInfo: USER, rawData: JSON.stringify(USER), signature: '', encryptedData: '', iv: ''});
    const all = () => ({...this.#device(), ...this.#window(), ...this.#app(), ...this.#settings()});
    return {
      async: {
        getSystemInfo: all,
        getSystemInfoAsync: all,
        getNetworkType: () => ({networkType: this.#network, hasSystemProxy: false}),
        setKeepScreenOn: ({keepScreenOn}) => {
          if (typeof keepScreenOn === 'boolean') return;
          throw new ApiError('parameter error: keepScreenOn should be a boolean');
        },
        // A user would feel them; nothing else tells.
        vibrateShort: () => {}, vibrateLong: () => {},
        login: () => ({code: randomBytes(16).toString('hex')}),
        checkSession: () => {},
        getUserProfile: user,
        getUserInfo: user,
      },
      sync: {
        getSystemInfoSync: own(all),
        getWindowInfo: own(() => this.#window()),
        getDeviceInfo: own(() => this.#device()),
        getAppBaseInfo: own(() => this.#app()),
        getSystemSetting: own(() => RADIOS),
        getAppAuthorizeSetting: own(() => ({cameraAuthorized: 'authorized', microphoneAuthorized: 'authorized'})),
        getAccountInfoSync: own(() => ({miniProgram: {appId: this.#appId, envVersion: 'develop', version: ''}})),
        getMenuButtonBoundingClientRect: own(() => this.#menuButton()),
        onNetworkStatusChange: this.#networkChange.on,
        offNetworkStatusChange: this.#networkChange.off,
      },
    };
  }

  #device() {
    const {brand, model, system} = PHONES[this.#platform];
    return {brand, model, system, platform: this.#platform, benchmarkLevel: 40, abi: 'arm64-v8a'};
  }

  #window() {
    const {width, height, ratio} = PHONES[this.#platform];
    const {height: windowHeight} = windowSize(this.#platform);
    const bottom = height - (this.#platform === 'ios' ? 34 : 0);
    return {
      pixelRatio: ratio, screenWidth: width, screenHeight: height, windowWidth: width, windowHeight,
      statusBarHeight: STATUS_BAR, screenTop: STATUS_BAR + NAVIGATION_BAR,
      safeArea: {left: 0, right: width, top: STATUS_BAR, bottom, width, height: bottom - STATUS_BAR},
    };
  }

  #app() {
    return {
      SDKVersion: SDK_VERSION, version: WECHAT_VERSION, language: 'zh_CN', theme: 'light', enableDebug: false,
      fontSizeSetting: 16, host: {appId: '', env: 'WeChat'},
    };
  }

  #settings() {
    return {
      ...RADIOS,
      cameraAuthorized: true, microphoneAuthorized: true, notificationAuthorized: true, albumAuthorized: true,
    };
  }

  #menuButton() {
    const {width} = PHONES[this.#platform];
    const [right, top] = [width - 7, STATUS_BAR + 6];
    return {left: right - 87, right, top, bottom: top + 32, width: 87, height: 32};
  }
}

const RADIOS = {bluetoothEnabled: false, locationEnabled: true, wifiEnabled: true, deviceOrientation: 'portrait'};
const USER = {nickName: '微信用户', avatarUrl: '', gender: 0, country: '', province: '', city: '', language: ''};
