import {createRequire} from 'node:module';
import {dirname, posix} from 'node:path';
import {readFileSync} from 'node:fs';
import {inside, relativeTo} from './package.js';

const nodeRequire = createRequire(import.meta.url);

/** Statements that make a file an ES module. One too many costs a transformation and changes nothing. */
const ESM = /^\s*(?:import\s*["'{*\w]|export\s*[{*]|export\s+(?:default|const|let|var|async|function|class)\b)/m;

/**
 * Modules of the package: CommonJS as WeChat has it, and ES modules, which WeChat's tool compiles to it.
 */
export class Modules {
  #pkg;
  #realm;
  #plugins;
  /** @type {Map<string, {exports: any}>} */
  #loaded = new Map();

  /**
   * @param {import('./package.js').Package} pkg
   * @param {import('./realm.js').Realm} realm
   * @param {Record<string, string>} plugins name → absolute path of a CommonJS file
   */
  constructor(pkg, realm, plugins) {
    this.#pkg = pkg;
    this.#realm = realm;
    this.#plugins = plugins;
    realm.globals.requirePlugin = (/** @type {string} */ name) => this.#plugin(name);
  }

  /**
   * Runs a file of the package unless it has been run.
   *
   * @param {string} path with its extension
   * @returns {any} what it exports
   */
  load(path) {
    const known = this.#loaded.get(path);
    if (known) return known.exports;
    return this.#run(path, path, this.#pkg.text(path), (/** @type {string} */ request) => this.#require(path, request));
  }

  /**
   * @param {string} from
   * @param {string} request
   */
  #require(from, request) {
    if (typeof request !== 'string') throw new this.#realm.globals.TypeError('require args must be a string');
    const found = this.#candidates(from, request).find((path) => this.#pkg.has(path));
    if (found === undefined) {
      const name = relativeTo(from, request);
      throw new this.#realm.globals.Error(`module '${name}' is not defined, require args is '${request}' (in ${from})`);
    }
    return this.load(found);
  }

  /**
   * @param {string} from
   * @param {string} request
   */
  #candidates(from, request) {
    const bases = [relativeTo(from, request)];
    if (!request.startsWith('.') && !request.startsWith('/')) {
      for (let dir = posix.dirname(from); ; dir = posix.dirname(dir)) {
        bases.push(inside(`${dir}/miniprogram_npm/${request}`));
        if (dir === '.' || dir === '') break;
      }
      bases.push(inside(request));
    }
    return bases.flatMap((base) => [base, `${base}.js`, `${base}/index.js`]);
  }

  /** @param {string} name */
  #plugin(name) {
    const key = `plugin://${name}`;
    const known = this.#loaded.get(key);
    if (known) return known.exports;
    const file = Object.hasOwn(this.#plugins, name) ? this.#plugins[name] : undefined;
    if (file === undefined) throw new this.#realm.globals.Error(`plugin ${name} is not declared`);
    return this.#run(key, file, readFileSync(file, 'utf8'), (/** @type {string} */ request) => {
      throw new this.#realm.globals.Error(`plugin ${name} requires '${request}': a plugin is one file`);
    });
  }

  /**
   * @param {string} key
   * @param {string} filename
   * @param {string} text
   * @param {(request: string) => any} require
   */
  #run(key, filename, text, require) {
    const module = new this.#realm.globals.Object();
    module.exports = new this.#realm.globals.Object();
    this.#loaded.set(key, module);
    /** @type {any} */ (require).async = (/** @type {string} */ request) =>
      this.#realm.promise((resolve) => resolve(require(request)));
    try {
      const body = this.#realm.compile(commonJs(text, filename), filename, ['require', 'module', 'exports']);
      body.call(module.exports, require, module, module.exports);
    } catch (error) {
      this.#loaded.delete(key);
      throw error;
    }
    return module.exports;
  }
}

/**
 * @param {string} text
 * @param {string} filename
 */
function commonJs(text, filename) {
  if (!ESM.test(text)) return text;
  /** @type {typeof import('esbuild')} */
  const esbuild = nodeRequire('esbuild');
  return esbuild.transformSync(text, {
    format: 'cjs', target: 'es2022', sourcefile: filename, sourcemap: 'inline', logLevel: 'silent',
  }).code;
}

/**
 * @param {string} specifier of a package that the emulator depends on
 * @param {string} file of that package
 * @returns {string} its text
 */
export function textOfDependency(specifier, file) {
  return readFileSync(posix.join(dirname(nodeRequire.resolve(specifier)), file), 'utf8');
}
