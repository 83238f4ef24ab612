import {parseArgs} from 'node:util';
import {launch} from './index.js';

const USAGE = `queqiao-emulator DIR [options]
Runs a WeChat mini-program, with ffmpeg behind live-pusher and live-player.

  --server URL        http://HOST:PORT; every socket and request of the program goes there
  --platform NAME     android (default) or ios
  --start PAGE        the page to open, such as "pages/call/call?room=r1"
  --tap SELECTOR      taps an element when it is there; may be given many times, in order with --input
  --input SELECTOR=TEXT
                      types into an input
  --confirm           says yes to every modal
  --module PATH=FILE  a file that stands in for one of the package
  --ffmpeg PATH       the ffmpeg to run
  --seconds N         ends after so long; without it Ctrl-C does
  --tree              prints the tree of the page at the end`;

/** How long a tap waits for its element. */
const TAP_PATIENCE_MS = 15_000;

const options = /** @type {const} */ ({
  server: {type: 'string'}, platform: {type: 'string'}, start: {type: 'string'}, ffmpeg: {type: 'string'},
  tap: {type: 'string', multiple: true}, input: {type: 'string', multiple: true},
  module: {type: 'string', multiple: true},
  confirm: {type: 'boolean'}, seconds: {type: 'string'}, tree: {type: 'boolean'}, help: {type: 'boolean', short: 'h'},
});

/**
 * @param {string} text `a=b`
 * @param {string} flag
 * @returns {[string, string]} split at the last `=` outside brackets
 */
function pair(text, flag) {
  const match = /^((?:\[[^\]]*\]|[^=[])+)=(.*)$/s.exec(text);
  if (!match) throw new Error(`${flag} wants two parts with = between them: ${text}`);
  return [match[1], match[2]];
}

/** @typedef {{find: string, text?: string}} Step what the user does: a tap, or typing if there is a text */

/**
 * @param {string[]} argv
 */
function read(argv) {
  const {values, positionals, tokens} = parseArgs({args: argv, options, allowPositionals: true, tokens: true});
  if (!values.help && positionals.length !== 1) throw new Error('one folder is wanted');
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
  if (seconds !== undefined && !(seconds >= 0)) throw new Error(`--seconds wants a number: ${values.seconds}`);
  /** @type {Step[]} */
  const steps = [];
  for (const token of tokens) {
    if (token.kind !== 'option' || token.value === undefined) continue;
    if (token.name === 'tap') steps.push({find: token.value});
    if (token.name === 'input') {
      const [find, text] = pair(token.value, '--input');
      steps.push({find, text});
    }
  }
  const modules = Object.fromEntries((values.module ?? []).map((text) => pair(text, '--module')));
  return {values, dir: positionals[0], seconds, steps, modules};
}

/**
 * @param {number | undefined} seconds
 * @returns {Promise<void>} when it is time to end
 */
function theEnd(seconds) {
  return new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve());
  });
}

/**
 * @param {import('./emulator.js').Emulator} emulator
 * @param {Step[]} steps
 */
async function act(emulator, steps) {
  for (const {find, text} of steps) {
    const found = await emulator.until(() => emulator.findAll(find)[0], {what: find, timeoutMs: TAP_PATIENCE_MS});
    if (text === undefined) found.tap();
    else found.input(text);
  }
}

/** @param {string[]} argv without node and the script */
async function main(argv) {
  const {values, dir, seconds, steps, modules} = read(argv);
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const platform = /** @type {'android' | 'ios' | undefined} */ (values.platform);
  const {server, start, ffmpeg} = values;
  const emulator = await launch({dir, server, platform, start, ffmpeg, modules, log: (line) => console.log(line)});
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let yes;
  if (values.confirm) {
    yes = setInterval(() => emulator.modals.find((modal) => !modal.answered)?.answer({confirm: true}), 100);
  }
  try {
    await Promise.race([act(emulator, steps).then(() => theEnd(seconds)), theEnd(undefined)]);
    if (values.tree) console.log(emulator.page.tree());
  } finally {
    clearInterval(yes);
    await emulator.close();
  }
  if (emulator.errors.length > 0) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`queqiao-emulator: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 2;
}
