import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { VERSION } from '../sdk/index.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');

/** What somebody who uses the package writes. Every line is one that has to compile, or has to be refused. */
const CONSUMER = `
import Queqiao, { createClient, createMicrophoneAndCameraTracks, RtcError } from 'queqiao-web';
import { Client as Core, type RemoteUser } from 'queqiao-web/core';

const client = createClient({ mode: 'rtc', codec: 'h264', server: 'https://example.com' });
client.on('user-published', async (user, mediaType) => {
  const track = await client.subscribe(user, mediaType);
  if (mediaType === 'video' || mediaType === 'screen') user.videoTrack?.play('remote', { fit: 'contain' });
  const name: string = track.getTrackId();
  console.log(name, user.platform, user.hasScreen);
});
client.on('network-quality', ({ uplinkNetworkQuality }) => uplinkNetworkQuality satisfies 0 | 1 | 2 | 3 | 4 | 5 | 6);
client.once('session-ended', (error) => error.reason.length);
const uid: string | number = await client.join('demo', 'room', null);
const [microphone, camera] = await createMicrophoneAndCameraTracks({}, { encoderConfig: '720p_1' });
await client.publish([microphone, camera]);
const sound = await client.subscribe(uid, 'audio');
const level: number = sound.getVolumeLevel();
const picture = await client.subscribe(uid, 'screen');
picture.play(document.body, { fit: 'contain' });
const width: number | undefined = client.getLocalVideoStats().sendResolutionWidth;
const shared = await Queqiao.createScreenVideoTrack({}, 'auto');
await client.publish(shared);
try { await client.leave(); } catch (error) { if (error instanceof RtcError && error.code === 'TIMEOUT') throw error; }
console.log(level, width);

// @ts-expect-error there is no such mode
createClient({ mode: 'party', codec: 'h264' });
// @ts-expect-error there is no such event
client.on('user-danced', () => {});
// @ts-expect-error a room has a name
client.join('demo');
// @ts-expect-error pictures have no volume
picture.getVolumeLevel();

export const users = (core: Core): RemoteUser[] => core.remoteUsers;
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023', lib: ['ES2023', 'DOM', 'DOM.Iterable'], module: 'NodeNext', moduleResolution: 'NodeNext',
    types: [], strict: true, noEmit: true, exactOptionalPropertyTypes: true, skipLibCheck: false,
  },
  files: ['consumer.ts'],
};

test('the package has its files, its licences and types that a strict program compiles against', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'queqiao-web-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // A copy, as packing writes types and licences beside the sources.
  const source = join(folder, 'source', 'web-client');
  for (const part of ['core', 'sdk', 'package.json', 'tsconfig.json', 'tsconfig.types.json']) {
    await cp(join(ROOT, 'web-client', part), join(source, part), { recursive: true });
  }
  for (const beside of ['LICENSE-APACHE', 'LICENSE-MIT', 'docs/web-sdk.md']) await cp(join(ROOT, beside), join(source, '..', beside));
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH}`, npm_config_cache: join(folder, 'cache'), npm_config_update_notifier: 'false' };
  const { stdout } = await run('npm', ['pack', '--json', '--offline', '--pack-destination', folder], { cwd: source, env });
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  const paths = files.map(({ path }) => path);
  for (const needed of ['sdk/index.js', 'core/client.js', 'types/sdk/index.d.ts', 'types/core/client.d.ts', 'LICENSE-MIT', 'LICENSE-APACHE', 'README.md']) {
    assert.ok(paths.includes(needed), `${needed} is in the package`);
  }
  const wanted = /^(sdk\/[\w-]+\.js|core\/[\w-]+\.js|types\/(sdk|core)\/[\w-]+\.d\.ts|LICENSE-\w+|README\.md|package\.json)$/;
  assert.deepEqual(paths.filter((path) => !wanted.test(path)), [], 'and nothing else');
  const installed = join(folder, 'consumer', 'node_modules', 'queqiao-web');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components', '1']);
  await writeFile(join(folder, 'consumer', 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }));
  await writeFile(join(folder, 'consumer', 'consumer.ts'), CONSUMER);
  await writeFile(join(folder, 'consumer', 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await run(join(BIN, 'tsc'), ['-p', join(folder, 'consumer')]).catch(({ stdout: said }) => assert.fail(said));
});

test('the package needs no other, and its version is the one that it says', async () => {
  const manifest = JSON.parse(await readFile(join(ROOT, 'web-client', 'package.json'), 'utf8'));
  assert.equal(manifest.version, VERSION);
  assert.deepEqual([manifest.dependencies, manifest.peerDependencies, manifest.license], [undefined, undefined, 'MIT OR Apache-2.0']);
});
