import {systemClock} from './clock.js';
import {testPattern} from './media/camera.js';
import {Emulator} from './emulator.js';
import {Package} from './package.js';

export {Emulator, testPattern};

/**
 * @typedef {object} LaunchOptions
 * @property {string | {files: Map<string, string | Uint8Array>}} dir the folder of the mini-program, or its files
 * @property {string} [server] `http://127.0.0.1:PORT`: every wx.connectSocket and wx.request goes there, whatever host
 *     it names; path and query stay
 * @property {'android' | 'ios'} [platform] android
 * @property {any} [device] camera, and quirks of this phone and version of WeChat; a test pattern without quirks
 * @property {Record<string, string>} [modules] path in the package → absolute path of the file that stands in for it
 * @property {Record<string, string>} [plugins] name → absolute path of the CommonJS file that requirePlugin() gives
 * @property {string} [start] the page to open, such as `pages/call/call?room=r1`, instead of the first one
 * @property {Record<string, unknown>} [storage] what wx.getStorage finds at the beginning
 * @property {Record<string, boolean>} [permissions] scopes that the user has allowed or refused before
 * @property {string[]} [deny] scopes that the user refuses when asked; everything else is allowed
 * @property {(line: string) => void} [log] hears of console lines, status codes and errors
 * @property {string} [ffmpeg] path of the program; `ffmpeg`
 * @property {import('./clock.js').Clock} [clock] the system's
 * @property {{LivePusher: import('./native.js').MediaClass, LivePlayer: import('./native.js').MediaClass}} [media]
 *     what stands behind live-pusher and live-player; ffmpeg
 */

/**
 * Runs a mini-program.
 *
 * @param {LaunchOptions} options
 * @returns {Promise<Emulator>} when its first page has been shown
 * @throws {Error} that names the file, if it cannot be loaded
 */
export async function launch(options) {
  const {platform = 'android', clock = systemClock} = options;
  if (platform !== 'android' && platform !== 'ios') throw new Error(`platform ${platform} is neither android nor ios`);
  if (options.server !== undefined && !/^https?:\/\/[^/]/.test(options.server)) {
    throw new Error(`server ${options.server} is no address like http://127.0.0.1:8080`);
  }
  const emulator = new Emulator({
    pkg: new Package(options.dir, options.modules),
    clock,
    platform,
    server: options.server,
    plugins: options.plugins ?? {},
    start: options.start,
    storage: options.storage ?? {},
    permissions: options.permissions ?? {},
    deny: options.deny ?? [],
    log: options.log ?? (() => {}),
    ffmpeg: options.ffmpeg ?? process.env['FFMPEG'] ?? 'ffmpeg',
    device: options.device ?? {camera: testPattern()},
    media: options.media ?? await ffmpegMedia(),
  });
  try {
    await emulator.start();
  } catch (error) {
    await emulator.close();
    throw error;
  }
  return emulator;
}

async function ffmpegMedia() {
  const [{LivePusher}, {LivePlayer}] = await Promise.all([
    import('./media/live-pusher.js'), import('./media/live-player.js'),
  ]);
  return {LivePusher, LivePlayer};
}
