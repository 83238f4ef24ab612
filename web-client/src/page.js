import { DEFAULT_RTMP_PORT } from './commands.js';
import { find } from './dom.js';
import { Fields } from './fields.js';
import { PublishPanel } from './publish-panel.js';
import { RtmpPanel } from './rtmp-panel.js';
import { WatchPanel } from './watch-panel.js';
import { Words } from './words.js';

/** @type {import('./commands.js').Server} */
const server = { origin: location.origin, hostname: location.hostname, rtmpPort: DEFAULT_RTMP_PORT };
let version = '';

const words = new Words();
const fields = new Fields();
const context = { words, fields, server: () => server };
const publishing = new PublishPanel(context);
const watching = new WatchPanel(context);
const rtmp = new RtmpPanel(context);

const status = find('status', HTMLParagraphElement);
const footer = find('version', HTMLElement);

/** Says in one or two sentences what the page is doing. */
function writeStatus() {
  const parts = [];
  const { state: publish } = publishing;
  if (publish.name !== 'idle') {
    parts.push(words.say(`status.publish.${publish.name}`, { uid: fields.uid, room: fields.room }));
  }
  const { state: watch } = watching;
  if (watch.name !== 'idle') parts.push(words.say(`status.watch.${watch.name}`, { uid: fields.watchUid }));
  const sentence = parts.length === 0 ? words.say('status.ready') : parts.join(words.say('status.between'));
  // The element is a live region: only what changed should be read out.
  if (status.textContent !== sentence) status.textContent = sentence;
}

function writeFooter() {
  footer.textContent = version === '' ? '' : words.say('page.version', { version });
}

function sessionsChanged() {
  fields.lock({ publishing: publishing.busy, watching: watching.busy });
  writeStatus();
}

/** Asks the server where its RTMP side is; without an answer the usual port stands. */
async function loadConfig() {
  const response = await fetch('config.json', { cache: 'no-store' });
  if (!response.ok) return;
  /** @type {unknown} */
  const config = await response.json();
  if (typeof config !== 'object' || config === null) return;
  if ('rtmp_port' in config && typeof config.rtmp_port === 'number') server.rtmpPort = config.rtmp_port;
  if ('version' in config && typeof config.version === 'string') version = config.version;
  rtmp.write();
  writeFooter();
}

publishing.addEventListener('change', sessionsChanged);
watching.addEventListener('change', sessionsChanged);
words.addEventListener('change', () => {
  writeStatus();
  writeFooter();
});
find('watch-rtmp', HTMLButtonElement).addEventListener('click', () => {
  watching.stop();
  fields.watchUid = fields.rtmpUid;
  find('watch-title', HTMLElement).scrollIntoView({ block: 'nearest' });
  void watching.watch();
});
writeStatus();
loadConfig().catch((/** @type {unknown} */ cause) => console.warn('no config.json, the usual RTMP port is shown', cause));
