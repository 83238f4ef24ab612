import { button, el } from '../dom.js';
import { number, onLanguage, put, say } from '../say.js';
import { bitrateText } from '../stats/overlay.js';
import { durationText } from './duration.js';

/** A second hand. */
const TICK_MS = 1000;

/**
 * The room, how many are in it, how long one has been here, and how the connection does.
 *
 * @param {import('../context.js').Context} context
 * @param {import('../stats/collector.js').Collector} collector
 */
export function topBar({ store }, collector) {
  const room = el('h1', { testid: 'room-name' });
  const count = button({ class: 'count', icon: 'people', testid: 'count', on: { click: () => toggle('people') } });
  const countWords = el('span');
  count.append(countWords);
  const time = el('time', { class: 'time', hint: 'call.duration', testid: 'time' });
  const session = el('p', { class: 'session', testid: 'session' });
  const signal = el('span', { class: 'signal', attr: { role: 'img' } }, el('i'), el('i'), el('i'));
  const state = el('span', { class: 'connection', testid: 'connection', attr: { role: 'status' } });
  const invite = button({ class: 'invite', icon: 'link', say: 'control.invite', testid: 'invite', on: { click: () => toggle('bring') } });
  const element = el(
    'header',
    { class: 'call-top' },
    el('img', { class: 'mark', attr: { src: 'page/mark.svg', alt: '', width: '28', height: '28' } }),
    room,
    time,
    count,
    el('span', { class: 'spring' }),
    session,
    state,
    signal,
    invite,
  );

  /** @param {import('../state.js').PanelName} panel */
  const toggle = (panel) => store.set({ panel: store.state.panel === panel ? null : panel });
  const renderTime = () => {
    const { since } = store.state;
    time.textContent = since ? durationText(Math.floor((Date.now() - since.getTime()) / 1000)) : '';
  };
  const renderTitle = () => {
    const { view, place } = store.state;
    document.title = view === 'call' ? say('page.title.call', { room: place.room }) : say('page.title');
  };
  const renderSession = () => {
    const { statistics } = store.state;
    session.hidden = !statistics;
    if (!statistics) return;
    const { rtt, up, down } = collector.session;
    const parts = [`↑ ${bitrateText(up)}`, `↓ ${bitrateText(down)}`];
    if (rtt !== null) parts.push(`↔ ${say('stats.ms', { value: number(rtt) })}`);
    session.textContent = parts.join('   ');
  };
  setInterval(renderTime, TICK_MS);
  collector.listeners.add(renderSession);
  onLanguage(renderSession);
  onLanguage(renderTitle);
  store.watch(
    ({ place, others, self, connection, network, statistics, since, view }) => [place.room, others, self, connection, network, statistics, since, view],
    ({ place, others, self, connection, network }) => {
      room.textContent = place.room;
      const people = others.length + (self ? 1 : 0);
      put(countWords, people === 1 ? 'call.count.one' : 'call.count', { count: people });
      element.dataset.connection = connection;
      put(state, `state.${connection}`);
      const worst = Math.max(network.uplink, network.downlink);
      signal.dataset.quality = String(worst);
      const quality = (/** @type {number} */ level) => say(/** @type {import('../say.js').Key} */ (`quality.${level}`));
      put(signal, 'call.quality', { up: quality(network.uplink), down: quality(network.downlink) }, 'aria-label');
      put(signal, 'call.quality', { up: quality(network.uplink), down: quality(network.downlink) }, 'title');
      renderTime();
      renderSession();
      renderTitle();
    },
  );
  return element;
}
