/** What the server makes of a room for those who play one stream: its sound without their own, and who speaks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faults, FlvPlayer } from './lib/flv.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, sleep, until } from './lib/scope.mjs';
import { Signaller } from './lib/signalling.mjs';
import { loudness } from './lib/sound.mjs';
import { pushRtmp } from './lib/source.mjs';
import { steps } from './lib/steps.mjs';
import { suite } from './lib/suite.mjs';

const ROOM = 'mixed';
/** Whose tone and whose pictures are whose. */
const ANNA = { tone: 310, firstNumber: 15_000 };
const BEA = { tone: 530, firstNumber: 30_000 };
const CARL = { tone: 770, firstNumber: 45_000 };
/** As loud as a voice is that nobody talks over. */
const LOUD = 3;

const s = suite();

/** @param {import('./lib/recording.mjs').Recording} recording how loud everybody is in it */
function voices(recording) {
  const part = recording.skip(1.5);
  return loudness(part.pcm(), part.rate, [ANNA.tone, BEA.tone, CARL.tone]);
}

/** @param {number[]} heard @param {boolean[]} expected */
function assertHeard(heard, expected) {
  const text = heard.map((level) => level.toFixed(4)).join(' ');
  for (const [index, level] of heard.entries()) {
    if (expected[index]) assert.ok(level > 0.05, `one is not heard: ${text}`);
    else assert.ok(level < 0.004, `one is heard: ${text}`);
  }
}

test('a room has one sound for each who plays it, and one picture of who speaks', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const step = steps(t, () => s.server.child.tail());
  const { client: anna } = await Signaller.join(scope, s.server, ROOM, 'anna', { platform: 'miniprogram' });
  const { client: dora } = await Signaller.join(scope, s.server, ROOM, 'dora', { platform: 'miniprogram' });
  const push = await anna.request('publish', { stream: 'camera', audio: true, video: true });
  const annas = pushRtmp(scope, push['rtmp'], ANNA);
  const beas = pushRtmp(scope, s.server.rtmpUrl(`${ROOM}/bea`), { ...BEA, rate: 44_100, channels: 2 });
  const tab = await s.browser.publish({ url: s.server.whipUrl(`${ROOM}/carl`), ...CARL });
  await until('the browser is connected', 5000, async () => (await tab.state()) === 'connected');
  await sleep(1000);

  await step('who only listens hears everybody, and who speaks everybody else', async () => {
    const mixes = await Promise.all([dora, anna].map(async (client, index) => {
      const uid = ['dora', 'anna'][index];
      return client.request('subscribe', { uid, stream: 'mix' });
    }));
    const players = mixes.map((mix) => play(scope, mix['rtmp'], { video: false }));
    const beasMix = play(scope, s.server.rtmpUrl(`${ROOM}/bea~mix`), { video: false });
    await sleep(6000);
    const [doras, annas, beas] = await Promise.all([...players, beasMix].map((player) => player.stop()));
    assert.ok(doras && annas && beas);
    assertHeard(voices(doras), [true, true, true]);
    assertHeard(voices(annas), [false, true, true]);
    assertHeard(voices(beas), [true, false, true]);
    for (const recording of [doras, annas, beas]) {
      const seconds = recording.pcm().length / recording.rate;
      assert.ok(seconds > 4.5, `${seconds} s of sound`);
    }
  });

  await step('a muted speaker is not heard, and the sound goes on', async () => {
    await anna.request('mute', { stream: 'camera', kind: 'audio', muted: true });
    const mix = await dora.request('subscribe', { uid: 'dora', stream: 'mix' });
    const flv = new FlvPlayer(scope, mix['flv']);
    await sleep(3000);
    const tags = await flv.stop();
    assert.deepEqual(faults(tags), []);
    const times = tags.filter((tag) => tag.type === 'audio' && !tag.header).map((tag) => tag.timestamp);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    assert.ok(times.length > 100 && Math.max(...gaps) <= 22, `${times.length} frames, ${Math.max(...gaps)} ms apart`);
    const player = play(scope, s.server.rtmpUrl(`${ROOM}/eve~mix`), { video: false });
    await sleep(4000);
    assertHeard(voices(await player.stop()), [false, true, true]);
    await anna.request('mute', { stream: 'camera', kind: 'audio', muted: false });
  });

  await step('the pictures follow who speaks, with the sound of all, and who follows is told', async () => {
    const speaker = await dora.request('subscribe', { uid: 'dora', stream: 'speaker' });
    const player = play(scope, speaker['rtmp']);
    /** @param {number} first */
    const shows = (first) =>
      until(`pictures from ${first}`, 6000, () => {
        const number = player.recording.lastNumber();
        return number >= first && number < first + 15_000;
      });
    /** @param {string} uid @param {{ firstNumber: number }} who @param {[number, number]} levels */
    const speaks = async (uid, who, [one, other]) => {
      [annas.source.loudness, beas.source.loudness] = [one, other];
      const begun = Date.now();
      await until(`${uid} is the speaker`, 6000, () => dora.inbox.some((m) => m['event'] === 'speaker' && m['uid'] === uid));
      const told = Date.now() - begun;
      await shows(who.firstNumber);
      t.diagnostic(`${uid}: told after ${told} ms, shown after ${Date.now() - begun} ms`);
      dora.inbox = [];
      await sleep(1600);
    };
    await speaks('anna', ANNA, [LOUD, 0]);
    await speaks('bea', BEA, [0, LOUD]);
    await speaks('carl', CARL, [0, 0]);
    await speaks('anna', ANNA, [LOUD, 0]);
    const recording = await player.stop();
    const times = recording.frames.map((frame) => frame.at);
    assert.ok(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0)), 'times go on');
    const unread = recording.frames.filter((frame) => frame.number === null).length;
    assert.ok(unread <= recording.frames.length / 20, `${unread} of ${recording.frames.length} pictures are broken`);
    const lips = recording.since(times.at(-1) ?? 0);
    assert.ok(lips.frames.length > 0);
  });

  await step('who speaks sees who spoke before', async () => {
    const own = await anna.request('subscribe', { uid: 'anna', stream: 'speaker', audio: false });
    const player = play(scope, own['rtmp'], { audio: false });
    await player.firstFrame(6000);
    const number = player.recording.lastNumber();
    assert.ok(number >= CARL.firstNumber, `${number}`);
    await player.stop();
  });

  await step('what the server makes is asked for under ones own uid, and by its address alone', async () => {
    const { client: eve } = await Signaller.join(scope, s.server, ROOM, 'eve');
    assert.equal((await eve.refusal('subscribe', { uid: 'eve', stream: 'mix' }))['code'], 'only_by_address');
    assert.equal((await dora.refusal('subscribe', { uid: 'anna', stream: 'mix' }))['code'], 'no_such_stream');
    await eve.request('subscribe', { uid: 'eve', stream: 'speaker' });
    assert.equal((await eve.event('speaker'))['uid'], 'anna');
    await eve.request('unsubscribe', { uid: 'eve', stream: 'speaker' });
    assert.equal((await anna.refusal('publish', { stream: 'mix', audio: true, video: false }))['code'], 'made_by_server');
  });
});
