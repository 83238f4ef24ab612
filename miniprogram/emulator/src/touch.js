/**
 * What a touch does beside its events: WeChat's plain components that do something by themselves.
 */

/** What a user who has agreed gives to a button that asks. */
const OPEN_TYPES = new Map([
  ['getUserInfo', {event: 'getuserinfo', api: 'getUserInfo'}],
  ['openSetting', {event: 'opensetting', api: 'openSetting'}],
]);

/** What a navigator calls, by its open-type. */
const NAVIGATOR_TYPES = new Map([
  ['navigate', 'navigateTo'], ['redirect', 'redirectTo'], ['switchTab', 'switchTab'], ['reLaunch', 'reLaunch'],
  ['navigateBack', 'navigateBack'],
]);

/**
 * @typedef {object} TouchPorts
 * @property {Record<string, any>} wx
 * @property {(element: any, event: string, detail: any) => void} trigger
 * @property {(element: any) => string} tagOf
 * @property {(element: any, name: string) => any} read an attribute
 * @property {(element: any, name: string, value: any) => void} write an attribute, and what is bound to it
 * @property {(element: any) => any} parentOf the element around it, as a user sees the page
 * @property {(root: any) => any[]} insideOf all elements in it
 */

/**
 * Does what the element does when it is tapped.
 *
 * @param {TouchPorts} ports
 * @param {any} element
 */
export function act(ports, element) {
  switch (ports.tagOf(element)) {
    case 'switch':
      return toggle(ports, element);
    case 'checkbox':
      ports.write(element, 'checked', !ports.read(element, 'checked'));
      return choose(ports, element, 'checkbox-group');
    case 'radio':
      if (ports.read(element, 'checked') === true) return undefined;
      ports.write(element, 'checked', true);
      return choose(ports, element, 'radio-group');
    case 'label':
      return label(ports, element);
    case 'button':
      return button(ports, element);
    case 'navigator':
      return navigate(ports, element);
    default:
      return undefined;
  }
}

/**
 * @param {TouchPorts} ports
 * @param {any} element
 */
function toggle(ports, element) {
  const checked = !ports.read(element, 'checked');
  ports.write(element, 'checked', checked);
  ports.trigger(element, 'change', {value: checked});
}

/**
 * @param {TouchPorts} ports
 * @param {any} element
 * @param {string} groupTag
 */
function choose(ports, element, groupTag) {
  const group = around(ports, element, groupTag);
  if (!group) return;
  const tag = ports.tagOf(element);
  const members = ports.insideOf(group).filter((one) => ports.tagOf(one) === tag);
  if (tag === 'radio') {
    for (const one of members) if (one !== element && ports.read(one, 'checked')) ports.write(one, 'checked', false);
  }
  ports.trigger(group, 'change', {value: valueOf(ports, group)});
}

/**
 * @param {TouchPorts} ports
 * @param {any} element
 */
function label(ports, element) {
  const controls = ['switch', 'checkbox', 'radio', 'button'];
  const target = ports.insideOf(element).find((one) => controls.includes(ports.tagOf(one)));
  if (target) act(ports, target);
}

/**
 * @param {TouchPorts} ports
 * @param {any} element
 */
function button(ports, element) {
  const formType = ports.read(element, 'form-type');
  const form = formType ? around(ports, element, 'form') : undefined;
  if (form && formType === 'submit') {
    const named = ports.insideOf(form).filter((one) => ports.read(one, 'name'));
    const value = Object.fromEntries(named.map((one) => [ports.read(one, 'name'), valueOf(ports, one)]));
    ports.trigger(form, 'submit', {value});
  }
  if (form && formType === 'reset') ports.trigger(form, 'reset', {});
  const open = OPEN_TYPES.get(ports.read(element, 'open-type'));
  if (open) ports.wx[open.api]({complete: (/** @type {any} */ detail) => ports.trigger(element, open.event, detail)});
}

/**
 * @param {TouchPorts} ports
 * @param {any} element
 */
function navigate(ports, element) {
  const how = NAVIGATOR_TYPES.get(ports.read(element, 'open-type') || 'navigate');
  if (!how) return;
  ports.wx[how]({
    url: ports.read(element, 'url'), delta: Number(ports.read(element, 'delta')) || 1,
    success: () => ports.trigger(element, 'success', {}),
    fail: (/** @type {any} */ detail) => ports.trigger(element, 'fail', detail),
  });
}

/**
 * What a component of a form gives when it is submitted.
 *
 * @param {TouchPorts} ports
 * @param {any} element
 */
function valueOf(ports, element) {
  const chosen = (/** @type {string} */ tag) => ports.insideOf(element)
    .filter((one) => ports.tagOf(one) === tag && ports.read(one, 'checked'))
    .map((one) => ports.read(one, 'value') ?? '');
  switch (ports.tagOf(element)) {
    case 'switch':
      return Boolean(ports.read(element, 'checked'));
    case 'checkbox-group':
      return chosen('checkbox');
    case 'radio-group':
      return chosen('radio')[0] ?? '';
    default:
      return ports.read(element, 'value') ?? '';
  }
}

/**
 * @param {TouchPorts} ports
 * @param {any} element
 * @param {string} tag
 */
function around(ports, element, tag) {
  for (let at = ports.parentOf(element); at; at = ports.parentOf(at)) if (ports.tagOf(at) === tag) return at;
  return undefined;
}
