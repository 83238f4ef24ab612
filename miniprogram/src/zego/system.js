/** Whether this WeChat can push and play, and may. */

/**
 * The part of `wx` that this shape uses. What is optional came with later versions of WeChat.
 *
 * @typedef {import('../core/wx.js').Wx & {
 *   createLivePusherContext: (component?: object) => import('./component.js').Context,
 *   createLivePlayerContext: (id: string, component?: object) => import('./component.js').Context,
 *   getAppBaseInfo?: () => { SDKVersion?: string },
 *   getSystemInfoSync?: () => { SDKVersion?: string },
 *   getSetting?: (options: object) => unknown,
 *   authorize?: (options: object) => unknown,
 * }} ZegoWx
 */

/** Base library with both components. */
const LEAST_VERSION = '1.7.0';
const SCOPES = ['scope.camera', 'scope.record'];

export const SUPPORTED = 0;
export const TOO_OLD = 10001;
export const NOT_PERMITTED = 10002;

/**
 * Asks the user where they have not been asked yet.
 *
 * @param {ZegoWx} wx
 * @returns {Promise<{ code: number, msg: string }>} `code`: 0, 10001 WeChat is too old, 10002 camera or microphone are not permitted
 */
export async function checkSystem(wx) {
  const { SDKVersion = '0' } = wx.getAppBaseInfo?.() ?? wx.getSystemInfoSync?.() ?? {};
  const components = typeof wx.createLivePusherContext === 'function' && typeof wx.createLivePlayerContext === 'function';
  if (!components || older(SDKVersion, LEAST_VERSION)) {
    return { code: TOO_OLD, msg: `base library ${SDKVersion} is older than ${LEAST_VERSION}` };
  }
  /** @type {Record<string, boolean | undefined>} */
  const granted = /** @type {{ authSetting?: Record<string, boolean> } | null} */ (await ask(wx.getSetting, {}))?.authSetting ?? {};
  for (const scope of SCOPES) {
    const permitted = granted[scope] ?? (await ask(wx.authorize, { scope })) !== null;
    if (!permitted) return { code: NOT_PERMITTED, msg: `${scope} is not granted` };
  }
  return { code: SUPPORTED, msg: '' };
}

/**
 * @param {((options: object) => unknown) | undefined} method of wx
 * @param {object} options
 * @returns {Promise<unknown>} null if it failed
 */
function ask(method, options) {
  return new Promise((resolve) => {
    if (method === undefined) return resolve(null);
    method({ ...options, success: (/** @type {unknown} */ result) => resolve(result ?? {}), fail: () => resolve(null) });
  });
}

/** @param {string} version @param {string} least */
function older(version, least) {
  const [ours, theirs] = [version, least].map((text) => text.split('.').map(Number));
  for (let at = 0; at < 3; at += 1) {
    const [a, b] = [ours?.[at] ?? 0, theirs?.[at] ?? 0];
    if (a !== b) return a < b;
  }
  return false;
}
