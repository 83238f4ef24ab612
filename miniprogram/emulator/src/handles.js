import {outside} from './realm.js';
import {attributesOf, elementsIn, findElements, parentOf, snapshot, tagOf, textOf} from './snapshot.js';
import {act} from './touch.js';

/**
 * @typedef {object} HandlePorts
 * @property {import('./realm.js').Realm} realm
 * @property {any} lib glass-easel
 * @property {Record<string, any>} wx
 * @property {(element: any) => import('./native.js').NativeElement | undefined} nativeOf
 */

/** A page on the stack. */
export class PageHandle {
  #ports;
  #page;

  /**
   * @param {HandlePorts} ports
   * @param {import('./pages.js').Page} page
   */
  constructor(ports, page) {
    this.#ports = ports;
    this.#page = page;
  }

  /** @returns {string} its path, without a leading slash */
  get route() {
    return this.#page.path;
  }

  /** @returns {Record<string, string>} the query that it was opened with */
  get options() {
    return {...this.#page.query};
  }

  /** @returns {any} what the program sees as `this` */
  get instance() {
    return this.#page.instance;
  }

  /** @returns {any} a copy of its data */
  get data() {
    return outside(this.#page.instance.data);
  }

  /** @returns {string} the tree as it is now, one element a line, components opened */
  tree() {
    return snapshot(this.#page.root.getComponent());
  }

  /**
   * @param {string} selector see selector.js
   * @returns {ElementHandle}
   * @throws {Error} if there is none, with the tree
   */
  find(selector) {
    const [first] = this.findAll(selector);
    if (!first) throw new Error(`no element ${selector} on ${this.route}\n${this.tree()}`);
    return first;
  }

  /**
   * @param {string} selector
   * @returns {ElementHandle[]} in the order of the tree
   */
  findAll(selector) {
    const root = this.#page.root.getComponent();
    return findElements(root, selector).map((element) => new ElementHandle(this.#ports, element));
  }
}

/** An element of a page, as a user sees and touches it. */
export class ElementHandle {
  #ports;
  #element;

  /**
   * @param {HandlePorts} ports
   * @param {any} element glass-easel's
   */
  constructor(ports, element) {
    this.#ports = ports;
    this.#element = element;
  }

  /** @returns {string} its tag in the template */
  get tag() {
    return tagOf(this.#element);
  }

  /** @returns {string} */
  get id() {
    return this.#element.id;
  }

  /** @returns {string} all text inside, trimmed */
  get text() {
    return textOf(this.#element).trim();
  }

  /** @returns {Record<string, any>} of a native component what they mean; of a component its properties */
  get attributes() {
    const native = this.#ports.nativeOf(this.#element);
    if (native) return native.attributes;
    return outside(attributesOf(this.#element));
  }

  /** @returns {string} names of its classes, a space between them */
  get class() {
    return this.#element.class;
  }

  /** @returns {string} */
  get style() {
    return this.#element.style;
  }

  /** @returns {Record<string, any>} */
  get dataset() {
    return outside({...this.#element.dataset});
  }

  /** @returns {any} of a component what the program sees as `this`; otherwise undefined */
  get instance() {
    return this.#ports.lib.Component.isComponent(this.#element) ? this.#element.getMethodCaller() : undefined;
  }

  /** @returns {any} the LivePusher or LivePlayer of a native component; otherwise undefined */
  get media() {
    return this.#ports.nativeOf(this.#element)?.media;
  }

  /** @returns {boolean} whether it is still on the page */
  get attached() {
    return this.#ports.lib.Element.isAttached(this.#element);
  }

  /** A touch and its tap, and what the element does by itself then. What is disabled feels nothing. */
  tap() {
    if (this.attributes['disabled']) return;
    for (const name of ['touchstart', 'touchend', 'tap']) this.#touch(name);
    const {lib, realm, wx} = this.#ports;
    act({
      wx, tagOf, parentOf, insideOf: elementsIn,
      trigger: (element, event, detail) => this.#send(element, event, detail),
      read: (element, name) => attributesOf(element)[name],
      write: (element, name, value) => writeAttribute(lib, element, name, realm.own(value)),
    }, this.#element);
  }

  /** A long touch. */
  longpress() {
    for (const name of ['touchstart', 'longpress', 'longtap', 'touchend']) this.#touch(name);
  }

  /**
   * Types text into an input or textarea, in place of what is there.
   *
   * @param {string} value
   */
  input(value) {
    this.#write('value', value);
    this.trigger('input', {value, cursor: value.length, keyCode: 0});
  }

  /**
   * Moves a switch, slider, picker or checkbox.
   *
   * @param {any} value
   */
  change(value) {
    this.#write(this.tag === 'switch' ? 'checked' : 'value', value);
    this.trigger('change', {value});
  }

  /**
   * Any event, as the component itself would send it.
   *
   * @param {string} event without `bind`
   * @param {any} [detail]
   * @param {{bubbles?: boolean, composed?: boolean}} [options]
   */
  trigger(event, detail = {}, options = {}) {
    this.#send(this.#element, event, detail, options);
  }

  /**
   * @param {any} element
   * @param {string} event
   * @param {any} detail
   * @param {Record<string, any>} [options]
   */
  #send(element, event, detail, options = {}) {
    const {realm, lib} = this.#ports;
    lib.Event.triggerEvent(element, event, realm.own(detail), realm.own({capturePhase: true, ...options}));
  }

  /**
   * @param {string} name
   * @param {any} value
   */
  #write(name, value) {
    writeAttribute(this.#ports.lib, this.#element, name, this.#ports.realm.own(value));
  }

  /** @param {string} name */
  #touch(name) {
    const point = {x: 0, y: 0};
    const touches = [{identifier: 0, pageX: 0, pageY: 0, clientX: 0, clientY: 0}];
    this.#send(this.#element, name, point, {
      bubbles: true, composed: true, extraFields: {touches, changedTouches: touches},
    });
  }
}

/**
 * What the user has entered stays in the element and goes to the data that `model:` binds to it.
 *
 * @param {any} lib glass-easel
 * @param {any} element
 * @param {string} name
 * @param {any} value of the realm
 */
function writeAttribute(lib, element, name, value) {
  if (!lib.NativeNode.isNativeNode(element)) return;
  element.setAttribute(name, value);
  element.getModelBindingListeners()[name]?.(value);
}
