import { ERROR_CODES, VolcEngineRTCError } from './errors.js';
import { EVENTS } from './events.js';
import { tellMessage } from './room.js';

/** @typedef {import('../core/client.js').Client} CoreClient */

/**
 * The room in which those who have logged in meet, as the server has messages between participants of a room alone. All
 * are audience in it. The tokens of `login` are for this room, or for all.
 */
export const LOGIN_ROOM = 'volcengine-login';

/** Being online, so that messages come also outside of rooms. It has a connection of its own. */
export class Login {
  /** @type {CoreClient | null} */
  #core = null;
  #open;
  #tell;

  /**
   * @param {() => CoreClient} open makes a client as audience, which rejoins by itself
   * @param {import('./events.js').Tell} tell
   */
  constructor(open, tell) {
    this.#open = open;
    this.#tell = tell;
  }

  /** @param {{ app: string, token: string, uid: string }} who */
  async login(who) {
    if (this.#core !== null) {
      const [code, reason] = this.#core.state === 'CONNECTING'
        ? [ERROR_CODES.CONNECTING, 'login is under way'] : [ERROR_CODES.LOGIN_FAILED, 'logged in already'];
      throw new VolcEngineRTCError(code, reason);
    }
    const core = this.#open();
    /** @param {() => void} act */
    const ifCurrent = (act) => {
      if (this.#core === core) act();
    };
    core.on('message', (message) => ifCurrent(() => tellMessage(this.#tell, message, 'outside')));
    core.on('ended', ({ reason }) => ifCurrent(() => {
      this.#core = null;
      this.#tell(EVENTS.LOGOUT, { reason });
    }));
    this.#core = core;
    try {
      await core.join({ ...who, room: LOGIN_ROOM });
    } catch (cause) {
      ifCurrent(() => {
        this.#core = null;
      });
      throw cause;
    }
  }

  /** Never rejects. */
  async logout() {
    const core = this.#core;
    this.#core = null;
    await core?.leave();
  }

  /** Whether there is something to log out from. */
  get begun() {
    return this.#core !== null;
  }

  /** @throws {VolcEngineRTCError} NOT_LOGIN @returns {CoreClient} */
  get online() {
    if (this.#core === null || this.#core.state === 'CONNECTING') {
      throw new VolcEngineRTCError(ERROR_CODES.NOT_LOGIN, 'login first');
    }
    return this.#core;
  }

  /** @param {string} uid @returns {number} 1: has logged in, 0: has not */
  onlineStatus(uid) {
    const { online } = this;
    return String(online.uid) === uid || online.participant(uid) !== undefined ? 1 : 0;
  }
}
