/** The page that the server serves at `/`: a call of three tabs and an encoder, and what else the page promises. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report, summary } from './lib/content.mjs';
import { assertNoErrors, CAST, FEWEST, Guest, SOON, SPAN } from './lib/guest.mjs';
import { play } from './lib/player.mjs';
import { scopeOf, until } from './lib/scope.mjs';
import { appConfig, makeToken, startServer } from './lib/server.mjs';
import { pushRtmp } from './lib/source.mjs';
import { steps } from './lib/steps.mjs';
import { suite } from './lib/suite.mjs';

const s = suite();

test('three tabs and an encoder hold a call', { timeout: 240_000 }, async (t) => {
  const scope = scopeOf(t);
  /** @type {Guest[]} */
  const guests = [];
  const step = steps(t, async () => {
    const known = [];
    for (const guest of guests) known.push(await guest.diagnosis());
    return known.join('\n');
  });
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=call' });
  guests.push(alice);
  await until('the meter moves', SOON, async () => Number(await alice.on('meter').getAttribute('aria-valuenow')) > 10);
  await alice.on('preview').locator('video').waitFor();
  await alice.join();
  await alice.on('alone').waitFor();

  await step('the panel brings others into the same room', async (t) => {
    await alice.on('bring').click();
    const link = (await alice.on('join-link').innerText()).trim();
    assert.equal(link, `http://${s.server.http}/?app=demo&room=call`);
    await alice.on('rtmp-uid').fill('encoder');
    assert.equal((await alice.on('rtmp-url').innerText()).trim(), s.server.rtmpUrl('call/encoder'));
    assert.match(await alice.on('ffmpeg-line').innerText(), new RegExp(`"${s.server.rtmpUrl('call/encoder')}"$`));
    const { width } = await alice.on('qr-link').evaluate(async (image) => {
      const picture = /** @type {HTMLImageElement} */ (image);
      await picture.decode();
      return { width: picture.naturalWidth };
    });
    assert.ok(width > 0, 'the QR code of the link');
    t.diagnostic(`the link is ${link}`);
    await alice.page.keyboard.press('Escape');
  });

  const bob = await Guest.open(s, scope, 'bob', { query: 'app=demo&room=call' });
  const carol = await Guest.open(s, scope, 'carol', { query: 'app=demo&room=call&role=audience' });
  guests.push(bob, carol);
  await Promise.all([bob.join(), carol.join()]);
  pushRtmp(scope, s.server.rtmpUrl('call/encoder'), CAST.encoder);

  await step('everybody sees and hears everybody', async (t) => {
    await alice.sees(t, 'bob');
    await alice.sees(t, 'encoder');
    await bob.sees(t, 'alice');
    for (const uid of /** @type {const} */ (['alice', 'bob', 'encoder'])) await carol.sees(t, uid);
    await alice.hears(['bob', 'encoder']);
    await carol.hears(['alice', 'bob', 'encoder']);
    assert.match(await alice.on('count').innerText(), /4 in the room/);
    assert.equal(await alice.tile('encoder').getByTestId('tile-platform').innerText(), 'Encoder');
    assert.equal(await alice.tile('bob').getByTestId('tile-platform').innerText(), 'Browser');
    assert.equal(await alice.tile('carol').count(), 0, 'the audience has no tile');
    await alice.tileIs('bob', /speaking/);
  });

  await step('an RTMP player plays what the page publishes', async (t) => {
    // A browser's first keyframe may take its time on a machine that is busy with all of them.
    const input = ['-flags', 'low_delay', '-analyzeduration', '5000000'];
    const player = play(scope, s.server.rtmpUrl('call/alice'), { input });
    await player.firstFrame(SOON);
    await until('sound by RTMP', SOON, () => player.recording.pcm().length > 3 * player.recording.rate);
    const seen = report((await player.stop()).skip(1));
    t.diagnostic(summary(seen));
    assert.ok(seen.frames >= FEWEST && seen.backward === 0, summary(seen));
    assert.ok(seen.first >= CAST.alice.firstNumber && seen.last < SPAN, 'it plays somebody else');
    assert.ok(Math.abs(seen.hertz - CAST.alice.tone) < 6 && seen.steady > 0.9, summary(seen));
  });

  await step('each tile has live statistics', async () => {
    await alice.page.keyboard.press('t');
    const stats = alice.tile('bob').getByTestId('stats');
    await until('a bitrate and a latency', SOON, async () => {
      const text = await stats.innerText();
      return /Bitrate\s+[1-9][\d.,]* [kM]bit\/s/.test(text) && /Frames\/s\s+[1-9]/.test(text) && /Round trip\s+\d+ ms/.test(text);
    });
    const drawn = await stats.locator('canvas').first().evaluate((element) => {
      const canvas = /** @type {HTMLCanvasElement} */ (element);
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return data.some((value) => value > 0);
    });
    assert.ok(drawn, 'the chart of the bitrate');
    await alice.page.keyboard.press('t');
    assert.equal(await stats.isVisible(), false);
  });

  await step('mute and camera are seen and heard by the others', async (t) => {
    await bob.page.keyboard.press('m');
    await alice.tileIs('bob', /muted/);
    await alice.hears(['encoder']);
    await bob.on('mic').click();
    await alice.hears(['bob', 'encoder']);
    await bob.on('camera').click();
    await until('the picture is gone', SOON, async () => !/shown/.test((await alice.tile('bob').getAttribute('class')) ?? ''));
    await bob.on('camera').click();
    await alice.tileIs('bob', /shown/);
    await alice.sees(t, 'bob');
  });

  await step('who goes on stage is seen there, and goes again', async (t) => {
    await carol.on('role').click();
    await carol.on('mic').click();
    await carol.on('camera').click();
    await alice.sees(t, 'carol');
    await alice.hears(['bob', 'carol', 'encoder']);
    await alice.choose('carol', 'menu-mute');
    await carol.isTold(/An admin has turned your microphone off/);
    await alice.hears(['bob', 'encoder']);
    await alice.choose('carol', 'menu-mute');
    await carol.isTold(/You may turn your microphone on again/);
    await carol.on('role').click();
    await until('the tile is gone', SOON, async () => (await alice.tile('carol').count()) === 0);
    await alice.isTold(/carol is in the audience now/);
  });

  await step('a shared screen is large for the others, until it ends', async () => {
    await bob.on('screen').click();
    const screen = alice.tile('bob', 'screen');
    await screen.locator('video').waitFor({ timeout: SOON });
    assert.match((await screen.getAttribute('class')) ?? '', /large/);
    const [shared, seen] = await Promise.all([picture(bob.tile('bob', 'screen')), picture(screen)]);
    const apart = shared.map((value, i) => Math.abs(value - (seen[i] ?? 0)));
    const mean = apart.reduce((sum, value) => sum + value, 0) / apart.length;
    assert.ok(Math.max(...shared) - Math.min(...shared) > 30, 'there is something on the screen');
    assert.ok(mean < 24, `the screen looks different, by ${mean}`);
    await bob.page.keyboard.press('s');
    await until('the screen is gone', SOON, async () => (await screen.count()) === 0);
  });

  await step('messages reach all, or one', async () => {
    await bob.says('hello all');
    await alice.isTold(/bob: hello all/);
    await carol.isTold(/bob: hello all/);
    await alice.choose('bob', 'menu-message');
    await alice.says('between us');
    await bob.on('message').filter({ hasText: 'between us' }).filter({ hasText: 'to you alone' }).waitFor();
    assert.equal(await carol.page.getByText('between us').count(), 0);
    await alice.page.keyboard.press('Escape');
  });

  await step('a cut of the signalling is said, and leaves no gap in the media', async (t) => {
    await bob.context.setOffline(true);
    await bob.on('reconnecting').waitFor({ timeout: 25_000 });
    await alice.tileIs('bob', /away/);
    const during = await alice.sees(t, 'bob');
    assert.ok(during.freeze < 1, `the picture froze for ${during.freeze} s`);
    await bob.context.setOffline(false);
    await bob.isTold(/Connected again/);
    await until('the banner is gone', SOON, async () => !(await bob.on('reconnecting').isVisible()));
    await until('bob is back for alice', SOON, async () => !/away/.test((await alice.tile('bob').getAttribute('class')) ?? ''));
    assert.ok((await alice.sees(t, 'bob')).first > during.last, 'the same stream goes on');
  });

  await step('who is kicked is told why and may come back', async (t) => {
    await alice.choose('bob', 'menu-kick');
    await alice.on('dialog-field').fill('please come back');
    await alice.on('dialog-act').click();
    await bob.on('ended-kicked').waitFor();
    assert.match(await bob.on('ended-kicked').innerText(), /You were removed from the room[^]*please come back/);
    await until('the tile is gone', SOON, async () => (await alice.tile('bob').count()) === 0);
    await bob.on('dialog-act').click();
    await bob.on('call').waitFor();
    await bob.on('camera').click();
    await alice.sees(t, 'bob');
  });

  await step('who leaves, or closes the page, is gone', async () => {
    await bob.page.keyboard.press('l');
    await bob.on('dialog-act').click();
    await bob.on('lobby').waitFor();
    await alice.isTold(/bob left/);
    await carol.page.close();
    await alice.isTold(/carol left/);
    assert.match(await alice.on('count').innerText(), /2 in the room/);
    await alice.on('leave').click();
    await alice.on('lobby').waitFor();
  });

  // A cut network is all that a console may complain about.
  bob.errors = bob.errors.filter((text) => !/ERR_INTERNET_DISCONNECTED|WebSocket connection/.test(text));
  assertNoErrors(alice, bob, carol);
});

/**
 * A small grey picture of what a tile shows.
 * @param {import('playwright-core').Locator} tile
 */
function picture(tile) {
  return tile.locator('video').evaluate(async (element) => {
    const video = /** @type {HTMLVideoElement} */ (element);
    for (let frames = 0; frames < 5; frames += 1) await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const context = new OffscreenCanvas(16, 9).getContext('2d');
    context?.drawImage(video, 0, 0, 16, 9);
    const data = context?.getImageData(0, 0, 16, 9).data ?? new Uint8ClampedArray();
    return Array.from({ length: 144 }, (_, i) => ((data[i * 4] ?? 0) + (data[i * 4 + 1] ?? 0) + (data[i * 4 + 2] ?? 0)) / 3);
  });
}

test('a token is asked for, taken from the fragment, and kept nowhere', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const config = appConfig('clinic', 'a secret of thirty-two characters');
  const { http } = await startServer(scope, { config });
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=clinic&room=one', server: http });
  await alice.on('join').click();
  await until('the page asks for a token', SOON, async () => /asks for a token/.test(await alice.on('join-failure').innerText()));
  assert.equal(await alice.on('token').getAttribute('aria-invalid'), 'true');
  const token = await makeToken(scope, config, { app: 'clinic', room: 'one', uid: 'bob', role: 'host' });
  await alice.on('token').fill(token);
  await alice.on('join').click();
  await until('the page says what is wrong', SOON, async () => /for another user ID/.test(await alice.on('join-failure').innerText()));

  const bob = await Guest.open(s, scope, 'bob', { query: 'app=clinic&room=one', hash: `#token=${token}`, server: http });
  assert.equal(await bob.on('token').getAttribute('type'), 'password');
  assert.equal(await bob.on('token').inputValue(), token);
  await bob.join();
  const kept = await bob.page.evaluate(() => location.href + JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
  assert.ok(!kept.includes(token.slice(-20)), 'the token is in the address or in storage');
  await bob.on('log').click();
  assert.ok(!(await bob.on('panel-log').innerText()).includes(token.slice(-20)), 'the token is in the log');
  assertNoErrors(alice, bob);
});

test('a phone, a keyboard and Chinese will do', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const options = { viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: /** @type {const} */ ('dark') };
  const alice = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=phone', options });
  const { page } = alice;
  assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
  assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
  assert.equal(await alice.on('join').innerText(), '进入房间');
  await alice.on('room').focus();
  await page.keyboard.press('Enter');
  await alice.on('call').waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.equal(wide, false, 'the page is wider than the phone');
  const pressed = () => alice.on('mic').getAttribute('class');
  await page.keyboard.press('m');
  await until('the microphone is off', SOON, async () => /\boff\b/.test((await pressed()) ?? ''));
  await page.keyboard.press('?');
  await alice.on('help').waitFor();
  await page.keyboard.press('Escape');
  await until('the help is closed', SOON, async () => (await alice.on('help').count()) === 0);
  await alice.on('more').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await alice.on('panel-chat').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  const reached = new Set();
  for (let step = 0; step < 30; step += 1) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement?.getAttribute('data-testid')));
  }
  for (const id of ['mic', 'camera', 'role', 'more', 'leave', 'count', 'invite', 'tile-menu']) assert.ok(reached.has(id), `${id} by Tab`);
  assertNoErrors(alice);
});

test('two pages of one browser do not push each other out', { timeout: 90_000 }, async (t) => {
  const scope = scopeOf(t);
  const first = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=twice' });
  await first.join();
  // The other page finds what this one was called, and that it still is.
  const page = await first.context.newPage();
  await page.goto(`http://${s.server.http}/?app=demo&room=twice`);
  await page.getByTestId('join').click();
  await page.getByTestId('call').waitFor();
  await until('both are in the room', SOON, async () => /2 in the room/.test(await first.on('count').innerText()));

  const third = await Guest.open(s, scope, 'alice', { query: 'app=demo&room=twice' });
  await third.join();
  await first.on('ended-replaced').waitFor();
  assert.match(await first.on('ended-replaced').innerText(), /elsewhere/);
  assertNoErrors(first, third);
});
