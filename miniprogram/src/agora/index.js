/** The shape of Agora's mini-program SDK 2.6: docs/miniprogram/agora.md. */
import { Client } from './client.js';
import { LOG } from './log.js';
import { ChannelMediaRelayConfiguration } from './relay.js';

export { ChannelMediaRelayConfiguration, Client, LOG };

/** The version of the vendor's SDK whose shape this is. */
export const SDK_VERSION = '2.6.4';

/**
 * @typedef {object} Sdk
 * @property {typeof Client} Client
 * @property {typeof LOG} LOG
 * @property {string} SDK_VERSION
 * @property {typeof ChannelMediaRelayConfiguration} ChannelMediaRelayConfiguration
 * @property {typeof withServer} withServer
 */

/**
 * The same names, with clients that know their server.
 *
 * @param {string} server `https://host` or `wss://host`. `servers` or `apUrl` of a client come before it
 * @returns {Sdk}
 */
export function withServer(server) {
  return {
    Client: class extends Client {
      /** @param {ConstructorParameters<typeof Client>[0]} [options] */
      constructor(options) {
        super({ apUrl: server, ...options });
      }
    },
    LOG,
    SDK_VERSION,
    ChannelMediaRelayConfiguration,
    withServer,
  };
}
