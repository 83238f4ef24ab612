/** Camera and microphone: asking for them, and the way to the settings once they were refused. */

/** @param {boolean} video @returns {string[]} */
function scopesOf(video) {
  return video ? ['scope.camera', 'scope.record'] : ['scope.record'];
}

/**
 * Asks, and where the answer was no, offers the settings.
 *
 * @param {boolean} video whether the camera is wanted too
 * @param {import('../i18n/index.js').Texts} texts
 * @returns {Promise<boolean>} whether everything that is wanted may be used
 */
async function askFor(video, { t }) {
  if (!(await systemAllows(video, t))) return false;
  const scopes = scopesOf(video);
  for (const scope of scopes) {
    if (!(await authorize(scope))) return offerSettings(video, t);
  }
  return true;
}

/**
 * Opens the settings; call it from a tap.
 *
 * @param {boolean} video
 * @returns {Promise<boolean>} whether everything that is wanted may be used now
 */
async function openSettings(video) {
  try {
    const { authSetting } = await wx.openSetting();
    const granted = /** @type {Record<string, boolean | undefined>} */ (authSetting);
    return scopesOf(video).every((scope) => granted[scope] === true);
  } catch {
    return false;
  }
}

/** WeChat asks the user once and remembers the answer. @param {string} scope @returns {Promise<boolean>} */
async function authorize(scope) {
  try {
    await wx.authorize({ scope });
    return true;
  } catch {
    return false;
  }
}

/** @param {boolean} video @param {import('../i18n/index.js').Texts['t']} t @returns {Promise<boolean>} */
async function offerSettings(video, t) {
  const content = video ? t.permission_camera : t.permission_microphone;
  return (await confirm(content, t)) && openSettings(video);
}

/** Whether the phone lets WeChat itself use them. @param {boolean} video @param {import('../i18n/index.js').Texts['t']} t */
async function systemAllows(video, t) {
  if (!wx.getAppAuthorizeSetting) return true;
  const { cameraAuthorized, microphoneAuthorized } = wx.getAppAuthorizeSetting();
  if (microphoneAuthorized !== 'denied' && !(video && cameraAuthorized === 'denied')) return true;
  if ((await confirm(t.permission_system, t)) && wx.openAppAuthorizeSetting) wx.openAppAuthorizeSetting({ fail: () => {} });
  return false;
}

/** @param {string} content @param {import('../i18n/index.js').Texts['t']} t @returns {Promise<boolean>} */
async function confirm(content, t) {
  try {
    const { confirm: confirmed } = await wx.showModal({
      title: t.permission_title, content, confirmText: t.permission_settings, cancelText: t.cancel,
    });
    return confirmed;
  } catch {
    return false;
  }
}

module.exports = { askFor, openSettings };
