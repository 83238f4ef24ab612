/** Addresses of a stream under every protocol, and lines to paste into other programs. Pure. */

/** Where RTMP listens unless the server says otherwise. */
export const DEFAULT_RTMP_PORT = 1935;

/**
 * @typedef {object} StreamAddress
 * @property {string} app
 * @property {string} room
 * @property {string} uid
 * @property {string} [token]
 */

/**
 * Where the server is, as the page sees it.
 *
 * @typedef {object} Server
 * @property {string} origin of HTTP, such as `http://127.0.0.1:8080`
 * @property {string} hostname an IPv6 address in its brackets
 * @property {number} rtmpPort
 */

/**
 * A name as one segment of an address. `!` goes too: an interactive bash expands it even in double quotes.
 *
 * @param {string} name
 */
function segment(name) {
  return encodeURIComponent(name).replaceAll('!', '%21');
}

/** @param {StreamAddress} address */
function path({ app, room, uid }) {
  return [app, room, uid].map(segment).join('/');
}

/** @param {StreamAddress} address */
function query({ token }) {
  return token ? `?token=${segment(token)}` : '';
}

/** @param {Server} server */
function rtmpBase({ hostname, rtmpPort }) {
  return `rtmp://${hostname}:${rtmpPort}`;
}

/**
 * One address for publish and play.
 *
 * @param {Server} server
 * @param {StreamAddress} address
 */
export function rtmpUrl(server, address) {
  return `${rtmpBase(server)}/${path(address)}${query(address)}`;
}

/**
 * What OBS calls server and stream key.
 *
 * @param {Server} server
 * @param {StreamAddress} address
 */
export function obsFields(server, address) {
  const { app, room, uid } = address;
  return {
    server: `${rtmpBase(server)}/${segment(app)}/${segment(room)}`,
    key: `${segment(uid)}${query(address)}`,
  };
}

/**
 * @param {Server} server
 * @param {StreamAddress} address
 */
export function flvUrl(server, address) {
  return `${server.origin}/flv/${path(address)}.flv${query(address)}`;
}

/**
 * Publishes a test picture and a tone in the shape that a mini-program's pusher sends: portrait, constrained
 * baseline without B-frames, a keyframe every 3 s, AAC 48 kHz mono. `-re` paces each input in real time.
 *
 * @param {Server} server
 * @param {StreamAddress} address
 */
export function ffmpegLine(server, address) {
  return [
    'ffmpeg -re -f lavfi -i testsrc2=size=368x640:rate=15 -re -f lavfi -i sine=frequency=440:sample_rate=48000',
    '-c:v libx264 -profile:v baseline -preset veryfast -tune zerolatency -pix_fmt yuv420p -bf 0 -g 45',
    '-b:v 600k -maxrate 600k -bufsize 600k -c:a aac -ar 48000 -ac 1 -b:a 48k -flush_packets 1',
    `-f flv ${quoted(rtmpUrl(server, address))}`,
  ].join(' ');
}

/**
 * @param {Server} server
 * @param {StreamAddress} address
 */
export function ffplayLine(server, address) {
  return [
    'ffplay -fflags nobuffer -flags low_delay -framedrop -analyzeduration 1000000 -rtmp_live live -rtmp_buffer 100',
    quoted(rtmpUrl(server, address)),
  ].join(' ');
}

/**
 * In double quotes, which POSIX shells, PowerShell and cmd all read. What they would expand inside is
 * percent-encoded in every address made here.
 *
 * @param {string} url
 */
function quoted(url) {
  return `"${url}"`;
}
