import { icon } from './icons.js';
import { put } from './say.js';

/** @typedef {import('./say.js').Key} Key */

/**
 * @typedef {object} Traits
 * @property {string} [class]
 * @property {string} [id]
 * @property {string} [testid]
 * @property {Key} [say] its text
 * @property {string} [text] its text, in no language
 * @property {Key} [label] its accessible name
 * @property {Key} [hint] its tooltip
 * @property {Key} [placeholder]
 * @property {import('./icons.js').IconName} [icon] comes first
 * @property {Record<string, string>} [attr]
 * @property {Record<string, (event: any) => void>} [on]
 */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Traits} [traits]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, traits = {}, ...children) {
  const element = document.createElement(tag);
  if (traits.class) element.className = traits.class;
  if (traits.id) element.id = traits.id;
  if (traits.testid) element.dataset.testid = traits.testid;
  for (const [name, value] of Object.entries(traits.attr ?? {})) element.setAttribute(name, value);
  for (const [name, listener] of Object.entries(traits.on ?? {})) element.addEventListener(name, listener);
  if (traits.label) put(element, traits.label, {}, 'aria-label');
  if (traits.hint) put(element, traits.hint, {}, 'title');
  if (traits.placeholder) put(element, traits.placeholder, {}, 'placeholder');
  if (traits.icon) element.append(icon(traits.icon));
  if (traits.say !== undefined && element.childElementCount > 0) {
    const words = document.createElement('span');
    put(words, traits.say);
    element.append(words);
  } else if (traits.say !== undefined) {
    put(element, traits.say);
  }
  if (traits.text !== undefined) element.append(traits.text);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * A button that submits nothing. With an icon alone it needs a label.
 *
 * @param {Traits} traits
 * @param {...(Node | string | null | undefined)} children
 */
export function button(traits, ...children) {
  const iconOnly = traits.icon !== undefined && traits.say === undefined && traits.label !== undefined;
  const hint = iconOnly && traits.hint === undefined ? { hint: traits.label } : {};
  return el('button', { ...traits, ...hint, attr: { type: 'button', ...traits.attr } }, ...children);
}

/**
 * Another icon in place of an element's first one.
 *
 * @param {Element} element
 * @param {import('./icons.js').IconName} name
 */
export function swapIcon(element, name) {
  const before = element.querySelector('svg');
  if (before?.dataset.icon === name) return;
  if (before) before.replaceWith(icon(name));
  else element.prepend(icon(name));
}

/**
 * A choice of one of few, as a row of radio buttons.
 *
 * @template {string} V
 * @param {object} options
 * @param {string} options.name
 * @param {Key} options.label
 * @param {readonly { value: V, say?: Key, text?: string, icon?: import('./icons.js').IconName, label?: Key, lang?: string }[]} options.choices
 * @param {(value: V) => void} options.choose
 * @param {string} [options.class]
 */
export function segments({ name, label, choices, choose, class: extra = '' }) {
  const inputs = choices.map(({ value, label: spoken }) =>
    el('input', {
      testid: `${name}-${value}`,
      attr: { type: 'radio', name, value },
      on: { change: () => choose(value) },
      ...(spoken ? { label: spoken } : {}),
    }),
  );
  const element = el('fieldset', { class: `segments ${extra}`, label });
  choices.forEach(({ say: key, text, icon: image, lang, label: hint }, index) => {
    const face = el('span', { ...(key ? { say: key } : {}), ...(text ? { text } : {}), ...(image ? { icon: image } : {}) });
    if (lang) face.lang = lang;
    element.append(el('label', hint ? { hint } : {}, inputs[index], face));
  });
  return {
    element,
    /** @param {V} value */
    show(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
    /** @param {boolean} disabled */
    disable(disabled) {
      element.disabled = disabled;
    },
  };
}

/**
 * A select with a caption.
 *
 * @param {object} options
 * @param {Key} options.label
 * @param {string} options.testid
 * @param {import('./icons.js').IconName} [options.icon]
 * @param {(value: string) => void} options.choose
 */
export function picker({ label, testid, icon: image, choose }) {
  const select = el('select', { testid, on: { change: () => choose(select.value) } });
  const element = el(
    'label',
    { class: 'field' },
    el('span', { class: 'caption', say: label, ...(image ? { icon: image } : {}) }),
    select,
  );
  return { element, select };
}

/**
 * Fills a select and keeps what is chosen if it is still there.
 *
 * @param {HTMLSelectElement} select
 * @param {readonly { value: string, text: string }[]} options
 * @param {string} chosen
 */
export function fillSelect(select, options, chosen) {
  const now = options.map(({ value, text }) => `${value}\u0000${text}`).join('\u0001');
  if (select.dataset.options !== now) {
    select.dataset.options = now;
    select.replaceChildren(...options.map(({ value, text }) => el('option', { text, attr: { value } })));
  }
  select.value = options.some(({ value }) => value === chosen) ? chosen : (options[0]?.value ?? '');
}
