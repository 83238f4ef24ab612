/** The shape of Volcengine's mini-program SDK: docs/miniprogram/volcengine.md. */
import { Client } from './client.js';
import { ERROR_CODES } from './errors.js';
import { EVENTS } from './events.js';

export { Client, ERROR_CODES, EVENTS };

/**
 * The same names, with clients of this server:
 *
 *     const VolcMiniappSdk = require('../../lib/queqiao-volcengine.js').withServer('https://rtc.example.com');
 *
 * @param {string} server
 * @param {Pick<import('./client.js').ClientOptions, 'mutePolarity'>} [options] `{ mutePolarity: 'before-3.1.0' }` for
 *   pages that were written for a version before 3.1.0
 */
export function withServer(server, options = {}) {
  return { Client: clientOf({ server, ...options }), EVENTS, ERROR_CODES, withServer };
}

/** @param {import('./client.js').ClientOptions} defaults @returns {typeof Client} */
function clientOf(defaults) {
  class BoundClient extends Client {
    /** @param {import('./client.js').ClientOptions & import('./client.js').Surroundings} [options] */
    constructor(options) {
      super({ ...defaults, ...options });
    }
  }
  return BoundClient;
}
