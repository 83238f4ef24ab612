/** Where this mini-program calls. All of it can be changed on the first page while you try things out. */
module.exports = {
  /** The server of Queqiao. WeChat wants TLS and an entry of `wss://` and the host in the allow-list; see docs/miniprogram.md. */
  server: 'https://queqiao.example.com',

  /** An app of the server's configuration. `demo` needs no token, and exists only while the server listens on loopback. */
  app: 'demo',

  /**
   * Your own back end, which knows who the user is and answers a POST of `{ app, room, uid, role }` with `{ "token": "…" }`.
   * Its host has to be in the allow-list too. Empty: no token, or the one that is typed on the first page.
   */
  tokenUrl: '',
};
