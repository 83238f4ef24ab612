import { ffmpegLine, ffplayLine, flvUrl, obsFields, rtmpUrl } from '../commands.js';
import { copyButton } from '../copy.js';
import { el, fillSelect, segments } from '../dom.js';
import { friendlyUid, joinLink } from '../place.js';
import { showCode } from '../qr.js';
import { put } from '../say.js';

/** @typedef {import('../say.js').Key} Key */
/** @typedef {import('../place.js').Role} Role */

/**
 * How everything else gets into this room, or its pictures out of it.
 *
 * @param {import('../context.js').Context} context
 */
export function bringPanel(context) {
  const lead = el('p', { class: 'hint' });
  context.store.watch(
    ({ place }) => [place.room],
    ({ place }) => put(lead, 'bring.lead', { room: place.room }),
  );
  return el('div', { class: 'panel-body bring' }, lead, links(context), sending(context), playing(context));
}

/** @param {import('../context.js').Context} context */
function links({ store }) {
  const link = line('bring.link', 'join-link');
  const code = picture('bring.qr.link', 'qr-link');
  /** @type {Role} */
  let role = 'host';
  const choice = segments({
    name: 'link-role',
    label: 'lobby.role',
    choices: /** @type {const} */ ([
      { value: 'host', say: 'bring.link.host' },
      { value: 'audience', say: 'bring.link.audience' },
    ]),
    choose: (chosen) => {
      role = chosen;
      render();
    },
  });
  const render = () => {
    const text = joinLink(location.origin, { ...store.state.place, role });
    link.show(text);
    choice.show(role);
    void showCode(code, text);
  };
  store.watch(({ place }) => [place], render);
  return el(
    'section',
    { class: 'card' },
    el('h3', { say: 'bring.link.title' }),
    el(
      'div',
      { class: 'with-code' },
      code,
      el('div', {}, el('p', { class: 'hint', say: 'bring.link.hint' }), choice.element),
    ),
    link.element,
  );
}

/** @param {import('../context.js').Context} context */
function sending({ store }) {
  let uid = friendlyUid('obs', Math.random());
  let token = '';
  const uidField = textField('bring.send.uid', 'rtmp-uid', (value) => {
    uid = value;
    render();
  });
  uidField.input.value = uid;
  const tokenField = textField('bring.send.token', 'rtmp-token', (value) => {
    token = value;
    render();
  });
  tokenField.input.type = 'password';
  const same = el('p', { class: 'mild', say: 'bring.send.same' });
  const url = line('bring.rtmp', 'rtmp-url');
  const server = line('bring.obs.server', 'obs-server');
  const key = line('bring.obs.key', 'obs-key');
  const ffmpeg = line('bring.ffmpeg', 'ffmpeg-line');
  const code = picture('bring.qr.rtmp', 'qr-rtmp');
  const render = () => {
    const { place, token: own, self } = store.state;
    const isOwn = uid === (self?.key ?? place.uid);
    tokenField.element.hidden = own === '' || isOwn;
    same.hidden = !isOwn;
    const address = { app: place.app, room: place.room, uid, token: isOwn ? own : token };
    const at = whereRtmpIs(store.state.server);
    const obs = obsFields(at, address);
    url.show(rtmpUrl(at, address));
    server.show(obs.server);
    key.show(obs.key);
    ffmpeg.show(ffmpegLine(at, address));
    void showCode(code, rtmpUrl(at, address));
  };
  store.watch(({ place, token: own, self, server: at }) => [place, own, self?.key, at], render);
  return el(
    'section',
    { class: 'card' },
    el('h3', { say: 'bring.send.title' }),
    el(
      'div',
      { class: 'with-code' },
      code,
      el('div', {}, el('p', { class: 'hint', say: 'bring.send.hint' }), uidField.element),
    ),
    tokenField.element,
    same,
    url.element,
    server.element,
    key.element,
    el('p', { class: 'hint', say: 'bring.obs.hint' }),
    ffmpeg.element,
  );
}

/** @param {import('../context.js').Context} context */
function playing({ store }) {
  let uid = '';
  const select = el('select', {
    testid: 'play-uid',
    on: {
      change: () => {
        uid = select.value;
        render();
      },
    },
  });
  const url = line('bring.rtmp', 'play-url');
  const flv = line('bring.flv', 'flv-url');
  const ffplay = line('bring.ffplay', 'ffplay-line');
  const render = () => {
    const { place, self, others, token } = store.state;
    const people = (self ? [self, ...others] : others).filter(({ role }) => role === 'host');
    fillSelect(select, people.map(({ key }) => ({ value: key, text: key })), uid);
    uid = select.value;
    const address = { app: place.app, room: place.room, uid, token: uid === self?.key ? token : '' };
    const at = whereRtmpIs(store.state.server);
    url.show(rtmpUrl(at, address));
    flv.show(flvUrl(at, address));
    ffplay.show(ffplayLine(at, address));
  };
  store.watch(({ place, self, others, token, server }) => [place, self?.key, others, token, server], render);
  return el(
    'section',
    { class: 'card' },
    el('h3', { say: 'bring.play.title' }),
    el('p', { class: 'hint', say: 'bring.play.hint' }),
    el('label', { class: 'field' }, el('span', { class: 'caption', say: 'bring.play.uid' }), select),
    url.element,
    flv.element,
    ffplay.element,
  );
}

/** @param {import('../state.js').State['server']} server */
function whereRtmpIs({ rtmpPort }) {
  return { origin: location.origin, hostname: location.hostname, rtmpPort };
}

let serial = 0;

/** @param {Key} title @param {string} testid */
function line(title, testid) {
  serial += 1;
  const id = `line-${serial}`;
  const code = el('code', { testid, attr: { tabindex: '0', 'aria-labelledby': id } });
  const copy = copyButton({ text: () => code.textContent ?? '', source: code, describedBy: id, testid: `${testid}-copy` });
  return {
    element: el('div', { class: 'copy-line' }, el('h4', { id, say: title }), copy, code),
    /** @param {string} text */
    show(text) {
      if (code.textContent !== text) code.replaceChildren(...words(text));
    },
  };
}

/**
 * Text with each word in an element of its own, so that a line never breaks at the hyphen of an option.
 *
 * @param {string} text
 */
function words(text) {
  return text.split(' ').flatMap((word, index) => [...(index === 0 ? [] : [' ']), el('span', { text: word })]);
}

/** @param {Key} label @param {string} testid */
function picture(label, testid) {
  const image = el('img', { class: 'qr', testid, attr: { width: '132', height: '132' } });
  put(image, label, {}, 'alt');
  image.hidden = true;
  return image;
}

/** @param {Key} label @param {string} testid @param {(value: string) => void} changed */
function textField(label, testid, changed) {
  const input = el('input', {
    testid,
    attr: { maxlength: '4096', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' },
    on: { input: () => changed(input.value.trim()) },
  });
  return { input, element: el('label', { class: 'field' }, el('span', { class: 'caption', say: label }), input) };
}
