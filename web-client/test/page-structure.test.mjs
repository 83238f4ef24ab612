import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

const folder = new URL('../page/', import.meta.url);
const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
const read = (/** @type {string} */ name) => readFileSync(new URL(name, folder), 'utf8');
const scripts = names.filter((name) => name.endsWith('.js'));

test('the page knows the SDK by its front door alone, and the core not at all', () => {
  for (const name of scripts) {
    const imported = [...read(name).matchAll(/(?:^(?:import|\}) [^']*|import\()'([^']+)'/gm)].map(([, path = '']) => path);
    for (const path of imported) {
      assert.match(path, /^\.{1,2}\//, `${name} imports ${path}`);
      const target = new URL(path, new URL(name, folder));
      assert.ok(existsSync(target), `${name} imports ${path}, which is not there`);
      const inside = target.href.startsWith(folder.href);
      assert.ok(inside || (name === 'sdk.js' && path === '../sdk/index.js'), `${name} imports ${path}`);
    }
  }
});

test('every file that the page and its styles name is there', () => {
  const page = readFileSync(new URL('../index.html', import.meta.url), 'utf8');
  const named = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = '']) => new URL(path, new URL('../', folder)));
  for (const name of names.filter((each) => each.endsWith('.css'))) {
    named.push(...[...read(name).matchAll(/url\("([^"]+)"\)/g)].map(([, path = '']) => new URL(path, new URL(name, folder))));
  }
  assert.ok(named.length >= 9);
  for (const file of named) {
    const path = new URL(file.href.replace('/web-client/page/page/', '/web-client/page/'));
    assert.ok(existsSync(path), path.href);
  }
});

test('light and dark have a value for every colour', () => {
  const style = read('../style.css');
  const [, light = ''] = /:root \{([^}]*)\}/.exec(style) ?? [];
  const [, dark = ''] = /:root\[data-theme="dark"\] \{([^}]*)\}/.exec(style) ?? [];
  const colours = (/** @type {string} */ block) => [...block.matchAll(/--([\w-]+): (?:#|0 )/g)].map(([, name = '']) => name).sort();
  assert.deepEqual(colours(dark), colours(light));
  const used = ['../style.css', ...names.filter((name) => name.endsWith('.css'))].flatMap((name) => [...read(name).matchAll(/var\(--([\w-]+)/g)]);
  for (const [, name = ''] of used) assert.ok(light.includes(`--${name}:`) || name === 'hue', `--${name}`);
});
