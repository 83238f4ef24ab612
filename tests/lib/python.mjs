/**
 * The clients in Python: aiortc, and GStreamer's webrtcbin and rtmp2sink.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Recording } from './recording.mjs';
import { until } from './scope.mjs';
import { script, SYSTEM_PYTHON, tools } from './tools.mjs';

/** @typedef {'aiortc' | 'gstreamer'} Library */

/** @param {import('./scope.mjs').Scope} scope @param {Library} library @param {string[]} args */
function run(scope, library, args) {
  const [python, file] =
    library === 'aiortc' ? [tools().python, 'aiortc_client.py'] : [SYSTEM_PYTHON, 'gst_client.py'];
  const child = scope.spawn(python, [script(file), ...args], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' },
  });
  const client = new PythonClient(child);
  let rest = '';
  child.reader(1).setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) client.onLine(JSON.parse(line));
  });
  return client;
}

/** A running Python client, and what it has reported. */
class PythonClient {
  recording = new Recording();
  state = 'new';
  /** HTTP status of the DELETE that ended the session. */
  deleted = 0;

  /** @param {import('./scope.mjs').Child} child */
  constructor(child) {
    this.child = child;
  }

  /** @param {any} message */
  onLine({ state, frame, sound, deleted }) {
    if (state) this.state = state;
    if (deleted) this.deleted = deleted;
    if (sound !== undefined) this.recording.anchors = [{ seconds: 0, at: sound }];
    if (frame) {
      const [number, clock, flash, at, seen] = frame;
      this.recording.frames.push({ number, clock, flash, at, seen });
    }
  }

  /** @param {number} ms */
  async connected(ms) {
    await until('a connection', ms, () => this.state === 'connected').catch((error) => {
      throw new Error(`${error.message}: state ${this.state}; the client says:\n${this.child.tail()}`);
    });
  }

  /** Ends the session properly. */
  async stop() {
    await this.child.stop('SIGTERM');
  }
}

/**
 * Publishes the test source by WHIP.
 * @param {import('./scope.mjs').Scope} scope
 * @param {Library} library
 * @param {string} url
 * @param {number} [tone]
 */
export function publishWith(scope, library, url, tone = 440) {
  return run(scope, library, ['publish', url, String(tone)]);
}

/**
 * Publishes the test source by RTMP with GStreamer's rtmp2sink.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} url
 * @param {number} [tone]
 */
export function pushGstreamerRtmp(scope, url, tone = 440) {
  return run(scope, 'gstreamer', ['rtmp', url, String(tone)]);
}

/**
 * Watches by WHEP.
 * @param {import('./scope.mjs').Scope} scope
 * @param {Library} library
 * @param {string} url
 */
export function watchWith(scope, library, url) {
  const path = join(scope.tempDir(), 'sound.raw');
  const client = run(scope, library, ['watch', url, path]);
  return {
    client,
    async stop() {
      await client.stop();
      client.recording.sound = [readFileSync(path)];
      return client.recording;
    },
  };
}
