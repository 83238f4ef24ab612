import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';

const COMMAND = fileURLToPath(new URL('../bin/queqiao-emulator.js', import.meta.url));

/**
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} files
 */
function folder(t, files) {
  const dir = mkdtempSync(path.join(tmpdir(), 'queqiao-test-'));
  t.after(() => rmSync(dir, {recursive: true}));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text);
  return dir;
}

/**
 * @param {string[]} args
 * @returns {Promise<{code: unknown, stdout: string, stderr: string}>}
 */
function command(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], (error, stdout, stderr) => {
      resolve({code: error?.code ?? 0, stdout, stderr});
    });
  });
}

test('the command runs a folder, types, taps, says yes and shows the tree', async (t) => {
  const dir = folder(t, {
    'app.json': '{"pages": ["p"]}',
    'p.wxml': '<input bindinput="typed"/><button bindtap="go">{{answer}}</button>',
    'p.js': `Page({typed(e) { this.room = e.detail.value; },
      async go() {
        const {confirm} = await wx.showModal({title: 'sure?'});
        this.setData({answer: this.room + ' ' + confirm});
        console.log('went');
      }})`,
  });
  const steps = ['--input', 'input=r=1', '--tap', 'button', '--confirm'];
  const {code, stdout} = await command(dir, ...steps, '--seconds', '0.4', '--tree');
  assert.equal(code, 0);
  assert.match(stdout, /^log went$/m);
  assert.match(stdout, /<input value="r=1">\n<button>\n {2}"r=1 true"/);
});

test('the command fails with 1 if the program did, and with 2 if it cannot be run', async (t) => {
  const page = {'app.json': '{"pages": ["p"]}', 'p.wxml': ''};
  const failing = folder(t, {...page, 'p.js': 'Page({onLoad() { throw new Error("broken"); }})'});
  const {code, stdout} = await command(failing, '--seconds', '0');
  assert.equal(code, 1);
  assert.match(stdout, /error p onLoad: Error: broken/);
  const wrong = await command(folder(t, page), '--seconds', '0');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /queqiao-emulator: p\.js is missing/);
  assert.equal((await command()).code, 2);
  assert.equal((await command(failing, '--seconds', 'soon')).code, 2);
});

test('the command explains itself', async () => {
  const {code, stdout} = await command('--help');
  assert.equal(code, 0);
  assert.match(stdout, /--server URL/);
});
