/**
 * Makes the files that mini-programs take: one CommonJS file per shape, each whole in itself.
 *
 *     node miniprogram/scripts/build.mjs            miniprogram_dist/ and the demo's lib/
 *     node miniprogram/scripts/build.mjs --check    says whether the demo's lib/ is what the sources make
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'miniprogram_dist');
/** Kept with the demo, which WeChat's developer tool opens as it is. */
const DEMO_LIB = join(ROOT, 'demo/lib/queqiao.js');

/** What each file is made of: `index` has everything, `client` our own API alone, the others one vendor's shape each. */
const ENTRIES = {
  index: 'src/index.js',
  client: 'src/client.js',
  agora: 'src/agora/index.js',
  volcengine: 'src/volcengine/index.js',
  zego: 'src/zego/index.js',
  plugin: 'src/plugin/index.js',
};

/** @typedef {keyof typeof ENTRIES} Name */

/** The oldest JavaScript that it has to run on: WeChat on iOS 12 and on its own engine on Android. */
const TARGET = 'es2018';

/**
 * @param {Name} name
 * @param {boolean} [minify]
 * @returns {Promise<string>} the text of the file
 */
export async function bundleText(name, minify = true) {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, ENTRIES[name])],
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
  await write(path, await bundleText(name));
  return path;
}

/** @param {string} path @param {string} text */
async function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function main() {
  if (process.argv.includes('--check')) {
    if (readFileSync(DEMO_LIB, 'utf8') === await bundleText('client')) return;
    console.error('miniprogram/demo/lib/queqiao.js is not what the sources make: run node miniprogram/scripts/build.mjs');
    process.exitCode = 1;
    return;
  }
  for (const name of /** @type {Name[]} */ (Object.keys(ENTRIES))) {
    const text = readFileSync(await bundle(name));
    console.log(`${name}.js ${text.length} bytes, ${gzipSync(text).length} compressed`);
  }
  await write(DEMO_LIB, await bundleText('client'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
