/**
 * Attributes with the defaults of the component in the place of those that are not given: a page that binds a field
 * which it has not set gives `undefined`.
 *
 * @template T the attributes of the component
 * @param {object} defaults of all of them
 * @param {object} given
 * @returns {T}
 */
export function withDefaults(defaults, given) {
  const set = Object.entries(given).filter(([, value]) => value !== undefined && value !== null);
  return /** @type {T} */ ({ ...defaults, ...Object.fromEntries(set) });
}
