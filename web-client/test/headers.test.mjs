import assert from 'node:assert/strict';
import test from 'node:test';
import { iceServers, parseLinks, resolveLocation, retryAfterMs } from '../src/headers.js';

test('links are told apart although commas and semicolons stand inside them', () => {
  const links = parseLinks('<turn:turn.example.net?a=1,2>; rel="ice-server"; credential="x,y;\\"z", <style.css>;REL=next');
  assert.equal(links.length, 2);
  assert.equal(links[0]?.target, 'turn:turn.example.net?a=1,2');
  assert.equal(links[0]?.params.get('credential'), 'x,y;"z');
  assert.equal(links[1]?.params.get('rel'), 'next');
});

test('what is not a link is left out', () => {
  assert.deepEqual(parseLinks(null), []);
  assert.deepEqual(parseLinks('no brackets; rel=next, ,<'), []);
});

test('ICE servers come from links of that relation, with their credentials', () => {
  const value = [
    '<stun:stun.example.net>; rel="ice-server"',
    '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="pass"; credential-type="password"',
    '<https://example.net/>; rel="ice-server"',
    '<stun:other.example.net>; rel="next"',
  ].join(', ');
  assert.deepEqual(iceServers(value), [
    { urls: 'stun:stun.example.net' },
    { urls: 'turn:turn.example.net?transport=udp', username: 'user', credential: 'pass' },
  ]);
});

test('a location is taken relative to the address that was posted to', () => {
  const posted = 'http://127.0.0.1:8080/whip/demo/lobby/web-1';
  assert.equal(resolveLocation('/session/7', posted), 'http://127.0.0.1:8080/session/7');
  assert.equal(resolveLocation('web-1/7', posted), 'http://127.0.0.1:8080/whip/demo/lobby/web-1/7');
  assert.equal(resolveLocation('https://b.example.net/7', posted), 'https://b.example.net/7');
  assert.equal(resolveLocation('javascript:alert(1)', posted), null);
  assert.equal(resolveLocation('', posted), null);
  assert.equal(resolveLocation(null, posted), null);
});

test('Retry-After is read as seconds or a date and kept within bounds', () => {
  const now = Date.parse('Thu, 01 Jan 2026 00:00:00 GMT');
  assert.equal(retryAfterMs('3', now), 3000);
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', now), 5000);
  assert.equal(retryAfterMs('0', now), 500);
  assert.equal(retryAfterMs('86400', now), 30_000);
  assert.equal(retryAfterMs('soon', now), null);
  assert.equal(retryAfterMs(null, now), null);
});
