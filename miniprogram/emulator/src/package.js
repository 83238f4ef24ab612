import {existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

/** WeChat refuses packages above 30 MB altogether; one file above it is a mistake in `dir`. */
const MAX_FILE_BYTES = 30 * 1024 * 1024;

/**
 * The files of a mini-program, by their path inside the package: no leading slash, `/` between names.
 * Nothing outside the folder can be named.
 */
export class Package {
  /** @type {string | undefined} */
  #root;
  /** @type {Map<string, string | Uint8Array>} */
  #files;
  /** @type {Map<string, string>} */
  #replaced;
  /** @type {string | undefined} where files that are only in memory are put for ffmpeg */
  #scratch;

  /**
   * @param {string | {files: Map<string, string | Uint8Array>}} source a folder, or the files themselves
   * @param {Record<string, string>} [modules] path in the package → absolute path of the file that stands in for it
   * @throws {Error} if there is no app.json
   */
  constructor(source, modules = {}) {
    this.#files = typeof source === 'string' ? new Map() : source.files;
    this.#replaced = new Map(Object.entries(modules).map(([name, file]) => [inside(name), path.resolve(file)]));
    if (typeof source === 'string') {
      this.#root = path.resolve(source);
      if (!this.has('app.json')) this.#root = this.#projectRoot();
    }
    if (!this.has('app.json')) throw new Error(`no app.json in ${this.#root ?? 'the files given'}`);
  }

  /** The developer tool's project file may name a folder below it as the package. */
  #projectRoot() {
    const root = /** @type {string} */ (this.#root);
    if (!this.has('project.config.json')) return root;
    const below = this.json('project.config.json').miniprogramRoot;
    return typeof below === 'string' ? path.resolve(root, below) : root;
  }

  /**
   * @param {string} name
   * @returns {boolean} whether there is such a file
   */
  has(name) {
    const key = inside(name);
    if (this.#replaced.has(key) || this.#files.has(key)) return true;
    const file = this.#onDisk(key);
    return file !== undefined && existsSync(file) && statSync(file).isFile();
  }

  /**
   * @param {string} name
   * @returns {string}
   * @throws {Error} if there is no such file
   */
  text(name) {
    return this.bytes(name).toString('utf8').replace(/^\uFEFF/, '');
  }

  /**
   * @param {string} name
   * @returns {Buffer}
   * @throws {Error} if there is no such file, or if it is larger than 30 MB
   */
  bytes(name) {
    const key = inside(name);
    const kept = this.#replaced.has(key) ? undefined : this.#files.get(key);
    if (kept !== undefined) return Buffer.from(kept);
    const file = this.#replaced.get(key) ?? this.#onDisk(key);
    if (!file || !existsSync(file) || !statSync(file).isFile()) throw new Error(`${key} is not in the package`);
    if (statSync(file).size > MAX_FILE_BYTES) throw new Error(`${key} is larger than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(file);
  }

  /**
   * @param {string} name
   * @returns {any} what the file holds; an empty file is an empty object, as in WeChat
   * @throws {Error} that names the file, if it is no JSON
   */
  json(name) {
    const text = this.text(name);
    if (text.trim() === '') return {};
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`${inside(name)}: ${/** @type {Error} */ (error).message}`, {cause: error});
    }
  }

  /**
   * A file that other programs can open.
   *
   * @param {string} name
   * @returns {string} an absolute path
   * @throws {Error} if there is no such file
   */
  locate(name) {
    const key = inside(name);
    const file = this.#replaced.get(key) ?? (this.#files.has(key) ? undefined : this.#onDisk(key));
    if (file && existsSync(file)) return file;
    const bytes = this.bytes(key);
    this.#scratch ??= mkdtempSync(path.join(tmpdir(), 'queqiao-emulator-'));
    const copy = path.join(this.#scratch, key);
    mkdirSync(path.dirname(copy), {recursive: true});
    writeFileSync(copy, bytes);
    return copy;
  }

  /** Removes what `locate` has written. */
  close() {
    if (this.#scratch) rmSync(this.#scratch, {recursive: true, force: true});
    this.#scratch = undefined;
  }

  /** @param {string} key */
  #onDisk(key) {
    return this.#root === undefined ? undefined : path.join(this.#root, key);
  }
}

/**
 * @param {string} name with or without a leading slash, `.` and `..` in it
 * @returns {string} the path in the package; `..` above the package stays at its root
 */
export function inside(name) {
  return path.posix.normalize(`/${name}`).slice(1);
}

/**
 * @param {string} base path of the file in which `name` stands
 * @param {string} name relative to it, or absolute with a leading slash
 * @returns {string} the path in the package
 */
export function relativeTo(base, name) {
  return name.startsWith('/') ? inside(name) : inside(path.posix.join(path.posix.dirname(base), name));
}
