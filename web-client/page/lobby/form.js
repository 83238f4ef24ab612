import { copyText } from '../copy.js';
import { button, el, segments, swapIcon } from '../dom.js';
import { inWords } from '../failure.js';
import { remember } from '../memory.js';
import { friendlyUid, joinLink } from '../place.js';
import { onLanguage, put } from '../say.js';

/** @typedef {import('../state.js').State} State */

/** Longest name that the server takes. */
const MAX_NAME = 128;
const SAID_MS = 1500;

/** Which field a refusal is about. @type {Readonly<Record<string, 'app' | 'room' | 'uid' | 'token'>>} */
const FIELDS = {
  unknown_app: 'app',
  invalid_app: 'app',
  wrong_app: 'token',
  invalid_room: 'room',
  wrong_room: 'token',
  room_full: 'room',
  invalid_uid: 'uid',
  wrong_uid: 'token',
  missing_token: 'token',
  malformed_token: 'token',
  token_too_large: 'token',
  wrong_algorithm: 'token',
  token_expired: 'token',
  token_not_yet_valid: 'token',
  bad_signature: 'token',
};

/**
 * App, room, user ID, token and role, and the button to join.
 *
 * @param {import('../context.js').Context} context
 */
export function joinForm({ store, media, conference }) {
  const app = nameField(store, 'app');
  const room = nameField(store, 'room');
  const uid = nameField(store, 'uid');
  uid.element.append(
    button({
      class: 'inside',
      icon: 'dice',
      label: 'lobby.uid.new',
      testid: 'uid-new',
      on: { click: () => store.set({ place: { ...store.state.place, uid: friendlyUid('web', Math.random()) } }) },
    }),
  );
  const token = tokenField(store);
  const role = segments({
    name: 'role',
    label: 'lobby.role',
    choices: /** @type {const} */ ([
      { value: 'host', say: 'role.host', icon: 'stage' },
      { value: 'audience', say: 'role.audience', icon: 'seat' },
    ]),
    choose: (chosen) => {
      store.set({ place: { ...store.state.place, role: chosen } });
      if (chosen === 'audience') media.close();
    },
  });
  const failure = el('p', { class: 'form-failure', testid: 'join-failure', id: 'join-failure', attr: { role: 'alert' } });
  const join = el('button', { class: 'primary join', testid: 'join', say: 'lobby.join', attr: { type: 'submit' } });
  const form = el(
    'form',
    { class: 'join-form' },
    el('h2', { say: 'lobby.form' }),
    el('div', { class: 'pair' }, app.element, room.element),
    uid.element,
    token.element,
    el('div', { class: 'field' }, el('span', { class: 'caption', say: 'lobby.role', attr: { 'aria-hidden': 'true' } }), role.element),
    failure,
    el('div', { class: 'join-row' }, join, linkButton(store)),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void conference.join();
  });

  const fields = { app: app.input, room: room.input, uid: uid.input, token: token.input };
  const renderFailure = () => {
    const { failure: now } = store.state;
    failure.hidden = now === null;
    failure.textContent = now ? inWords(now) : '';
    for (const input of Object.values(fields)) input.removeAttribute('aria-invalid');
    const field = now && fields[FIELDS[now.reason] ?? 'app'];
    if (now && field && FIELDS[now.reason]) {
      field.setAttribute('aria-invalid', 'true');
      field.setAttribute('aria-describedby', 'join-failure');
      field.focus();
    }
  };
  store.watch((state) => [state.failure], renderFailure);
  onLanguage(renderFailure);
  store.watch(
    ({ joining, place }) => [joining, place],
    ({ joining, place }) => {
      role.show(place.role);
      join.disabled = joining;
      join.classList.toggle('busy', joining);
      put(join, joining ? 'lobby.joining' : 'lobby.join');
    },
  );
  return form;
}

/** @param {import('../store.js').Store<State>} store @param {'app' | 'room' | 'uid'} name */
function nameField(store, name) {
  const input = el('input', {
    testid: name,
    attr: { name, required: '', maxlength: String(MAX_NAME), autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' },
    on: {
      input: () => {
        const value = input.value.trim();
        store.set({ place: { ...store.state.place, [name]: value } });
        remember(name, value);
      },
    },
  });
  store.watch(
    ({ place }) => [place[name]],
    ({ place }) => {
      if (input.value.trim() !== place[name]) input.value = place[name];
    },
  );
  return { input, element: labelled(input, `lobby.${name}`, name) };
}

/** @param {import('../store.js').Store<State>} store */
function tokenField(store) {
  const input = el('input', {
    testid: 'token',
    placeholder: 'lobby.token.hint',
    attr: { name: 'token', type: 'password', maxlength: '4096', autocomplete: 'off', spellcheck: 'false' },
    on: { input: () => store.set({ token: input.value.trim() }) },
  });
  const toggle = button({
    class: 'inside',
    icon: 'eye',
    label: 'lobby.token.show',
    testid: 'token-show',
    attr: { 'aria-pressed': 'false' },
    on: {
      click: () => {
        const shown = input.type === 'password';
        input.type = shown ? 'text' : 'password';
        toggle.setAttribute('aria-pressed', String(shown));
        swapIcon(toggle, shown ? 'eye-off' : 'eye');
        const key = shown ? 'lobby.token.hide' : 'lobby.token.show';
        put(toggle, key, {}, 'aria-label');
        put(toggle, key, {}, 'title');
      },
    },
  });
  store.watch(
    (state) => [state.token],
    (state) => {
      if (input.value.trim() !== state.token) input.value = state.token;
    },
  );
  const element = labelled(input, 'lobby.token', 'token');
  element.append(toggle);
  return { input, element };
}

/**
 * A field whose name is its caption alone, not that of a button in it.
 *
 * @param {HTMLInputElement} input
 * @param {import('../say.js').Key} label
 * @param {string} id
 */
function labelled(input, label, id) {
  input.id = id;
  return el('div', { class: 'field' }, el('label', { class: 'caption', say: label, attr: { for: id } }), input);
}

/** @param {import('../store.js').Store<State>} store */
function linkButton(store) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const element = button({
    class: 'quiet share',
    icon: 'link',
    label: 'lobby.link',
    testid: 'copy-link',
    on: {
      click: async () => {
        const copied = await copyText(joinLink(location.origin, store.state.place));
        swapIcon(element, copied ? 'check' : 'alert');
        put(element, copied ? 'copy.done' : 'copy.failed', {}, 'aria-label');
        clearTimeout(timer);
        timer = setTimeout(() => {
          swapIcon(element, 'link');
          put(element, 'lobby.link', {}, 'aria-label');
        }, SAID_MS);
      },
    },
  });
  return element;
}
