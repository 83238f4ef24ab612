/** A TCP path to the server that can be cut, on loopback. */
import { connect, createServer } from 'node:net';

/** A running relay. */
class TcpRelay {
  /** Connections of both sides. @type {Set<import('node:net').Socket>} */
  #sockets = new Set();
  #passing = true;

  /** @param {import('node:net').Server} server @param {string} host @param {number} port of the server behind it */
  constructor(server, host, port) {
    server.on('connection', (near) => {
      if (!this.#passing) {
        near.destroy();
        return;
      }
      const far = connect(port, host);
      for (const [from, to] of [[near, far], [far, near]]) {
        if (!from || !to) continue;
        this.#sockets.add(from);
        from.setNoDelay(true);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    this.port = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
  }

  /** How many connections pass through. */
  get open() {
    return this.#sockets.size / 2;
  }

  /** Breaks every connection and lets no new one through. */
  cut() {
    this.#passing = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Lets connections through again. */
  mend() {
    this.#passing = true;
  }
}

/**
 * Starts a relay to a TCP address of the server.
 * @param {import('./scope.mjs').Scope} scope
 * @param {string} address `host:port`
 * @returns {Promise<TcpRelay>}
 */
export function startTcpRelay(scope, address) {
  const [host = '', port] = address.split(':');
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const relay = new TcpRelay(server, host, Number(port));
      scope.defer(() => {
        relay.cut();
        server.close();
      });
      resolve(relay);
    });
  });
}
