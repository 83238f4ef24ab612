/** Queqiao in a WeChat mini-program: docs/miniprogram.md. */
export { RtcError } from '../../web-client/core/errors.js';
export { Client, ROTATION, rotationOf } from './core/client.js';

/** The same as in package.json. */
export const VERSION = '0.1.0';
