import { ask } from '../dialogs.js';
import { Shortcuts } from '../shortcuts.js';

/** @typedef {import('../state.js').PanelName} PanelName */

/** What the controls and the keys do. */
export class Actions {
  #context;
  #shortcuts;

  /** @param {import('../context.js').Context} context */
  constructor(context) {
    this.#context = context;
    this.#shortcuts = new Shortcuts([
      { key: 'M', say: 'help.mic', act: () => this.#asHost(this.microphone) },
      { key: 'V', say: 'help.camera', act: () => this.#asHost(this.camera) },
      { key: 'S', say: 'help.screen', act: () => this.#asHost(this.screen) },
      { key: 'R', say: 'help.role', act: this.role },
      { key: 'T', say: 'control.stats', act: this.statistics },
      { key: 'P', say: 'control.people', act: () => this.panel('people') },
      { key: 'C', say: 'control.chat', act: () => this.panel('chat') },
      { key: 'B', say: 'control.bring', act: () => this.panel('bring') },
      { key: 'D', say: 'control.log', act: () => this.panel('log') },
      { key: 'L', say: 'control.leave', act: () => void this.#askToLeave() },
      { key: '?', say: 'control.help', act: this.help },
    ]);
    document.addEventListener('keydown', (event) => this.#key(event));
  }

  microphone = () => void this.#context.conference.toggleMicrophone();
  camera = () => void this.#context.conference.toggleCamera();
  screen = () => void this.#context.conference.toggleScreen();
  leave = () => void this.#context.conference.leave();
  help = () => this.#shortcuts.help();

  role = () => {
    const { self } = this.#context.store.state;
    if (self) void this.#context.conference.setRole(self.role === 'host' ? 'audience' : 'host');
  };

  statistics = () => {
    const { store, notify } = this.#context;
    const statistics = !store.state.statistics;
    store.set({ statistics });
    notify.announce(statistics ? 'say.stats.on' : 'say.stats.off');
  };

  /** @param {PanelName} name */
  panel(name) {
    const { store } = this.#context;
    const panel = store.state.panel === name ? null : name;
    store.set({ panel, ...(panel === 'chat' ? { unread: 0 } : {}) });
  }

  /** @param {() => void} act */
  #asHost(act) {
    if (this.#context.store.state.self?.role === 'host') act();
  }

  /** One key is pressed by mistake sooner than a button. */
  async #askToLeave() {
    const question = { title: /** @type {const} */ ('leave.title'), text: /** @type {const} */ ('leave.text') };
    const answer = await ask({ ...question, act: 'control.leave', cancel: 'leave.stay', danger: true, testid: 'leave-dialog' });
    if (answer !== null) this.leave();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { store } = this.#context;
    if (store.state.view !== 'call') return;
    if (event.key === 'Escape' && store.state.panel && !document.querySelector('dialog[open]')) store.set({ panel: null });
    else this.#shortcuts.handle(event);
  }
}
