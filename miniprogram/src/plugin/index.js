/** The shape of the Agora plugin, with the component `queqiao-call` in the place of its own: docs/miniprogram/agora.md. */
import { Call } from './call.js';

/** @typedef {import('./client.js').PluginClient} PluginClient */
/** @typedef {import('./rtc.js').Rtc} Rtc */

const call = new Call();

/**
 * The one client; without options as it is.
 *
 * @param {import('./client.js').PluginClientOptions & import('./call.js').Surroundings} [options]
 * @returns {PluginClient}
 */
export function createClient(options) {
  return call.createClient(options);
}

/**
 * The one camera and microphone; without options as they are.
 *
 * @param {import('./rtc.js').RtcOptions} [options]
 * @returns {Rtc}
 */
export function createRTC(options) {
  return call.createRTC(options);
}

/**
 * For components that show the call, as `queqiao-call` does: the fields of its data that are written stand in stages.js.
 *
 * @param {import('./stages.js').Owner} owner
 */
export function bindCall(owner) {
  return call.bind(owner);
}

/**
 * The same names; from now on the client joins the channels of this server.
 *
 * @param {string} server `https://host` or `wss://host`
 */
export function withServer(server) {
  call.server = server;
  return { createClient, createRTC, bindCall, withServer };
}
