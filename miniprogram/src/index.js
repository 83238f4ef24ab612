/** Everything in one file: Queqiao's own API, and the vendors' shapes under their names. */
export * from './client.js';
export * as agora from './agora/index.js';
export * as plugin from './plugin/index.js';
export * as volcengine from './volcengine/index.js';
export * as zego from './zego/index.js';
