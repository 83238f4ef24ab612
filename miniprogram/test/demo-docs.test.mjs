/** What the documentation says in two languages is the same. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

const [english, chinese] = await Promise.all(['miniprogram.md', 'miniprogram.zh.md'].map((name) =>
  readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8')));

/** @param {string} text @param {RegExp} pattern */
const all = (text, pattern) => [...text.matchAll(pattern)].map(([whole]) => whole);

test('the code is the same in both languages', () => {
  const blocks = /^```.*?^```/gms;
  assert.ok(all(english, blocks).length >= 5);
  assert.deepEqual(all(chinese, blocks), all(english, blocks));
});

test('the tables have the same names and figures in both languages', () => {
  const names = (text) => all(text, /^\|.*$/gm).map((row) => all(row, /`[^`]+`/g).filter((name) => /^`[\w-]+`$/.test(name)).sort().join());
  assert.deepEqual(names(chinese), names(english));
});

test('the sections follow each other in the same order', () => {
  const levels = (text) => all(text, /^#+ /gm);
  assert.deepEqual(levels(chinese), levels(english));
});
