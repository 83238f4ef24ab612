import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { dictionaries, errorWords, isKey, pickLanguage, translate } from '../src/i18n.js';

const page = readFileSync(new URL('../index.html', import.meta.url), 'utf8');

test('both languages say the same things about the same parameters', () => {
  const parameters = (/** @type {string} */ text) => (text.match(/\{\w+\}/g) ?? []).sort();
  assert.deepEqual(Object.keys(dictionaries.zh).sort(), Object.keys(dictionaries.en).sort());
  for (const [key, text] of Object.entries(dictionaries.en)) {
    assert.deepEqual(parameters(Reflect.get(dictionaries.zh, key)), parameters(text), key);
  }
});

test('every text of the page is in the dictionary, and the page as served reads as English', () => {
  const texts = [...page.matchAll(/data-i18n="([^"]+)"[^>]*>([^<]*)</g)];
  assert.ok(texts.length > 30);
  for (const [, key = '', text] of texts) {
    assert.ok(isKey(key), key);
    assert.equal(text, translate('en', key));
  }
  for (const [, key = ''] of page.matchAll(/data-i18n-label="([^"]+)"/g)) assert.ok(isKey(key), key);
});

test('the first language that the page has is taken', () => {
  assert.equal(pickLanguage(['fr-FR', 'zh-Hant-TW', 'en-US']), 'zh');
  assert.equal(pickLanguage(['en-GB', 'zh-CN']), 'en');
  assert.equal(pickLanguage(['fr', 'constructor']), 'en');
  assert.equal(pickLanguage([]), 'en');
});

test('parameters are put in where they are named', () => {
  assert.equal(translate('en', 'status.publish.live', { room: 'lobby', uid: 'web-1' }), 'Publishing in lobby as web-1.');
});

test('a failure without words of ours speaks for itself', () => {
  assert.equal(errorWords('en', { code: 'unreachable', message: 'x' }), 'The server cannot be reached.');
  assert.equal(errorWords('zh', { code: 'unreachable', message: 'x' }), '无法连接服务器。');
  assert.equal(errorWords('en', { code: 'quota_of_moons', message: 'no more moons' }), 'no more moons');
});

test('nothing on the page comes from elsewhere or stands inline', () => {
  assert.doesNotMatch(page, /https?:\/\/(?!www\.w3\.org)/);
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
});
