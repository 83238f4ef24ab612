/**
 * Makes the files that mini-programs take: one CommonJS file per shape, each whole in itself.
 *
 *     node miniprogram/scripts/build.mjs            miniprogram_dist/ and the demo's lib/
 *     node miniprogram/scripts/build.mjs --check    says whether the demo's lib/ is what the sources make, and no file too big
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'miniprogram_dist');
/** Kept with the demo, which WeChat's developer tool opens as it is. */
const DEMO_LIB = join(ROOT, 'demo/lib/queqiao.js');

/**
 * What each file is made of: `index` has everything, `client` our own API alone, the others one vendor's shape each; and
 * how many bytes it may have, since a mini-program's main package has 2 MiB for everything.
 */
const ENTRIES = {
  index: { source: 'src/index.js', maxBytes: 160_000 },
  client: { source: 'src/client.js', maxBytes: 62_000 },
  agora: { source: 'src/agora/index.js', maxBytes: 76_000 },
  volcengine: { source: 'src/volcengine/index.js', maxBytes: 80_000 },
  zego: { source: 'src/zego/index.js', maxBytes: 110_000 },
  plugin: { source: 'src/plugin/index.js', maxBytes: 70_000 },
};

/** @typedef {keyof typeof ENTRIES} Name */

const NAMES = /** @type {Name[]} */ (Object.keys(ENTRIES));

/** The oldest JavaScript that it has to run on: WeChat on iOS 12 and on its own engine on Android. */
const TARGET = 'es2018';

/**
 * @param {Name} name
 * @param {boolean} [minify]
 * @returns {Promise<string>} the text of the file
 */
export async function bundleText(name, minify = true) {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, ENTRIES[name].source)],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'neutral',
    target: TARGET,
    minify,
    charset: 'utf8',
    legalComments: 'none',
    banner: { js: '/* Queqiao, MIT OR Apache-2.0 */' },
  });
  return outputFiles[0]?.text ?? '';
}

/**
 * @param {Name} name
 * @param {string} [directory]
 * @returns {Promise<string>} the path of the file
 */
export async function bundle(name, directory = DIST) {
  const path = join(directory, `${name}.js`);
  write(path, await bundleText(name));
  return path;
}

/** @param {string} path @param {string} text */
function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/**
 * The component that shows the plugin's call, beside the files of the package.
 *
 * @param {string} [directory]
 */
export function copyComponents(directory = DIST) {
  const name = 'queqiao-call';
  const target = join(directory, 'components', name);
  cpSync(join(ROOT, 'components', name), target, { recursive: true });
  const script = join(target, `${name}.js`);
  // In a project that has copied the files, the module stands in `lib/`; in the package it is `plugin.js`.
  writeFileSync(script, readFileSync(script, 'utf8').replace('../../lib/queqiao-plugin.js', '../../plugin.js'));
}

/** @returns {Promise<string[]>} what is wrong */
async function faults() {
  const found = [];
  if (readFileSync(DEMO_LIB, 'utf8') !== await bundleText('client')) {
    found.push('miniprogram/demo/lib/queqiao.js is not what the sources make: run node miniprogram/scripts/build.mjs');
  }
  for (const name of NAMES) {
    const { length } = Buffer.from(await bundleText(name));
    const { maxBytes } = ENTRIES[name];
    if (length > maxBytes) found.push(`${name}.js of the mini-program SDK has ${length} bytes, more than ${maxBytes}`);
  }
  return found;
}

async function main() {
  if (process.argv.includes('--check')) {
    const found = await faults();
    for (const fault of found) console.error(fault);
    process.exitCode = found.length === 0 ? 0 : 1;
    return;
  }
  for (const name of NAMES) {
    const text = readFileSync(await bundle(name));
    console.log(`${name}.js ${text.length} bytes, ${gzipSync(text).length} compressed`);
  }
  copyComponents();
  write(DEMO_LIB, await bundleText('client'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
