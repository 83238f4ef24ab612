/**
 * What the core needs of where it runs: a browser, a mini-program, or a test with a time of its own.
 *
 * @typedef {object} Clock
 * @property {() => number} now milliseconds since any moment, never backwards
 * @property {(run: () => void, delayMs: number) => unknown} setTimer returns what clearTimer takes
 * @property {(timer: unknown) => void} clearTimer
 */

/**
 * @typedef {object} Socket
 * @property {(text: string) => void} send is called only after `opened`; may throw if the socket is gone
 * @property {() => void} close
 */

/**
 * What a socket reports. The core listens to nothing after it has called `close`.
 *
 * @typedef {object} SocketEvents
 * @property {() => void} opened
 * @property {(data: unknown) => void} received what one message carried
 * @property {() => void} closed it could not be opened, or broke, or was closed by the server
 */

/**
 * @typedef {object} Platform
 * @property {(url: string, events: SocketEvents) => Socket} openSocket
 * @property {Clock} clock
 * @property {() => number} random in [0, 1)
 */

/**
 * What the server gave for one's own stream: an address to push to, or an offer that will follow.
 *
 * @typedef {import('./protocol.js').Response<'publish'>} PublishedMedia
 */

/**
 * What the server gives of somebody's stream: addresses to play, or an offer that will follow.
 *
 * @typedef {import('./protocol.js').Response<'subscribe'>} SubscribedMedia
 */

/**
 * What carries the media: a PeerConnection, or the components of a mini-program. All calls come in the order of the
 * signalling; an error that one throws is reported as `exception` and changes nothing else.
 *
 * @typedef {object} Media
 * @property {(media: PublishedMedia) => void} publish again with other media when they have changed
 * @property {(stream: import('./protocol.js').StreamName) => void} unpublish
 * @property {(media: SubscribedMedia) => void} subscribe again with other media when they have changed
 * @property {(uid: import('./protocol.js').Uid, stream: import('./protocol.js').ReceivedName) => void} unsubscribe
 * @property {(revision: number, sdp: string, mids: import('./protocol.js').Mids) => Promise<string>} offer returns the
 *   answer. Not called again before it has settled, unless `reset` came in between. If it rejects, the room is joined anew
 * @property {() => void} resumed the signalling is back and the session stood: media that broke need an ICE restart
 * @property {() => void} reset the session is a new one: all media of the old one are void, offers start anew
 * @property {() => void} close for good
 */

/**
 * What media may ask of the signalling.
 *
 * @typedef {object} MediaUplink
 * @property {(candidate: string, mid?: string) => void} candidate an empty one is the end of them
 * @property {() => Promise<void>} iceRestart is granted before an offer with new ICE credentials comes. If the server has
 *   lost these media it rejects, and a `reset` follows
 * @property {() => void} giveUp these media cannot be repaired: the room is joined anew, and a `reset` follows
 */

export {};
