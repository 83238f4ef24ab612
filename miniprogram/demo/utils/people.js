/** The list of those in the room. Pure. */

const { hueOf, initialsOf, platformIcon } = require('./names.js');

/** @typedef {{ uid: string | number, role: 'host' | 'audience', platform: string, state: string }} Person */

/**
 * @param {Pick<Person, 'uid' | 'role'>} me
 * @param {Person[]} others
 * @param {(uid: string | number) => number} level of somebody's network
 * @param {Record<string, string>} t texts
 * @returns {object[]} oneself first, then hosts before audience, each in the order in which they came
 */
function peopleOf(me, others, level, t) {
  const person = (/** @type {Person} */ { uid, role, platform, state }, name = String(uid)) => ({
    key: String(uid),
    name,
    hue: hueOf(uid),
    initials: initialsOf(uid),
    level: level(uid),
    icon: platformIcon(platform),
    note: [t[role], t[`platform_${platform}`] || t.platform_other, state === 'reconnecting' ? t.person_reconnecting : '']
      .filter((part) => part !== '').join(' · '),
  });
  const sorted = [...others.filter(({ role }) => role === 'host'), ...others.filter(({ role }) => role !== 'host')];
  const self = person({ ...me, platform: 'miniprogram', state: 'connected' }, `${me.uid} (${t.me})`);
  return [self, ...sorted.map((other) => person(other))];
}

module.exports = { peopleOf };
