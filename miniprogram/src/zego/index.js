/** Queqiao in the shape of ZEGO's Express SDK for mini-programs: docs/miniprogram/zego.md. */
import { ZegoExpressEngine } from './engine.js';

export { ZegoExpressEngine };

/**
 * The same names bound to a server, whatever address the page's constructor names.
 *
 * @param {string | string[]} server `https://…` or `wss://…`, the first that can be reached is taken
 * @returns {{ ZegoExpressEngine: typeof ZegoExpressEngine }}
 */
export function withServer(server) {
  class BoundZegoExpressEngine extends ZegoExpressEngine {
    /**
     * @param {number} appID
     * @param {string | string[]} _server
     * @param {ConstructorParameters<typeof ZegoExpressEngine>[2]} [options]
     */
    constructor(appID, _server, options) {
      super(appID, server, options);
    }
  }
  return { ZegoExpressEngine: BoundZegoExpressEngine };
}
