/** @typedef {{ channelName: string, token?: string, uid?: number }} ChannelInfo */

/**
 * Where a stream is to be relayed from and to. Can be filled in as pages do; relaying itself is refused, as this server
 * keeps its rooms apart.
 */
export class ChannelMediaRelayConfiguration {
  /** @type {ChannelInfo | null} */
  source = null;
  /** By the name of the channel. @type {Map<string, ChannelInfo>} */
  destinations = new Map();

  /** @param {ChannelInfo} info */
  setSrcChannelInfo(info) {
    this.source = info;
  }

  /** @param {string} channelName @param {ChannelInfo} info */
  setDestChannelInfo(channelName, info) {
    this.destinations.set(channelName, info);
  }

  /** @param {string} channelName */
  removeDestChannelInfo(channelName) {
    this.destinations.delete(channelName);
  }
}
