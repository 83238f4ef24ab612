/** A gesture after which a browser lets a page make sound. */
const GESTURES = ['pointerup', 'touchend', 'keydown', 'click'];

/** @type {Set<() => void>} */
const waiting = new Set();

/**
 * Runs something at the user's next gesture.
 *
 * @param {() => void} run
 * @returns {() => void} takes it back
 */
export function atNextGesture(run) {
  if (waiting.size === 0) for (const gesture of GESTURES) document.addEventListener(gesture, runAll, { capture: true });
  waiting.add(run);
  return () => {
    waiting.delete(run);
    if (waiting.size === 0) stopListening();
  };
}

function runAll() {
  const due = [...waiting];
  waiting.clear();
  stopListening();
  for (const run of due) run();
}

function stopListening() {
  for (const gesture of GESTURES) document.removeEventListener(gesture, runAll, { capture: true });
}

/** What the page wants to hear of sound that the browser held back. @type {{ failed: (() => void) | null }} */
export const autoplay = { failed: null };

/**
 * Plays an element, now or, where the browser forbids it, at the next gesture.
 *
 * @param {HTMLMediaElement} element
 * @returns {() => void} gives the waiting up
 */
export function start(element) {
  let stopped = false;
  /** @type {() => void} */
  let takeBack = () => {};
  const attempt = () => {
    element.play().catch((/** @type {unknown} */ cause) => {
      // Any other failure, as by a new source, is followed by another attempt or by the end.
      if (stopped || !(cause instanceof DOMException && cause.name === 'NotAllowedError')) return;
      takeBack = atNextGesture(attempt);
      autoplay.failed?.();
    });
  };
  attempt();
  return () => {
    stopped = true;
    takeBack();
  };
}
