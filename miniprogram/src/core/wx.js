/** What the SDK needs of `wx`, and the core's platform on it. */

/**
 * @typedef {object} SocketTask
 * @property {(options: { data: string, fail?: (error: unknown) => void }) => void} send
 * @property {(options: { code?: number, reason?: string, fail?: () => void }) => void} close
 * @property {(listener: (event: unknown) => void) => void} onOpen
 * @property {(listener: (event: { data: unknown }) => void) => void} onMessage
 * @property {(listener: (event: unknown) => void) => void} onClose
 * @property {(listener: (event: unknown) => void) => void} onError
 */

/**
 * The part of `wx` that is used. What is optional came with later versions of WeChat.
 *
 * @typedef {object} Wx
 * @property {(options: { url: string, tcpNoDelay?: boolean, fail?: (error: unknown) => void }) => SocketTask} connectSocket
 * @property {(listener: () => void) => void} [onAppShow]
 * @property {(listener: () => void) => void} [offAppShow]
 * @property {(listener: () => void) => void} [onNetworkStatusChange]
 * @property {(listener: () => void) => void} [offNetworkStatusChange]
 */

/** Closing that is no fault (RFC 6455 section 7.4.1). */
const NORMAL_CLOSURE = 1000;

/** @returns {Wx} the one of the mini-program that this runs in */
export function globalWx() {
  if (typeof wx === 'undefined') throw new Error('there is no wx: this SDK runs in a WeChat mini-program');
  return wx;
}

/** Time that does not run backwards when the phone's clock is set. @returns {() => number} milliseconds */
function steadyClock() {
  let last = Date.now();
  let passed = 0;
  return () => {
    const now = Date.now();
    if (now > last) passed += now - last;
    last = now;
    return passed;
  };
}

/**
 * The core's platform in a mini-program.
 *
 * @param {Wx} wx
 * @returns {import('../../../web-client/core/ports.js').Platform}
 */
export function wxPlatform(wx) {
  return {
    clock: {
      now: steadyClock(),
      setTimer: (run, delayMs) => setTimeout(run, delayMs),
      clearTimer: (timer) => clearTimeout(/** @type {number} */ (timer)),
    },
    random: () => Math.random(),
    openSocket: (url, events) => openSocket(wx, url, events),
  };
}

/**
 * @param {Wx} wx
 * @param {string} url
 * @param {import('../../../web-client/core/ports.js').SocketEvents} events
 */
function openSocket(wx, url, { opened, received, closed }) {
  let open = false;
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    closed();
  };
  // Without a callback newer versions return a promise, which nobody would wait for. A host that is not on the
  // allow-list, or a sixth socket, is reported here alone.
  const task = wx.connectSocket({ url, tcpNoDelay: true, fail: end });
  task.onOpen(() => {
    open = true;
    if (over) close(task);
    else opened();
  });
  task.onMessage(({ data }) => {
    if (!over) received(data);
  });
  task.onClose(end);
  task.onError(end);
  return {
    send: (/** @type {string} */ text) => task.send({ data: text, fail: end }),
    close: () => {
      over = true;
      // Closing one that is not open yet fails in some versions and leaves it open: it is closed as soon as it opens.
      if (open) close(task);
      else closeUnopened(task);
    },
  };
}

/** @param {SocketTask} task */
function close(task) {
  // The other side may have closed it just now: without a callback a promise would fail, which nobody waits for.
  task.close({ code: NORMAL_CLOSURE, reason: 'left', fail: () => {} });
}

/** @param {SocketTask} task */
function closeUnopened(task) {
  try {
    close(task);
  } catch {
    // It is closed when it opens.
  }
}

/**
 * Calls `changed` when the mini-program comes to the foreground and when the network changes.
 *
 * @param {Wx} wx
 * @param {() => void} changed
 * @returns {() => void} stops it
 */
export function watchSurroundings(wx, changed) {
  wx.onAppShow?.(changed);
  wx.onNetworkStatusChange?.(changed);
  return () => {
    wx.offAppShow?.(changed);
    wx.offNetworkStatusChange?.(changed);
  };
}
