import {ApiError} from './calls.js';

/** A program that shows more than this has told the same thing over and over. */
const MAX_KEPT = 1000;
/** WeChat's default for toasts. */
const TOAST_MS = 1500;
/** WeChat's limit for an action sheet. */
const MAX_SHEET_ITEMS = 6;

/**
 * @typedef {object} Toast
 * @property {string} title
 * @property {string} icon
 * @property {boolean} visible
 *
 * @typedef {object} Modal
 * @property {string} title
 * @property {string} content
 * @property {boolean} showCancel
 * @property {boolean} answered
 * @property {(choice: {confirm: boolean, content?: string}) => void} answer taps one of the buttons
 *
 * @typedef {object} Sheet
 * @property {string[]} itemList
 * @property {boolean} answered
 * @property {(choice: {tapIndex?: number}) => void} answer taps an item, or cancels without tapIndex
 */

/** What is shown over the pages. */
export class Ui {
  #clock;
  /** @type {unknown} */
  #toastTimer;
  /** @type {Toast[]} */
  toasts = [];
  /** @type {Modal[]} */
  modals = [];
  /** @type {Sheet[]} */
  sheets = [];
  #bar;

  /**
   * @param {import('../clock.js').Clock} clock
   * @param {() => import('../pages.js').NavigationBar | undefined} bar the navigation bar of the page on top
   */
  constructor(clock, bar) {
    this.#clock = clock;
    this.#bar = bar;
  }

  /**
   * Answers the modal or sheet that was shown last and still waits.
   *
   * @param {{confirm?: boolean, content?: string, tapIndex?: number}} choice
   * @throws {Error} if nothing waits for an answer
   */
  answer(choice) {
    const shown = 'confirm' in choice ? this.modals : this.sheets;
    const waiting = shown.filter((one) => !one.answered).at(-1);
    if (!waiting) throw new Error('no modal or action sheet waits for an answer');
    waiting.answer(/** @type {any} */ (choice));
  }

  /** @returns {{async: Record<string, (options: any) => any>, sync: Record<string, Function>}} */
  api() {
    const nothing = () => {};
    return {
      async: {
        showToast: ({title = '', icon = 'success', duration = TOAST_MS}) => this.#toast(title, icon, duration),
        hideToast: () => this.#hideToast(),
        showLoading: ({title = ''}) => this.#toast(title, 'loading', 0),
        hideLoading: () => this.#hideToast(),
        showModal: (options) => this.#modal(options),
        showActionSheet: (options) => this.#sheet(options),
        setNavigationBarTitle: ({title}) => this.#setBar({title: String(title)}),
        setNavigationBarColor: ({frontColor, backgroundColor}) => this.#setBar({frontColor, backgroundColor}),
        showNavigationBarLoading: () => this.#setBar({loading: true}),
        hideNavigationBarLoading: () => this.#setBar({loading: false}),
        hideHomeButton: nothing, setBackgroundColor: nothing, setBackgroundTextStyle: nothing, pageScrollTo: nothing,
        startPullDownRefresh: nothing, stopPullDownRefresh: nothing, showShareMenu: nothing, hideShareMenu: nothing,
        updateShareMenu: nothing, showTabBar: nothing, hideTabBar: nothing, setTabBarItem: nothing,
        setTabBarBadge: nothing, removeTabBarBadge: nothing, setPageOrientation: nothing,
        enableAlertBeforeUnload: nothing, disableAlertBeforeUnload: nothing,
      },
      sync: {},
    };
  }

  /** @param {Partial<import('../pages.js').NavigationBar>} changes */
  #setBar(changes) {
    const bar = this.#bar();
    if (!bar) throw new ApiError('no page');
    Object.assign(bar, changes);
  }

  /** Ends the timer of a toast. */
  close() {
    this.#clock.clearTimeout(this.#toastTimer);
  }

  /**
   * @param {string} title
   * @param {string} icon
   * @param {number} duration
   */
  #toast(title, icon, duration) {
    this.#hideToast();
    const toast = {title: String(title), icon, visible: true};
    keep(this.toasts, toast);
    if (duration > 0) {
      this.#toastTimer = this.#clock.setTimeout(() => {
        toast.visible = false;
      }, duration);
    }
  }

  #hideToast() {
    this.#clock.clearTimeout(this.#toastTimer);
    const last = this.toasts.at(-1);
    if (last) last.visible = false;
  }

  /** @param {any} options of wx.showModal */
  #modal({title = '', content = '', showCancel = true}) {
    return new Promise((resolve) => {
      /** @type {Modal} */
      const modal = {
        title: String(title), content: String(content), showCancel, answered: false,
        answer: ({confirm, content: typed}) => {
          if (modal.answered) throw new Error(`the modal "${modal.title}" has been answered`);
          if (!confirm && !showCancel) throw new Error(`the modal "${modal.title}" has no cancel button`);
          modal.answered = true;
          resolve({confirm: Boolean(confirm), cancel: !confirm, content: typed ?? null});
        },
      };
      keep(this.modals, modal);
    });
  }

  /** @param {any} options of wx.showActionSheet */
  #sheet({itemList}) {
    if (!Array.isArray(itemList) || itemList.length === 0) {
      throw new ApiError('parameter error: itemList should be an array');
    }
    if (itemList.length > MAX_SHEET_ITEMS) {
      throw new ApiError(`parameter error: itemList should not exceed ${MAX_SHEET_ITEMS}`);
    }
    return new Promise((resolve, reject) => {
      /** @type {Sheet} */
      const sheet = {
        itemList: itemList.map(String), answered: false,
        answer: ({tapIndex}) => {
          if (sheet.answered) throw new Error('the action sheet has been answered');
          if (tapIndex !== undefined && !(tapIndex in itemList)) {
            throw new Error(`the action sheet has no item ${tapIndex}`);
          }
          sheet.answered = true;
          if (tapIndex === undefined) reject(new ApiError('cancel'));
          else resolve({tapIndex});
        },
      };
      keep(this.sheets, sheet);
    });
  }
}

/**
 * @template T
 * @param {T[]} list
 * @param {T} item
 */
function keep(list, item) {
  list.push(item);
  if (list.length > MAX_KEPT) list.shift();
}
