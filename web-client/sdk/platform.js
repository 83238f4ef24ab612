/** The core's platform in a browser. */

/** @type {import('../core/ports.js').Clock} */
const clock = {
  now: () => performance.now(),
  setTimer: (run, delayMs) => setTimeout(run, delayMs),
  clearTimer: (timer) => clearTimeout(/** @type {number} */ (timer)),
};

/** @type {import('../core/ports.js').Platform} */
export const browserPlatform = {
  clock,
  random: () => Math.random(),
  openSocket: (url, { opened, received, closed }) => {
    const socket = new WebSocket(url);
    socket.addEventListener('open', () => opened());
    socket.addEventListener('message', ({ data }) => received(data));
    socket.addEventListener('close', () => closed());
    return {
      // A browser says of a socket that closes, and is about to say so itself, that it can take nothing more: as an error.
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => socket.close(),
    };
  },
};
