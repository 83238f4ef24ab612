import assert from 'node:assert/strict';
import test from 'node:test';
import { Connection } from '../core/connection.js';
import { codeOf } from '../core/errors.js';
import { encode } from '../core/protocol.js';
import { Room } from '../core/room.js';
import { fixtures, settle, without, World } from './core-world.mjs';

/** @typedef {import('./core-world.mjs').Message} Message */

/** One participant of a transcript. */
class Player {
  room = new Room();
  /** @type {unknown[]} */
  events = [];
  /** @type {unknown[]} */
  expectedEvents = [];
  /** @type {Promise<unknown> | undefined} */
  answer;
  id = 0;
  again = 0;

  /** @param {World} world @param {Message} join */
  constructor(world, join) {
    this.world = world;
    this.connection = new Connection({
      url: 'ws://127.0.0.1/signal',
      platform: { ...world.platform, openSocket: (url, events) => this.take(world.platform.openSocket(url, events)) },
      join: without(join, 'id', 'type', 'version'),
      events: {
        changed: () => {},
        joined: (reply, again) => {
          this.again += Number(again);
          this.room.reset(reply);
        },
        resumed: () => {},
        event: (event) => {
          this.events.push(event);
          this.room.apply(event);
        },
        ended: () => {},
      },
    });
    this.answer = this.connection.start();
    this.answer.catch(() => {});
  }

  /** @param {import('./core-world.mjs').FakeSocket} socket */
  take(socket) {
    this.socket = socket;
    return socket;
  }

  /** @param {Message} message what the core must have sent last */
  sent(message) {
    const { id, ...sent } = this.socket.last(String(message.type));
    assert.deepEqual(sent, without(message, 'id'));
    this.id = Number(id);
  }

  /** @param {Message} message */
  async ask(message) {
    const { type, ...fields } = without(message, 'id');
    this.answer = type === 'leave' ? this.connection.leave() : this.connection.request(type, fields);
    this.answer.catch(() => {});
    await settle();
    this.sent(message);
  }

  /** @param {Message} message */
  async hear(message) {
    if ('seq' in message) {
      this.expectedEvents.push(without(message, 'seq'));
      await this.socket.say(message);
      return;
    }
    const answer = this.answer;
    await this.socket.say({ ...message, id: this.id });
    if (message.error !== undefined) await assert.rejects(Promise.resolve(answer), { reason: message.error.code });
    else if (answer !== undefined) await answer;
  }
}

/** @param {import('./core-world.mjs').Step[]} steps */
async function replay(steps) {
  const world = new World();
  world.pongs = false;
  /** @type {Map<string, Player>} */
  const players = new Map();
  /** @type {Player[]} */
  const all = [];
  for (const { client, direction, message, seconds } of steps) {
    if (direction === 'wait') {
      // Transcripts leave the heartbeats out.
      world.pongs = true;
      await world.pass(Number(seconds) * 1000);
      world.pongs = false;
      continue;
    }
    if (direction === 'client' && message.type === 'join') {
      const player = new Player(world, message);
      await player.socket.open();
      player.sent(message);
      players.set(client, player);
      all.push(player);
      continue;
    }
    // Whoever resumes is the one who was lost, under another name in the transcript.
    const player = players.get(client) ?? players.get(client.replace(/ again$/, ''));
    assert.ok(player);
    players.set(client, player);
    if (direction === 'lost') await player.socket.drop();
    else if (direction === 'server') await player.hear(message);
    else if (message.type === 'resume') {
      await world.pass(1000);
      await player.socket.open();
      player.answer = undefined;
      // A transcript may pretend that an event was lost with the connection; the core did get it.
      const seen = player.expectedEvents.length;
      assert.ok(Number(message.last_seq) <= seen);
      player.sent({ ...message, last_seq: seen });
    } else await player.ask(message);
  }
  return { world, all };
}

for (const { name, transcript } of fixtures('transcript').filter(({ name }) => name !== 'transcript.refusals')) {
  test(`${name} is what the core says and hears`, async () => {
    // A lost resume rejects nobody's promise: the core joins again by itself.
    const steps = transcript.filter(({ message }) => message?.error?.code !== 'resume_impossible');
    const { world, all } = await replay(steps);
    for (const player of all) {
      assert.deepEqual(JSON.parse(JSON.stringify(player.events)), player.expectedEvents);
      assert.deepEqual({ ...player.connection.counters }, { malformed: 0, unknown: 0, unmatched: 0, duplicate: 0, gaps: 0 });
      assert.equal(player.again, 0);
      const leaving = player.connection.leave();
      await world.pass(2000);
      await leaving;
    }
    assert.equal(world.timers, 0);
  });
}

test('transcript.refusals: what the core can say it says so, and it knows every refusal', () => {
  const [{ transcript }] = fixtures('transcript.refusals');
  /** @type {string[]} */
  const unspeakable = [];
  for (const { direction, message } of transcript) {
    if (direction === 'server') {
      const code = message.error?.code;
      if (code !== undefined && code !== 'invalid_id') assert.notEqual(codeOf(code), 'UNEXPECTED_RESPONSE', code);
      continue;
    }
    const { id, type, ...fields } = message;
    try {
      const sent = JSON.parse(encode(id, type, fields));
      if (id === undefined) unspeakable.push('no id');
      else assert.deepEqual(sent, message);
    } catch (error) {
      unspeakable.push(error.data?.field ?? type);
    }
  }
  assert.deepEqual(unspeakable, ['fly', 'room', 'version', 'no id', 'room']);
});
