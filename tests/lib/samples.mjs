/**
 * Sample programs out of documents: their blocks of code as they are printed, and what holds fragments together.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A document in Markdown. */
export class Document {
  /** @param {string} folder @param {string} name */
  constructor(folder, name) {
    this.name = name;
    this.text = readFileSync(join(folder, name), 'utf8');
  }

  /**
   * The blocks between fences, without the indentation of the list that they stand in.
   * @returns {{ text: string, at: number }[]}
   */
  get blocks() {
    const found = [];
    for (const match of this.text.matchAll(/^([ \t]*)``` ?\w*\n([\s\S]*?)^[ \t]*```/gm)) {
      const [, indent = '', body = ''] = match;
      const lines = body.split('\n').map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()));
      found.push({ text: lines.join('\n'), at: match.index });
    }
    return found;
  }

  /**
   * @param {RegExp} pattern which the block holds
   * @param {number} [n] which of several such blocks, from 0
   */
  block(pattern, n = 0) {
    const found = this.blocks.filter(({ text }) => pattern.test(text))[n];
    assert.ok(found, `${this.name} has a block with ${pattern}`);
    return found.text;
  }

  /**
   * The first block after a text, and all that follow up to another one.
   * @param {string} text @param {string} [until]
   */
  blocksAfter(text, until) {
    const from = this.text.indexOf(text);
    assert.ok(from >= 0, `${this.name} says ${text}`);
    const to = until === undefined ? this.text.length : this.text.indexOf(until, from);
    return this.blocks.filter(({ at }) => at > from && at < to).map((block) => block.text);
  }

  /** @param {string} text @returns {string} the first block after it */
  blockAfter(text) {
    const [first] = this.blocksAfter(text);
    assert.ok(first, `${this.name} has a block after ${text}`);
    return first;
  }
}

/**
 * Takes escapes of Markdown out of code that was printed without fences.
 * @param {string} text
 */
export function unescaped(text) {
  return text.replaceAll(/\\([_*=<>])/g, '$1');
}

/**
 * Splits a block in which methods of a page and statements stand one after the other.
 * @param {string} block
 */
export function methodsAndStatements(block) {
  /** @type {string[]} */
  const methods = [];
  const statements = block.replaceAll(/^\w+\(\w*\) \{[\s\S]*?^\},?$/gm, (method) => {
    methods.push(method.replace(/,?$/, ','));
    return '';
  });
  return { methods: methods.join('\n'), statements };
}

/**
 * A mini-program of one page.
 * @param {{ js: string, wxml: string, json?: object, files?: Record<string, string> }} page
 */
export function miniProgram({ js, wxml, json = {}, files = {} }) {
  return {
    files: new Map(Object.entries({
      'app.json': JSON.stringify({ pages: ['pages/meeting/meeting'] }),
      'app.js': 'App({});',
      'pages/meeting/meeting.js': js,
      'pages/meeting/meeting.wxml': wxml,
      'pages/meeting/meeting.json': JSON.stringify(json),
      ...files,
    })),
  };
}
