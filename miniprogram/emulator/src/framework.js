import {textOfDependency} from './modules.js';
import {PLAYER_ATTRIBUTES, PUSHER_ATTRIBUTES} from './native.js';

/** Behaviors that WeChat has built in. What they do for forms needs no code here: forms are plain elements. */
const BUILT_IN_BEHAVIORS = ['wx://form-field', 'wx://form-field-group', 'wx://form-field-button',
  'wx://component-export'];

/**
 * @typedef {object} FrameworkPorts
 * @property {import('./realm.js').Realm} realm
 * @property {{width: number, height: number}} window
 * @property {(run: () => void) => void} nextFrame calls back when what has been set is on the screen
 * @property {(error: unknown, where: string) => void} onError
 * @property {(kind: 'live-pusher' | 'live-player', element: any) => void} onNativeAttached
 * @property {(element: any) => void} onNativeChanged
 * @property {(element: any) => void} onNativeDetached
 */

/**
 * WeChat's component framework: glass-easel and its mini-program adapter, loaded into the realm of the program, so
 * that data, events and errors are of one realm, and so that no two programs share anything.
 */
export class Framework {
  #ports;
  #space;
  #backend;
  #behaviors;
  /** Components attached since the last frame: they have not heard of `ready`. @type {Set<any>} */
  #unready = new Set();
  /** @type {string | undefined} the page or component whose file is being run */
  #defining;
  /** The library itself. @type {any} */
  lib;

  /** @param {FrameworkPorts} ports */
  constructor(ports) {
    this.#ports = ports;
    const {lib, adapter} = load(ports.realm);
    this.lib = lib;
    lib.addGlobalErrorListener((/** @type {[unknown, string, any]} */ ...[error, method, related]) => {
      const is = typeof related === 'string' ? related : related?.is;
      ports.onError(error, [is, method].filter(Boolean).join(' '));
      return false;
    });
    // Attributes that a component does not know are common and mean nothing.
    lib.addGlobalWarningListener(() => false);
    const env = new adapter.MiniProgramEnv();
    const natives = this.#defineNatives(env.getGlobalCodeSpace());
    this.#space = env.createCodeSpace('', true);
    for (const [tag, definition] of Object.entries(natives)) {
      this.#space.getComponentSpace().setGlobalUsingComponent(tag, definition);
    }
    const unready = (/** @type {any} */ component) => {
      if (this.#unready.size === 0) ports.nextFrame(() => this.settle());
      this.#unready.add(component);
    };
    const everywhere = this.#space.getComponentSpace().define().lifetime('attached', /** @this {any} */ function() {
      unready(this._$);
    });
    this.#space.setOverallBehavior(everywhere.registerBehavior());
    this.#behaviors = Object.fromEntries(BUILT_IN_BEHAVIORS.map((name) => [name, this.#space.behavior().register()]));
    this.#backend = env.associateBackend(this.#makeBackend());
    this.#defineGlobals();
  }

  /**
   * @param {string} path
   * @param {Record<string, any>} config
   * @param {any} template
   */
  add(path, config, template) {
    this.#space.addComponentStaticConfig(path, this.#ports.realm.own(config));
    this.#space.addCompiledTemplate(path, template);
  }

  /**
   * Runs the file of a page or component, which calls Page() or Component().
   *
   * @param {string} path
   * @param {() => void} run
   */
  define(path, run) {
    const outer = this.#defining;
    this.#defining = path;
    try {
      run();
    } finally {
      this.#defining = outer;
    }
  }

  /**
   * @param {string} path
   * @returns {boolean} whether its file has called Page() or Component()
   */
  isDefined(path) {
    return this.#space.getComponentSpace().getComponentByUrlWithoutDefault(`/${path}`, '') !== null;
  }

  /**
   * @param {string} path of a page
   * @param {Record<string, string>} query become properties of a page made by Component()
   * @returns {any} the root of the page, not attached
   */
  createPage(path, query) {
    const params = Object.entries(query).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join('&');
    return this.#backend.createRoot('page', this.#space, `/${path}${params ? `?${params}` : ''}`);
  }

  /** @param {any} root */
  attach(root) {
    this.lib.Element.pretendAttached(root.getComponent());
  }

  /** Tells all components that have come into the tree and are still there, children before parents. */
  settle() {
    while (this.#unready.size > 0) {
      const components = [...this.#unready].filter((component) => this.lib.Element.isAttached(component));
      this.#unready.clear();
      for (const component of childrenFirst(components)) component.triggerLifetime('ready', []);
    }
  }

  #defineGlobals() {
    const {globals} = this.#ports.realm;
    const use = (/** @type {string} */ name, /** @type {any} */ definition) => {
      if (this.#defining === undefined) throw new globals.Error(`${name}() is not called by the file of a page`);
      return this.#space.componentEnv(this.#defining, (/** @type {any} */ env) => env[name](this.#prepare(definition)));
    };
    globals.Page = (/** @type {any} */ definition = {}) => void use('Page', definition);
    globals.Component = (/** @type {any} */ definition = {}) => void use('Component', definition);
    globals.Behavior = (/** @type {any} */ definition = {}) =>
      this.#space.behavior().definition(this.#prepare(definition)).register();
  }

  /** @param {any} definition */
  #prepare(definition) {
    if (!Array.isArray(definition.behaviors)) return definition;
    const copy = Object.assign(new this.#ports.realm.globals.Object(), definition);
    copy.behaviors = definition.behaviors
      .map((/** @type {any} */ one) => (typeof one === 'string' ? this.#behaviors[one] : one))
      .filter(Boolean);
    return copy;
  }

  /** @param {any} space */
  #defineNatives(space) {
    return {
      'live-pusher': this.#defineNative(space, 'live-pusher', PUSHER_ATTRIBUTES),
      'live-player': this.#defineNative(space, 'live-player', PLAYER_ATTRIBUTES),
    };
  }

  /**
   * @param {any} space
   * @param {'live-pusher' | 'live-player'} kind
   * @param {import('./native.js').Attributes} attributes
   */
  #defineNative(space, kind, attributes) {
    const ports = this.#ports;
    let builder = space.getComponentSpace().define(kind);
    for (const name of Object.keys(attributes)) {
      builder = builder.property(name, ports.realm.own({type: null, value: undefined}));
    }
    return builder
      .observer('**', /** @this {any} */ function() {
        ports.onNativeChanged(this);
      })
      .lifetime('attached', /** @this {any} */ function() {
        ports.onNativeAttached(kind, this);
      })
      .lifetime('detached', /** @this {any} */ function() {
        ports.onNativeDetached(this);
      })
      .registerComponent();
  }

  /** Nothing is drawn: the tree that glass-easel keeps is all there is to see. */
  #makeBackend() {
    const {window, nextFrame} = this.#ports;
    const backend = new this.lib.EmptyBackendContext();
    backend.getWindowWidth = () => window.width;
    backend.getWindowHeight = () => window.height;
    backend.render = (/** @type {(error: null) => void} */ callback) => nextFrame(() => {
      this.settle();
      callback(null);
    });
    return backend;
  }
}

/** @param {import('./realm.js').Realm} realm */
function load(realm) {
  /** @type {any} */
  const lib = {};
  realm.compile(textOfDependency('glass-easel', 'glass_easel.all.js'), 'glass-easel', ['exports', 'require'])(lib);
  /** @type {any} */
  const adapter = {};
  const text = textOfDependency('glass-easel-miniprogram-adapter', 'glass_easel_miniprogram_adapter.js');
  realm.compile(text, 'glass-easel-miniprogram-adapter', ['exports', 'require'])(adapter, () => lib);
  return {lib, adapter};
}

/**
 * Parents come into the tree before their children, so going backwards by depth is enough.
 *
 * @param {any[]} components
 */
function childrenFirst(components) {
  const depth = (/** @type {any} */ element) => {
    let steps = 0;
    for (let at = element; at; at = at.parentNode ?? at.ownerShadowRoot?.getHostNode?.()) steps += 1;
    return steps;
  };
  return components.map((component) => ({component, depth: depth(component)}))
    .sort((a, b) => b.depth - a.depth)
    .map(({component}) => component);
}

/**
 * The event that a handler is given: plain, as WeChat's is, so that programs can log it and pass it on.
 *
 * @param {import('./realm.js').Realm} realm
 * @param {any} event glass-easel's
 * @returns {any}
 */
export function plainEvent(realm, event) {
  const end = (/** @type {any} */ element) => ({
    id: element?.id ?? '', offsetLeft: 0, offsetTop: 0, dataset: {...element?.dataset},
  });
  const plain = realm.own({
    type: event.type,
    timeStamp: event.timeStamp,
    target: end(event.target),
    currentTarget: end(event.currentTarget),
    mark: {...event.mark},
    ...event.extraFields,
  });
  plain.detail = event.detail;
  return plain;
}
