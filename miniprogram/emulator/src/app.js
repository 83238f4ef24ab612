/**
 * The program's App(): its one instance and what it is told.
 */
export class App {
  #realm;
  #options;
  /** What getApp() returns. @type {any} */
  instance;

  /**
   * @param {import('./realm.js').Realm} realm
   * @param {Record<string, any>} options of the launch: path, query, scene
   */
  constructor(realm, options) {
    this.#realm = realm;
    this.#options = options;
    realm.globals.App = (/** @type {any} */ definition = {}) => this.#define(definition);
    realm.globals.getApp = () => this.instance;
  }

  /**
   * Calls a function of the App if it has it.
   *
   * @param {string} name such as onShow
   * @param {any} [argument]
   * @returns {boolean} whether there is such a function
   */
  call(name, argument) {
    if (typeof this.instance?.[name] !== 'function') return false;
    this.#realm.guard(`App ${name}`, () => this.instance[name](argument));
    return true;
  }

  /** The program comes to the foreground. */
  show() {
    this.call('onShow', this.#realm.own(this.#options));
  }

  /**
   * The App is told of its launch before any page's file is run, so that these find what it has prepared.
   *
   * @param {any} definition
   */
  #define(definition) {
    if (this.instance) throw new this.#realm.globals.Error('App() is called twice');
    this.instance = Object.assign(new this.#realm.globals.Object(), definition);
    this.call('onLaunch', this.#realm.own(this.#options));
  }
}
