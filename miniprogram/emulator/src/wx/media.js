import {ApiError, apiFunction} from './calls.js';

const PUSHER_METHODS = [
  'start', 'stop', 'pause', 'resume', 'switchCamera', 'snapshot', 'startPreview', 'stopPreview', 'toggleTorch',
  'sendMessage', 'setZoom', 'getMaxZoom', 'playBGM', 'pauseBGM', 'resumeBGM', 'stopBGM', 'setBGMVolume', 'setMICVolume',
  'startAudioRecord', 'stopAudioRecord', 'exitPictureInPicture', 'applyBlusherStickMakeup', 'applyEyeShadowMakeup',
  'applyFaceContourMakeup', 'applyFilter', 'applySticker', 'clearFilters', 'clearMakeups', 'clearStickers',
];
const CALLBACKS = ['success', 'fail', 'complete'];
const PLAYER_METHODS = [
  'play', 'stop', 'pause', 'resume', 'mute', 'snapshot', 'requestFullScreen', 'exitFullScreen', 'exitPictureInPicture',
  'requestPictureInPicture', 'requestBackgroundPlayback', 'exitBackgroundPlayback', 'startCasting', 'switchCasting',
  'exitCasting', 'reconnectCasting',
];

/**
 * @typedef {object} MediaPorts
 * @property {import('../realm.js').Realm} realm
 * @property {(owner: any) => import('../native.js').NativeElement | undefined} findPusher the one of the component
 *     given, or of the page on top
 * @property {(id: string, owner: any) => import('../native.js').NativeElement | undefined} findPlayer by its id, in
 *     the component given or in the page on top
 */

/**
 * Contexts of the native components. A context looks for its element at every call, because programs make it before
 * the element is there, and keep it longer.
 *
 * @param {MediaPorts} ports
 * @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}}
 */
export function mediaApi({realm, findPusher, findPlayer}) {
  const context = (/** @type {string[]} */ methods, /** @type {string} */ kind,
    /** @type {() => import('../native.js').NativeElement | undefined} */ find) => {
    const made = new realm.globals.Object();
    for (const method of methods) {
      const call = apiFunction(realm, `operate${kind}`, async (options) => {
        const native = find();
        if (!native) throw new ApiError(`${kind === 'LivePusher' ? 'live-pusher' : 'live-player'} is not found`);
        try {
          return await native.media.call(method, plainOptions(options));
        } catch (error) {
          throw asApiError(error);
        }
      });
      // Methods of contexts know callbacks alone; without any they fail quietly.
      made[method] = (/** @type {any} */ options) => void call({complete: () => {}, ...options});
    }
    return made;
  };
  return {
    async: {},
    sync: {
      createLivePusherContext: (/** @type {any} */ owner) =>
        context(PUSHER_METHODS, 'LivePusher', () => findPusher(componentOf(owner))),
      createLivePlayerContext: (/** @type {unknown} */ id, /** @type {any} */ owner) =>
        context(PLAYER_METHODS, 'LivePlayer', () => findPlayer(String(id), componentOf(owner))),
    },
  };
}

/** @param {any} owner a component or page as the program sees it, or anything else that was passed for it */
function componentOf(owner) {
  return owner?._$ ?? undefined;
}

/** @param {any} options */
function plainOptions(options) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !CALLBACKS.includes(name)));
}

/** @param {any} error what a component rejects with: {errMsg} or an Error */
function asApiError(error) {
  if (error instanceof ApiError) return error;
  const {errMsg, message, ...fields} = error ?? {};
  const text = String(errMsg ?? message ?? error);
  return new ApiError(text.replace(/^[\w.]+:fail\s*/, ''), fields);
}
