import { copyButton } from '../copy.js';
import { el } from '../dom.js';
import { sdk } from '../sdk.js';
import { clock, number, onLanguage, put, say } from '../say.js';
import { bitrateText } from '../stats/overlay.js';

/**
 * What one sends to whoever is to find out why something does not work.
 *
 * @param {import('../context.js').Context} context
 * @param {import('../stats/collector.js').Collector} collector
 */
export function logPanel({ store }, collector) {
  const facts = el('dl', { class: 'facts', testid: 'facts' });
  const events = el('ol', { class: 'events', testid: 'events', label: 'log.events', attr: { tabindex: '0' } });
  let codecs = '';
  sdk.getSupportedCodec().then(
    ({ video, audio }) => {
      codecs = [...video, ...audio].join(', ');
      renderFacts();
    },
    (/** @type {unknown} */ cause) => console.warn('the codecs of this browser are not known', cause),
  );

  /** @returns {[import('../say.js').Key, string][]} */
  const factList = () => {
    const { place, self, connection, server } = store.state;
    const { rtt, up, down, available } = collector.session;
    return [
      ['lobby.app', place.app],
      ['lobby.room', place.room],
      ['lobby.uid', self?.key ?? place.uid],
      ['lobby.role', say(`role.${self?.role ?? place.role}`)],
      ['log.connection', say(`state.${connection}`)],
      ['stats.rtt', rtt === null ? say('stats.unknown') : say('stats.ms', { value: number(rtt) })],
      ['stats.up', bitrateText(up)],
      ['stats.down', bitrateText(down)],
      ['stats.available', bitrateText(available)],
      ['log.codecs', codecs],
      ['log.sdk', sdk.VERSION],
      ['log.server', server.version],
    ];
  };
  const renderFacts = () => {
    if (store.state.panel !== 'log') return;
    facts.replaceChildren(...factList().map(([key, text]) => el('div', {}, el('dt', { say: key }), el('dd', { text }))));
  };
  store.watch(
    ({ log, panel }) => [log, panel],
    ({ log, panel }) => {
      if (panel !== 'log') return;
      const atEnd = events.scrollHeight - events.scrollTop - events.clientHeight < 40;
      events.replaceChildren(...log.map(({ at, text }) => el('li', {}, el('time', { text: clock(at, true) }), el('span', { text }))));
      if (atEnd) events.scrollTop = events.scrollHeight;
      renderFacts();
    },
  );
  collector.listeners.add(renderFacts);
  onLanguage(renderFacts);
  const all = () =>
    [
      ...factList().map(([key, text]) => `${say(key)}: ${text}`),
      navigator.userAgent,
      '',
      ...store.state.log.map(({ at, text }) => `${at.toISOString()} ${text}`),
    ].join('\n');
  const heading = el('h3', {}, el('span', { say: 'log.events' }));
  put(heading, 'log.events', {}, 'title');
  return el('div', { class: 'panel-body log' }, facts, el('div', { class: 'events-head' }, heading, copyButton({ text: all, say: 'log.copy', testid: 'log-copy' })), events);
}
