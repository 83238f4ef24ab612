import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { errorKey, dictionaries, isKey, pickLanguage, translate } from '../page/i18n/index.js';

const folder = new URL('../page/', import.meta.url);
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.js') && !name.startsWith('i18n'))
  .map((name) => /** @type {const} */ ([name, readFileSync(new URL(name, folder), 'utf8')]));

test('both languages say the same things about the same parameters', () => {
  const parameters = (/** @type {string} */ text) => (text.match(/\{\w+\}/g) ?? []).sort();
  assert.deepEqual(Object.keys(dictionaries.zh).sort(), Object.keys(dictionaries.en).sort());
  for (const [key, text] of Object.entries(dictionaries.en)) {
    assert.deepEqual(parameters(Reflect.get(dictionaries.zh, key)), parameters(text), key);
  }
});

test('every text that the page names is in the dictionary', () => {
  const named = /(?:\b(?:say|label|hint|placeholder|title|text|act|cancel)(?:: |\()|put\(\w+, )'([a-z]+(?:\.[\w.]+)+)'/g;
  const found = sources.flatMap(([name, source]) => [...source.matchAll(named)].map(([, key = '']) => ({ name, key })));
  assert.ok(found.length > 80, `${found.length} texts`);
  for (const { name, key } of found) assert.ok(isKey(key), `${name}: ${key}`);
});

test('every text in the dictionary is one that the page can say', () => {
  const all = sources.map(([, source]) => source).join('\n');
  // Keys that are put together end in what they are about.
  const families = [...all.matchAll(/`([a-z]+\.)(?:\$\{|[\w.]*\$\{)/g)].map(([, start = '']) => start);
  families.push(...[...all.matchAll(/`\$\{\w+\}\.(\w+)`/g)].flatMap(() => ['kick.', 'ban.', 'ended.']));
  const idle = Object.keys(dictionaries.en).filter((key) => !all.includes(`'${key}'`) && !families.some((start) => key.startsWith(start)));
  assert.deepEqual(idle, []);
});

test('the first language that the page has is taken', () => {
  assert.equal(pickLanguage(['fr-FR', 'zh-Hant-TW', 'en-US']), 'zh');
  assert.equal(pickLanguage(['en-GB', 'zh-CN']), 'en');
  assert.equal(pickLanguage(['fr', 'constructor']), 'en');
  assert.equal(pickLanguage([]), 'en');
});

test('parameters are put in where they are named', () => {
  assert.equal(translate('en', 'toast.message', { name: 'bob', text: '{name}' }), 'bob: {name}');
});

test('only failures that the page has words for have a key', () => {
  assert.equal(errorKey('room_full'), 'error.room_full');
  assert.equal(errorKey('quota_of_moons'), null);
});

test('every refusal that docs/signalling.md names for joining has words', () => {
  const docs = readFileSync(new URL('../../docs/signalling.md', import.meta.url), 'utf8');
  const [, tables = ''] = docs.split('Tokens (`join`, `renew_token`):');
  const rows = tables.split('Rooms:');
  const tokens = [...(rows[0] ?? '').matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, code = '']) => code));
  assert.ok(tokens.length >= 10, tokens.join());
  for (const code of tokens) assert.notEqual(errorKey(code), null, code);
});

test('nothing on the page comes from elsewhere or stands inline', () => {
  const page = readFileSync(new URL('../index.html', import.meta.url), 'utf8');
  assert.doesNotMatch(page, /https?:\/\//);
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  for (const [name, source] of sources) assert.doesNotMatch(source.replace(/^\s*(\/?\*|\/\/).*$/gm, ''), /https?:\/\/(?!www\.w3\.org)|innerHTML|setAttribute\('style/, name);
});
