import {ApiError} from './calls.js';

/**
 * What the user has allowed. A scope that has been asked for once is not asked for again.
 */
export class Permissions {
  /** @type {Map<string, boolean>} */
  #decided;
  #deny;

  /**
   * @param {Record<string, boolean>} decided scope → whether it is allowed, as if it had been asked for before
   * @param {string[]} deny scopes that the user refuses when asked
   */
  constructor(decided, deny) {
    this.#decided = new Map(Object.entries(decided));
    this.#deny = new Set(deny);
  }

  /**
   * Asks the user, unless that has been done.
   *
   * @param {string} scope
   * @returns {boolean}
   */
  ask(scope) {
    const known = this.#decided.get(scope);
    if (known !== undefined) return known;
    const allowed = !this.#deny.has(scope);
    this.#decided.set(scope, allowed);
    return allowed;
  }

  /** @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}} */
  api() {
    const settings = () => ({authSetting: Object.fromEntries(this.#decided), subscriptionsSetting: {}});
    return {
      async: {
        authorize: ({scope}) => {
          if (typeof scope !== 'string' || !scope.startsWith('scope.')) throw new ApiError('invalid scope');
          if (!this.ask(scope)) throw new ApiError('auth deny', {errno: 103});
        },
        getSetting: settings,
        openSetting: settings,
        openAppAuthorizeSetting: () => {},
        requirePrivacyAuthorize: () => {},
        getPrivacySetting: () => ({needAuthorization: false, privacyContractName: ''}),
      },
      sync: {onNeedPrivacyAuthorization: () => {}},
    };
  }
}
