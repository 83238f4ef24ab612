/** What a mini-program has beside the language. */
declare const wx: import('./wx.js').Wx | undefined;
declare function setTimeout(run: () => void, delayMs: number): number;
declare function clearTimeout(timer: number | undefined): void;
declare const console: {
  log(...args: unknown[]): void;
  info(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  error(...args: unknown[]): void;
};
