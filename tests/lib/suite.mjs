/**
 * A server, and a browser where one is wanted, for all tests of a file.
 */
import { after, before } from 'node:test';
import { launch } from './chromium.mjs';
import { Scope } from './scope.mjs';
import { startServer } from './server.mjs';

/**
 * @typedef {object} Suite
 * @property {import('./server.mjs').Server} server
 * @property {import('./chromium.mjs').Browser} browser
 * @property {Scope} scope lives as long as the file's tests
 */

/**
 * @param {object} [options]
 * @param {boolean} [options.browser] whether a browser is wanted
 * @param {Record<string, string>} [options.env] for the server
 * @param {string} [options.config] the text of its TOML file
 * @param {(suite: Suite) => Promise<void>} [options.prepare] runs once both are there
 */
export function suite({ browser = true, env = {}, config, prepare } = {}) {
  const scope = new Scope();
  const things = /** @type {Suite} */ ({ scope });
  before(
    async () => {
      things.server = await startServer(scope, { env, ...(config === undefined ? {} : { config }) });
      if (browser) things.browser = await launch(scope);
      await prepare?.(things);
    },
    { timeout: 40_000 },
  );
  after(() => scope.close(), { timeout: 20_000 });
  return things;
}
