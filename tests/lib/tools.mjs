/**
 * Where `scripts/setup-tests.sh` put the clients that are not on the path.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const VENV_PYTHON = fileURLToPath(new URL('../../.cache/venv/bin/python', import.meta.url));

/** The interpreter that sees Debian's GObject bindings. */
export const SYSTEM_PYTHON = '/usr/bin/python3';
export const CHROMIUM = '/usr/bin/chromium';

/** @type {{ python: string, ffmpegWhip: string } | undefined} */
let found;

/** The Python of the virtual environment, and the ffmpeg inside it, which speaks WHIP. */
export function tools() {
  if (!found) {
    if (!existsSync(VENV_PYTHON)) throw new Error('the test clients are missing: run scripts/setup-tests.sh');
    const script = 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())';
    const ffmpegWhip = execFileSync(VENV_PYTHON, ['-c', script], { encoding: 'utf8' }).trim();
    found = { python: VENV_PYTHON, ffmpegWhip };
  }
  return found;
}

/** @param {string} name a script in `python/` */
export function script(name) {
  return fileURLToPath(new URL(`python/${name}`, import.meta.url));
}
