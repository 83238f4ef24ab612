import assert from 'node:assert/strict';
import test from 'node:test';
import { backoffMs } from '../src/backoff.js';
import { asSessionError, errorFromRefusal, SessionError } from '../src/errors.js';

test('a refusal keeps the code and the message of the server', () => {
  const body = '{"error":{"code":"token_expired","message":"expired an hour ago"}}';
  const error = errorFromRefusal({ status: 401, body, retryAfterMs: null });
  assert.equal(error.code, 'token_expired');
  assert.equal(error.message, 'expired an hour ago');
  assert.equal(error.status, 401);
});

test('a refusal in any other form is known by its status', () => {
  for (const body of ['', 'Not Found', '<html>', 'null', '{"error":"no"}', '{"error":{"code":7}}', '[1]']) {
    const error = errorFromRefusal({ status: 404, body, retryAfterMs: 2000 });
    assert.equal(error.code, 'http_error', body);
    assert.equal(error.message, 'the server answered 404', body);
    assert.equal(error.retryAfterMs, 2000);
  }
});

test('only failures that may pass by themselves are tried again', () => {
  const refused = (/** @type {number} */ status) => errorFromRefusal({ status, body: '', retryAfterMs: null });
  assert.deepEqual([500, 503, 429].map((status) => refused(status).transient), [true, true, true]);
  assert.deepEqual([400, 401, 403, 404].map((status) => refused(status).transient), [false, false, false, false]);
  assert.equal(asSessionError(new TypeError('Failed to fetch')).transient, true);
  assert.equal(asSessionError(new DOMException('late', 'TimeoutError')).code, 'timeout');
  assert.equal(new SessionError('no_h264', '').transient, false);
});

test('waits grow up to a limit and differ between clients', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 99].map((attempt) => backoffMs(attempt, 0)), [500, 1000, 2000, 4000, 8000, 8000, 8000]);
  assert.equal(backoffMs(0, 1), 375);
});
