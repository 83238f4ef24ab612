/** What the diagnostics say: components, their figures and the latest of their codes. */

const { codeText } = require('./codes.js');
const { figuresOf, timeOf } = require('./figures.js');

/** So many codes say what went on. */
const MAX_CODES = 40;

/** @typedef {{ key: number, text: string }} CodeLine */

/** The latest status codes of all components, the newest first. */
class CodeLog {
  /** @param {'zh' | 'en'} language */
  constructor(language) {
    this.language = language;
    this.count = 0;
    /** @type {CodeLine[]} */
    this.lines = [];
  }

  /** @param {number} code @param {string} of whose component @param {Date} date */
  add(code, of, date) {
    this.count += 1;
    const text = `${timeOf(date)}  ${of}  ${code}  ${codeText(code, this.language)}`.trim();
    this.lines = [{ key: this.count, text }, ...this.lines].slice(0, MAX_CODES);
  }
}

/**
 * @param {import('../../src/core/client.js').Client} client
 * @param {import('../i18n/index.js').Texts['t']} t
 * @returns {{ key: string, title: string, text: string }[]} without addresses, which are secrets
 */
function linesOf(client, t) {
  /** @param {string} key @param {string} title @param {ReturnType<typeof client.pusher>} component */
  const component = (key, title, { phase, info }) => {
    const figures = figuresOf(info);
    return { key, title, text: figures === '' ? phase : `${phase} · ${figures}` };
  };
  const { state, rttMs, uid, role } = client;
  return [
    { key: 'signal', title: t.debug_signal, text: [state, role, uid, rttMs === null ? '' : `${Math.round(rttMs)} ms`].filter(Boolean).join(' · ') },
    ...(client.publishes() ? [component('push', t.debug_push, client.pusher())] : []),
    ...client.plays.map(({ uid: owner, stream }) =>
      component(`${owner}/${stream}`, stream === 'camera' ? String(owner) : `${owner} (${stream})`, client.player(owner, stream))),
  ];
}

module.exports = { CodeLog, linesOf };
