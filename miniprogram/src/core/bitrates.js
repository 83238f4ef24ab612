/** The rates that a `live-pusher` is given. */

/** Its defaults, kbit/s. */
const MIN_BITRATE = 200;
const MAX_BITRATE = 1000;

/**
 * WeChat chooses the rate between the two, and the size of the picture by the rate: no size has to be said.
 *
 * @param {{ min?: number, max?: number }} wanted by the page, kbit/s; the component's defaults if absent
 * @param {import('../../../web-client/core/client.js').PublishLimits | null} limits of the server
 * @returns {{ minBitrate: number, maxBitrate: number }} for `min-bitrate` and `max-bitrate`
 */
export function bitratesWithin({ min = MIN_BITRATE, max = MAX_BITRATE }, limits) {
  const maxBitrate = Math.min(max, limits?.maxKbps ?? Infinity);
  return { minBitrate: Math.min(min, maxBitrate), maxBitrate };
}
