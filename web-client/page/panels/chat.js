import { el, fillSelect } from '../dom.js';
import { clock, onLanguage, put, say } from '../say.js';

/** What the server takes, in bytes of UTF-8. */
const MAX_BYTES = 8192;

/**
 * Messages to all or to one.
 *
 * @param {import('../context.js').Context} context
 */
export function chatPanel({ store, conference }) {
  const empty = el('p', { class: 'hint', say: 'chat.empty' });
  const list = el('ol', { class: 'messages', testid: 'messages', attr: { role: 'log', 'aria-live': 'polite', tabindex: '0' }, label: 'chat.title' });
  const to = el('select', { testid: 'chat-to', label: 'chat.to', on: { change: () => store.set({ chatTo: to.value }) } });
  const field = el('textarea', {
    testid: 'chat-field',
    label: 'chat.field',
    placeholder: 'chat.field',
    attr: { rows: '2', maxlength: String(MAX_BYTES) },
  });
  const send = el('button', { class: 'primary send', icon: 'send', label: 'chat.send', hint: 'chat.send', testid: 'chat-send', attr: { type: 'submit' } });
  const problem = el('p', { class: 'form-failure', attr: { role: 'alert' } });
  const form = el(
    'form',
    { class: 'composer' },
    el('label', { class: 'to' }, el('span', { class: 'caption', say: 'chat.to' }), to),
    problem,
    el('div', { class: 'line' }, field, send),
  );
  problem.hidden = true;

  const over = () => new TextEncoder().encode(field.value).length - MAX_BYTES;
  field.addEventListener('input', () => {
    problem.hidden = over() <= 0;
    if (over() > 0) put(problem, 'chat.long', { bytes: over() });
  });
  field.addEventListener('keydown', (event) => {
    // Enter also ends the composition of Chinese characters; that one sends nothing.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit();
  });

  async function submit() {
    const text = field.value.trim();
    if (text === '' || over() > 0 || send.disabled) return;
    send.disabled = true;
    if (await conference.send(text, store.state.chatTo)) field.value = '';
    send.disabled = false;
    field.focus();
  }

  const renderTo = () => {
    const { others, chatTo } = store.state;
    const people = others.filter(({ platform }) => platform !== 'encoder');
    const options = people.map(({ key }) => ({ value: key, text: key }));
    fillSelect(to, [{ value: '', text: say('chat.everyone') }, ...options], chatTo);
  };
  store.watch(({ others, chatTo }) => [others, chatTo], renderTo);
  onLanguage(renderTo);
  store.watch(
    ({ messages }) => [messages],
    ({ messages }) => {
      empty.hidden = messages.length > 0;
      const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
      const shown = new Set([...list.children].map((item) => item instanceof HTMLElement && item.dataset.id));
      const kept = new Set(messages.map(({ id }) => String(id)));
      for (const item of [...list.children]) if (item instanceof HTMLElement && !kept.has(item.dataset.id ?? '')) item.remove();
      for (const message of messages) if (!shown.has(String(message.id))) list.append(bubble(message));
      if (atEnd) list.scrollTop = list.scrollHeight;
    },
  );
  return el('div', { class: 'panel-body chat' }, empty, list, form);
}

/** @param {import('../state.js').ChatMessage} message */
function bubble({ id, from, own, whom, at, text, bytes }) {
  const name = el('strong', own ? { say: 'chat.you' } : { text: from });
  const head = el('header', {}, name);
  if (whom !== null) {
    const secret = el('em');
    if (own) put(secret, 'chat.private.to', { name: whom });
    else put(secret, 'chat.private.from');
    head.append(secret);
  }
  head.append(el('time', { text: clock(at), attr: { datetime: at.toISOString() } }));
  const body = el('p');
  if (bytes > 0) put(body, 'chat.data', { bytes });
  else body.textContent = text;
  return el('li', { class: own ? 'own' : '', testid: 'message', attr: { 'data-id': String(id) } }, head, body);
}
