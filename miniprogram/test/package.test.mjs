import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');

/** What somebody who uses the package writes. Every line is one that has to compile, or has to be refused. */
const CONSUMER = `
import { Client, RtcError, agora } from 'queqiao-miniprogram';
import { withServer as agoraAt } from 'queqiao-miniprogram/agora';
import { EVENTS, withServer as volcAt } from 'queqiao-miniprogram/volcengine';
import { ZegoExpressEngine } from 'queqiao-miniprogram/zego';
import { createClient, createRTC } from 'queqiao-miniprogram/plugin';

const client = new Client({ server: 'https://example.com' });
client.on('stream-added', ({ uid, stream, video }) => console.log(uid, stream, video === 'live'));
const view = client.bind({ setData: () => {} }, { players: 'players', maxPlayers: 4 });
const uid: string | number = await client.join({ app: 'demo', room: 'r1' });
const url: string = await client.publish({ video: false });
const { flv }: { flv: string } = await client.subscribe(uid, { stream: 'screen' });
try { await client.mute('audio', true); } catch (error) { if (!(error instanceof RtcError)) throw error; }
view.release();

const page = new (agoraAt('https://example.com').Client)();
page.on('stream-added', ({ uid }) => page.subscribe(Number(uid)));
const pushed: string = await page.publish();
new agora.Client({ servers: ['https://example.com'] }).destroy();

const volc = new (volcAt('https://example.com').Client)();
volc.on(EVENTS.STREAM_ADDED, () => {});
const zego = new ZegoExpressEngine(1, 'https://example.com');
const loggedIn: boolean = await zego.loginRoom('r1', 't', { userID: 'u' });
createClient({ mode: 'live', codec: 'h264' });
createRTC({ mode: 'live', codec: 'h264' }).startLocalPreview();
console.log(url, flv, pushed, loggedIn);
declare const console: { log(...args: unknown[]): void };

// @ts-expect-error a client needs its server
new Client({});
// @ts-expect-error there is no such event
client.on('user-danced', () => {});
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2022', lib: ['ES2022'], module: 'NodeNext', moduleResolution: 'NodeNext',
    types: [], strict: true, noEmit: true, exactOptionalPropertyTypes: true, skipLibCheck: false,
  },
  files: ['consumer.ts'],
};

/** The package as it is published. @param {import('node:test').TestContext} t */
async function pack(t) {
  const folder = await mkdtemp(join(tmpdir(), 'queqiao-miniprogram-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // A copy, as packing writes files beside the sources.
  const source = join(folder, 'source', 'miniprogram');
  for (const part of ['src', 'scripts', 'components', 'demo/lib', 'package.json', 'tsconfig.json', 'tsconfig.types.json', 'README.md']) {
    await cp(join(ROOT, 'miniprogram', part), join(source, part), { recursive: true });
  }
  for (const beside of ['LICENSE-APACHE', 'LICENSE-MIT', 'web-client/core', 'web-client/tsconfig.json', 'web-client/package.json']) {
    await cp(join(ROOT, beside), join(source, '..', beside), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(source, '..', 'node_modules'));
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH}`, npm_config_cache: join(folder, 'cache'), npm_config_update_notifier: 'false' };
  const { stdout } = await run('npm', ['pack', '--json', '--offline', '--pack-destination', folder], { cwd: source, env });
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  const consumer = join(folder, 'consumer');
  const installed = join(consumer, 'node_modules', 'queqiao-miniprogram');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components', '1']);
  return { paths: files.map(({ path }) => path), consumer, installed };
}

test('the package has a file of each shape, a component and types that a strict program compiles against', async (t) => {
  const { paths, consumer } = await pack(t);
  const needed = ['index', 'client', 'agora', 'volcengine', 'zego', 'plugin'].map((name) => `miniprogram_dist/${name}.js`);
  for (const path of [...needed, 'miniprogram_dist/components/queqiao-call/queqiao-call.wxml', 'types/miniprogram/src/index.d.ts', 'LICENSE-MIT', 'LICENSE-APACHE']) {
    assert.ok(paths.includes(path), `${path} is in the package`);
  }
  const wanted = /^(miniprogram_dist\/[\w-]+\.js|miniprogram_dist\/components\/queqiao-call\/[\w.-]+|types\/[\w/-]+\.d\.ts|LICENSE-\w+|README\.md|package\.json)$/;
  assert.deepEqual(paths.filter((path) => !wanted.test(path)), [], 'and nothing else');
  await writeFile(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }));
  await writeFile(join(consumer, 'consumer.ts'), CONSUMER);
  await writeFile(join(consumer, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await run(join(BIN, 'tsc'), ['-p', consumer]).catch(({ stdout }) => assert.fail(stdout));
});

test('every file runs by itself with nothing but what a mini-program has', async (t) => {
  const { installed } = await pack(t);
  const exported = {};
  for (const name of ['index', 'client', 'agora', 'volcengine', 'zego', 'plugin']) {
    const module = { exports: {} };
    const noNetwork = () => assert.fail(`${name} opens a connection by being loaded`);
    const context = createContext({ module, exports: module.exports, wx: { connectSocket: noNetwork }, setTimeout: noNetwork, clearTimeout: noNetwork, console });
    runInContext(await readFile(join(installed, 'miniprogram_dist', `${name}.js`), 'utf8'), context);
    exported[name] = Object.keys(module.exports);
  }
  const missing = (name, names) => names.filter((wanted) => !exported[name].includes(wanted));
  assert.deepEqual(missing('index', ['Client', 'RtcError', 'VERSION', 'agora', 'volcengine', 'zego', 'plugin']), []);
  assert.deepEqual(missing('client', ['Client', 'RtcError', 'VERSION']), []);
  assert.deepEqual(missing('agora', ['Client', 'LOG', 'SDK_VERSION', 'ChannelMediaRelayConfiguration', 'withServer']), []);
  assert.deepEqual(missing('volcengine', ['Client', 'EVENTS', 'ERROR_CODES', 'withServer']), []);
  assert.deepEqual(missing('zego', ['ZegoExpressEngine']), []);
  assert.deepEqual(missing('plugin', ['createClient', 'createRTC', 'withServer']), []);
});

test('the package needs no other, and its version is the one that it says', async () => {
  const manifest = JSON.parse(await readFile(join(ROOT, 'miniprogram', 'package.json'), 'utf8'));
  const { VERSION } = await import('../src/client.js');
  assert.equal(manifest.version, VERSION);
  assert.deepEqual([manifest.dependencies, manifest.peerDependencies, manifest.license], [undefined, undefined, 'MIT OR Apache-2.0']);
});
