import assert from 'node:assert/strict';
import test from 'node:test';
import { LocalAudioTrack } from '../sdk/local-audio-track.js';
import { LocalVideoTrack } from '../sdk/local-video-track.js';
import { camera, joinReply, participant, settle, without } from './core-world.mjs';
import { browser, clientOf, FakeTrack, granted, inRoom, offer } from './sdk-world.mjs';

browser(undefined);

const video = (stream = 'camera', reopen = null) => new LocalVideoTrack({
  mediaStreamTrack: new FakeTrack('video'), stream, reopen, encoderConfig: { bitrateMax: 500, frameRate: 15 }, optimizationMode: 'motion', player: {},
});
const audio = (stream = 'camera') =>
  new LocalAudioTrack({ mediaStreamTrack: new FakeTrack('audio'), stream, reopen: null, encoding: { maxBitrate: 40_000 } });

/** Publishes sound and pictures. */
async function publishing(made, tracks = [audio(), video()]) {
  const { world, client } = made;
  const asked = client.publish(tracks);
  await settle();
  await world.socket.grant('publish', { stream: 'camera' });
  await world.socket.say(offer(1, 1, { 0: ['alice', 'camera', 'audio'], 1: ['alice', 'camera', 'video'] }));
  await world.socket.grant('answer');
  await asked;
  return tracks;
}

/** Subscribes to the sound and pictures of bob. */
async function subscribing(made) {
  const { world, client } = made;
  const asked = Promise.all([client.subscribe('bob', 'audio'), client.subscribe('bob', 'video')]);
  await settle();
  await world.socket.grant('subscribe', { uid: 'bob', stream: 'camera' });
  await world.socket.say(offer(1, 1, { 0: ['bob', 'camera', 'audio'], 1: ['bob', 'camera', 'video'] }));
  await world.socket.grant('answer');
  return asked;
}

const bob = () => ({ participants: [participant('bob', [camera])] });

test('publishing is done when the sections are answered: own ones are sent, H.264 first, within the bounds of the track', async () => {
  const made = await inRoom();
  const [sound, picture] = await publishing(made);
  const [connection] = made.connections;
  assert.deepEqual(connection.directions, { 0: 'sendonly', 1: 'sendonly' });
  const [{ sender: first }, { sender: second }] = connection.transceivers;
  assert.deepEqual([first.track, second.track], [sound.getMediaStreamTrack(), picture.getMediaStreamTrack()]);
  assert.deepEqual(first.parameters, { encodings: [{ maxBitrate: 40_000 }] });
  assert.deepEqual(second.parameters, { encodings: [{ maxBitrate: 500_000, maxFramerate: 15 }], degradationPreference: 'maintain-framerate' });
  assert.deepEqual(made.client.localTracks, [sound, picture]);
  assert.deepEqual(without(made.world.socket.last('publish'), 'id'), { type: 'publish', stream: 'camera', audio: true, video: true });
});

test('an encoder keeps to what the viewers can take, and goes back to what the page wants', async () => {
  const made = await inRoom();
  const [, picture] = await publishing(made);
  picture.getMediaStreamTrack().settings = { width: 1280, height: 720 };
  const sender = made.connections[0].transceivers[1].sender;
  await made.world.socket.say({ seq: 2, event: 'publish_limits', stream: 'camera', max_kbps: 300, short_side: 360 });
  assert.deepEqual(sender.parameters.encodings, [{ maxBitrate: 300_000, maxFramerate: 15, scaleResolutionDownBy: 2 }]);
  assert.deepEqual(made.connections[0].transceivers[0].sender.parameters.encodings, [{ maxBitrate: 40_000 }]);
  await made.world.socket.say({ seq: 3, event: 'publish_limits', stream: 'camera', max_kbps: 900 });
  assert.deepEqual(sender.parameters.encodings, [{ maxBitrate: 500_000, maxFramerate: 15, scaleResolutionDownBy: 1 }]);
  await made.world.socket.say({ seq: 4, event: 'publish_limits', stream: 'camera', max_kbps: null });
  assert.deepEqual(sender.parameters.encodings, [{ maxBitrate: 500_000, maxFramerate: 15, scaleResolutionDownBy: 1 }]);
});

test('a page that steers its encoder itself is only told', async () => {
  const made = await inRoom({}, { steer: false, sei: true });
  assert.deepEqual(made.world.socket.last('join').capabilities, ['sei']);
  const told = [];
  made.client.on('publish-limits', (...args) => told.push(args));
  await publishing(made);
  await made.world.socket.say({ seq: 2, event: 'publish_limits', stream: 'camera', max_kbps: 300, short_side: 360 });
  assert.deepEqual(made.connections[0].transceivers[1].sender.parameters.encodings, [{ maxBitrate: 500_000, maxFramerate: 15 }]);
  assert.deepEqual(told, [['camera', { maxKbps: 300, shortSide: 360 }]]);
});

/** A camera's pictures of this size, published in the layers that it is good for. */
async function layered(made, settings) {
  const picture = video();
  picture.getMediaStreamTrack().settings = settings;
  const asked = made.client.publish(picture);
  await settle();
  const { layers } = made.world.socket.last('publish');
  await made.world.socket.grant('publish', { stream: 'camera' });
  await made.world.socket.say(offer(1, 1, { 0: ['alice', 'camera', 'video', { 2: 'l;h', 3: 'l;m;h' }[layers]] }));
  await made.world.socket.grant('answer');
  await asked;
  return { layers, picture, sender: made.connections[0].transceivers[0].sender };
}

test('a camera is published in as many layers as its size is worth, of which the full picture alone is sent at first', async () => {
  for (const [width, height, expected] of [[640, 360, undefined], [640, 480, 2], [720, 1280, 3]]) {
    const { layers } = await layered(await inRoom(), { width, height });
    assert.equal(layers, expected, `${width} by ${height}`);
  }
  const { sender } = await layered(await inRoom(), { width: 1280, height: 720 });
  assert.deepEqual(sender.parameters.encodings, [
    { rid: 'l', active: false, scaleResolutionDownBy: 4, maxBitrate: 61_250, maxFramerate: 15 },
    { rid: 'm', active: false, scaleResolutionDownBy: 2, maxBitrate: 175_000, maxFramerate: 15 },
    { rid: 'h', active: true, scaleResolutionDownBy: 1, maxBitrate: 500_000, maxFramerate: 15 },
  ]);
});

test('the layers that the server wants are sent, and no others', async () => {
  const made = await inRoom();
  const { sender } = await layered(made, { width: 640, height: 480 });
  const active = () => sender.parameters.encodings.filter((encoding) => encoding.active).map(({ rid }) => rid);
  assert.deepEqual(active(), ['h']);
  for (const [at, layers] of [['l', 'h'], ['l'], ['h']].entries()) {
    await made.world.socket.say({ seq: 2 + at, event: 'layers_wanted', stream: 'camera', layers });
    await settle();
    assert.deepEqual(active(), layers);
  }
});

test('pictures that become larger are published anew, in more layers', async () => {
  const made = await inRoom();
  const { picture } = await layered(made, { width: 640, height: 480 });
  picture.getMediaStreamTrack().settings = { width: 1280, height: 720 };
  const set = picture.setEncoderConfiguration({ width: 1280, height: 720 });
  await granted(made.world, 'publish', set, { stream: 'camera' });
  assert.equal(made.world.socket.last('publish').layers, 3);
  await made.world.socket.say(offer(2, 2, { 0: ['', '', 'video', 'l;h'], 1: ['alice', 'camera', 'video', 'l;m;h'] }));
  await settle();
  const [before, after] = made.connections[0].transceivers;
  assert.deepEqual([before.sender.track, after.sender.track], [null, picture.getMediaStreamTrack()]);
});

test('a screen is the second stream, and one media type has one track', async () => {
  const made = await inRoom();
  await publishing(made);
  await assert.rejects(made.client.publish(video()), { code: 'CAN_NOT_PUBLISH_MULTIPLE_VIDEO_TRACKS', reason: 'track_taken' });
  const screen = video('screen');
  const asked = made.client.publish(screen);
  await settle();
  assert.deepEqual(without(made.world.socket.last('publish'), 'id'), { type: 'publish', stream: 'screen', audio: false, video: true });
  await made.world.socket.grant('publish', { stream: 'screen' });
  await made.world.socket.say(offer(2, 2, {
    0: ['alice', 'camera', 'audio'], 1: ['alice', 'camera', 'video'], 2: ['alice', 'screen', 'video'],
  }));
  await asked;
  assert.equal(made.client.localTracks.length, 3);
});

test('unpublishing one track leaves the other, and the section falls silent at once', async () => {
  const made = await inRoom();
  const [sound, picture] = await publishing(made);
  const asked = made.client.unpublish(picture);
  await settle();
  assert.equal(made.connections[0].transceivers[1].sender.track, null);
  assert.deepEqual(without(made.world.socket.last('publish'), 'id'), { type: 'publish', stream: 'camera', audio: true, video: false });
  await made.world.socket.grant('publish', { stream: 'camera' });
  await asked;
  await made.world.socket.say(offer(2, 2, { 0: ['alice', 'camera', 'audio'], 1: ['', '', 'video'] }));
  assert.deepEqual(made.connections[0].directions, { 0: 'sendonly', 1: 'inactive' });
  const last = made.client.unpublish();
  await granted(made.world, 'unpublish', last);
  assert.deepEqual([made.client.localTracks, sound.getMediaStreamTrack().readyState], [[], 'live']);
});

test('a track that is silent when it is published is muted at the server right behind', async () => {
  const made = await inRoom();
  const picture = video();
  await picture.setEnabled(false);
  const asked = made.client.publish(picture);
  await settle();
  assert.deepEqual(made.world.socket.asked, ['join', 'publish', 'mute']);
  await made.world.socket.grant('publish', { stream: 'camera' });
  await made.world.socket.grant('mute', { state: 'muted' });
  await made.world.socket.say(offer(1, 1, { 0: ['alice', 'camera', 'video'] }));
  await asked;
  assert.equal(made.connections[0].transceivers[0].sender.track, null);
});

test('what the server does not let one publish is not published, and can be tried again', async () => {
  const made = await inRoom();
  const picture = video();
  const refused = assert.rejects(made.client.publish(picture), { code: 'INVALID_OPERATION', reason: 'not_host' });
  await settle();
  await made.world.socket.refuse('publish', 'not_host');
  await settle();
  await made.world.socket.grant('unpublish');
  await refused;
  assert.deepEqual(made.client.localTracks, []);
  const asked = made.client.publish(picture);
  await settle();
  await made.world.socket.grant('publish', { stream: 'camera' });
  await made.world.socket.say(offer(1, 1, { 0: ['alice', 'camera', 'video'] }));
  await asked;
});

test('a server that promises a section and opens none is a TIMEOUT', async () => {
  const made = await inRoom();
  const asked = assert.rejects(made.client.publish(video()), { code: 'TIMEOUT', reason: 'no_media' });
  await settle();
  await made.world.socket.grant('publish', { stream: 'camera' });
  await made.world.pass(15_000);
  await made.world.socket.grant('unpublish');
  await asked;
});

test('muting keeps the device, disabling lets go of it, and the server hears of both once', async () => {
  const made = await inRoom();
  const devices = [];
  const reopen = async () => {
    devices.push(new FakeTrack('video', `device ${devices.length}`));
    return devices.at(-1);
  };
  const picture = video('camera', reopen);
  const [, track] = await publishing(made, [audio(), picture]);
  const first = track.getMediaStreamTrack();
  await granted(made.world, 'mute', track.setMuted(true), { state: 'muted' });
  assert.deepEqual([first.enabled, first.readyState, track.muted], [false, 'live', true]);
  await granted(made.world, 'mute', track.setMuted(false), { state: 'live' });
  assert.deepEqual([first.enabled, track.muted], [true, false]);
  await granted(made.world, 'mute', track.setEnabled(false), { state: 'muted' });
  const { sender } = made.connections[0].transceivers[1];
  assert.deepEqual([first.readyState, track.enabled, sender.track], ['ended', false, null]);
  await granted(made.world, 'mute', track.setEnabled(true), { state: 'live' });
  assert.deepEqual([devices.length, sender.track, track.enabled], [1, devices[0], true]);
  const mutes = made.world.socket.sent.filter(({ type }) => type === 'mute').map(({ kind, muted }) => [kind, muted]);
  assert.deepEqual(mutes, [['video', true], ['video', false], ['video', true], ['video', false]]);
});

test('a track that an admin blocks stays muted when its owner wants it back', async () => {
  const made = await inRoom();
  const [sound] = await publishing(made);
  await granted(made.world, 'mute', sound.setMuted(true), { state: 'muted' });
  await made.world.socket.say({ seq: 2, event: 'muted', uid: 'alice', stream: 'camera', kind: 'audio', state: 'blocked', by: 'eve' });
  assert.deepEqual(made.news(), ['local-track-state audio blocked eve']);
  const refused = assert.rejects(sound.setMuted(false), { code: 'INVALID_OPERATION', reason: 'blocked' });
  await settle();
  await made.world.socket.refuse('mute', 'blocked');
  await refused;
  assert.deepEqual([sound.muted, sound.getMediaStreamTrack().enabled], [true, false]);
});

test('two subscriptions in one go are one request, and resolve with tracks that can be played', async () => {
  const made = await inRoom(bob());
  const [sound, picture] = await subscribing(made);
  assert.deepEqual(made.world.socket.asked, ['join', 'subscribe', 'answer']);
  assert.deepEqual(made.connections[0].directions, { 0: 'recvonly', 1: 'recvonly' });
  const [user] = made.client.remoteUsers;
  assert.deepEqual([user.audioTrack, user.videoTrack], [sound, picture]);
  assert.equal(picture.getMediaStreamTrack(), made.connections[0].transceivers[1].receiver.track);
  assert.deepEqual([sound.getUserId(), sound.trackMediaType, picture.trackMediaType], ['bob', 'audio', 'video']);
});

test('of somebody who is shown small, small pictures are asked for, once', async () => {
  const made = await inRoom(bob());
  await subscribing(made);
  const asked = () => made.world.socket.asked.filter((type) => type === 'subscribe').length;
  const shown = async (width, height) => {
    const before = asked();
    const done = made.client.setRemoteVideoSize('bob', { width, height });
    await settle();
    if (asked() > before) await made.world.socket.grant('subscribe', { uid: 'bob', stream: 'camera' });
    await done;
    return made.world.socket.last('subscribe').max_layer;
  };
  assert.equal(await shown(1280, 720), undefined);
  assert.equal(asked(), 1, 'the full picture is what comes anyway');
  assert.equal(await shown(320, 180), 'l');
  assert.equal(await shown(300, 200), 'l');
  assert.equal(asked(), 2);
  assert.equal(await shown(640, 360), 'm');
  assert.equal(await shown(0, 0), 'l');
  await assert.rejects(made.client.setRemoteVideoLayer('bob', 'x'), { code: 'INVALID_PARAMS' });
});

test('only what somebody publishes can be subscribed to', async () => {
  const { client } = await inRoom({ participants: [participant('bob', [{ stream: 'camera', audio: 'muted', video: 'absent' }])] });
  await assert.rejects(client.subscribe('carol', 'audio'), { code: 'INVALID_REMOTE_USER' });
  await assert.rejects(client.subscribe('bob', 'video'), { code: 'REMOTE_USER_IS_NOT_PUBLISHED' });
  await assert.rejects(client.subscribe('bob', 'audio'), { code: 'REMOTE_USER_IS_NOT_PUBLISHED' });
  await assert.rejects(client.subscribe('bob', 'smell'), { code: 'INVALID_PARAMS', data: { field: 'mediaType' } });
  await assert.rejects(clientOf().client.subscribe('bob', 'audio'), { reason: 'not_connected' });
});

test('somebody who mutes is told as unpublished, and is back without asking the server', async () => {
  const made = await inRoom(bob());
  const [, picture] = await subscribing(made);
  const [user] = made.client.remoteUsers;
  const muted = (seq, state) => ({ seq, event: 'muted', uid: 'bob', stream: 'camera', kind: 'video', state });
  await made.world.socket.say(muted(2, 'muted'));
  assert.deepEqual(made.news(), ['user-info-updated bob mute-video', 'user-unpublished bob video']);
  assert.deepEqual([user.hasVideo, user.videoMuted, user.videoTrack, user.hasAudio], [false, true, undefined, true]);
  await made.world.socket.say(muted(3, 'live'));
  assert.deepEqual(made.news(), ['user-info-updated bob unmute-video', 'user-published bob video']);
  assert.equal(await made.client.subscribe(user, 'video'), picture);
  await made.world.pass(6000);
  assert.deepEqual(made.world.socket.asked.filter((type) => type.includes('subscribe')), ['subscribe']);
});

test('what nobody subscribes to again after it was muted is not sent for long', async () => {
  const made = await inRoom(bob());
  await subscribing(made);
  await made.world.socket.say({ seq: 2, event: 'muted', uid: 'bob', stream: 'camera', kind: 'video', state: 'muted' });
  await made.world.pass(60_000);
  await made.world.socket.say({ seq: 3, event: 'muted', uid: 'bob', stream: 'camera', kind: 'video', state: 'live' });
  await made.world.pass(4_900);
  assert.equal(made.world.socket.asked.filter((type) => type === 'subscribe').length, 1);
  await made.world.pass(100);
  assert.deepEqual(without(made.world.socket.last('subscribe'), 'id'), { type: 'subscribe', uid: 'bob', stream: 'camera', audio: true, video: false });
});

test('unsubscribing ends the track, and a subscription that waits for its section', async () => {
  const made = await inRoom(bob());
  const [sound] = await subscribing(made);
  let ended = 0;
  sound.on('track-ended', () => (ended += 1));
  const all = made.client.unsubscribe('bob');
  await granted(made.world, 'unsubscribe', all);
  assert.deepEqual([ended, made.client.remoteUsers[0].audioTrack], [1, undefined]);
  await made.world.socket.say(offer(2, 2, { 0: ['', '', 'audio'], 1: ['', '', 'video'] }));
  await made.world.socket.grant('answer');
  const aborted = assert.rejects(made.client.subscribe('bob', 'audio'), { code: 'OPERATION_ABORTED' });
  await granted(made.world, 'subscribe', Promise.resolve(), { uid: 'bob', stream: 'camera' });
  const given = made.client.unsubscribe('bob', 'audio');
  await granted(made.world, 'unsubscribe', given);
  await aborted;
});

test('somebody who goes while they are being subscribed to leaves nothing behind', async () => {
  const made = await inRoom(bob());
  const late = assert.rejects(made.client.subscribe('bob', 'audio'), { code: 'OPERATION_ABORTED', reason: 'no_such_stream' });
  await settle();
  const { id } = made.world.socket.last('subscribe');
  await made.world.socket.say(
    { id, ok: { uid: 'bob', stream: 'camera' } }, { seq: 1, event: 'participant_left', uid: 'bob', reason: 'left' },
  );
  await late;
  assert.deepEqual([made.client.remoteUsers, made.news().at(-1)], [[], 'user-left bob Quit']);
  await made.world.socket.say({ seq: 2, event: 'participant_joined', participant: participant('bob', [camera]) });
  const refused = assert.rejects(made.client.subscribe('bob', 'audio'), { code: 'REMOTE_USER_IS_NOT_PUBLISHED' });
  await settle();
  await made.world.socket.refuse('subscribe', 'no_such_stream');
  await refused;
  await made.world.pass(60_000);
  assert.deepEqual(made.client.remoteUsers[0].audioTrack, undefined);
});

test('a section that is reused brings somebody else, and whose it was ends', async () => {
  const made = await inRoom({ participants: [participant('bob', [camera]), participant('carol', [camera])] });
  await subscribing(made);
  await made.world.socket.say({ seq: 2, event: 'participant_left', uid: 'bob', reason: 'timed_out' });
  assert.deepEqual(made.news(), ['user-unpublished bob audio', 'user-unpublished bob video', 'user-left bob ServerTimeOut']);
  const asked = made.client.subscribe('carol', 'video');
  await settle();
  await made.world.socket.grant('subscribe', { uid: 'carol', stream: 'camera' });
  await made.world.socket.say(offer(2, 3, { 0: ['', '', 'audio'], 1: ['carol', 'camera', 'video'] }));
  const track = await asked;
  assert.equal(track.getMediaStreamTrack(), made.connections[0].transceivers[1].receiver.track);
  assert.deepEqual([track.getUserId(), made.connections[0].directions], ['carol', { 0: 'inactive', 1: 'recvonly' }]);
});

test('after a rejoin everything is there again on a new PeerConnection, with the same tracks', async () => {
  const made = await inRoom(bob());
  const tracks = await publishing(made);
  const asked = made.client.subscribe('bob', 'video');
  await settle();
  await made.world.socket.grant('subscribe', { uid: 'bob', stream: 'camera' });
  await made.world.socket.say(offer(2, 2, {
    0: ['alice', 'camera', 'audio'], 1: ['alice', 'camera', 'video'], 2: ['bob', 'camera', 'video'],
  }));
  const picture = await asked;
  await made.world.socket.drop();
  await made.world.pass(1000);
  await made.world.socket.open();
  await made.world.socket.refuse('resume', 'resume_impossible');
  await made.world.socket.grant('join', joinReply({ session: 's2', ...bob() }));
  assert.ok(made.connections[0].closed);
  assert.deepEqual(made.world.socket.asked, ['resume', 'join', 'publish', 'subscribe']);
  await made.world.socket.grant('publish', { stream: 'camera' });
  await made.world.socket.grant('subscribe', { uid: 'bob', stream: 'camera' });
  await made.world.socket.say(offer(1, 1, {
    0: ['bob', 'camera', 'video'], 1: ['alice', 'camera', 'audio'], 2: ['alice', 'camera', 'video'],
  }));
  const [, fresh] = made.connections;
  assert.deepEqual(fresh.directions, { 0: 'recvonly', 1: 'sendonly', 2: 'sendonly' });
  assert.equal(fresh.transceivers[2].sender.track, tracks[1].getMediaStreamTrack());
  assert.equal(picture.getMediaStreamTrack(), fresh.transceivers[0].receiver.track);
  assert.equal(made.client.remoteUsers[0].videoTrack, picture);
  assert.deepEqual(made.news(), []);
});

test('media that break are told, repaired by an ICE restart, and told again', async () => {
  const made = await inRoom();
  await publishing(made);
  const [connection] = made.connections;
  connection.ice('connected');
  connection.ice('disconnected');
  assert.deepEqual(made.news(), ['media-reconnect-start alice']);
  await made.world.pass(499);
  assert.ok(!made.world.socket.asked.includes('ice_restart'));
  await made.world.pass(1);
  await made.world.socket.grant('ice_restart');
  await made.world.socket.say(offer(2, 2, { 0: ['alice', 'camera', 'audio'], 1: ['alice', 'camera', 'video'] }));
  connection.ice('connected');
  assert.deepEqual(made.news(), ['media-reconnect-end alice']);
  assert.equal(made.world.socket.last('answer').revision, 2);
  connection.connectionState = 'failed';
  connection.dispatchEvent(new Event('connectionstatechange'));
  await made.world.pass(1000);
  await made.world.socket.open();
  assert.deepEqual(made.world.socket.asked, ['join'], 'a failed DTLS is repaired by joining anew');
});

test('who only sends restarts ICE when the server reports nothing any longer', async () => {
  const made = await inRoom();
  await publishing(made);
  const [connection] = made.connections;
  connection.ice('connected');
  const transport = (bytes) => [{ id: 'T', type: 'transport', timestamp: made.world.now, bytesReceived: bytes, bytesSent: 1 }];
  for (let second = 1; second <= 8; second += 1) {
    connection.report = transport(second * 100);
    await made.world.pass(1000);
  }
  await made.world.pass(2000);
  assert.ok(!made.world.socket.asked.includes('ice_restart'));
  await made.world.pass(1000);
  assert.equal(made.world.socket.asked.filter((type) => type === 'ice_restart').length, 1);
});

test('another network is looked at in signalling and media at once; a page that goes away leaves', async () => {
  const made = await inRoom();
  await publishing(made);
  made.connections[0].ice('connected');
  made.watch.events.networkChanged();
  await settle();
  assert.deepEqual(made.world.socket.sent.slice(-2).map(({ type }) => type), ['ping', 'ice_restart']);
  made.watch.events.leaving();
  assert.equal(made.world.socket.sent.at(-1).type, 'leave', 'said before the page is gone');
});

test('what is measured is told once a second, and to the server every second time', async () => {
  const made = await inRoom(bob());
  await subscribing(made);
  const [connection] = made.connections;
  connection.ice('connected');
  const inbound = (atMs, bytes) => ({ id: 'i', type: 'inbound-rtp', kind: 'audio', mid: '0', timestamp: atMs, bytesReceived: bytes, packetsReceived: bytes / 100, packetsLost: 0, jitter: 0.01 });
  /** @type {object[]} */
  const told = [];
  made.client.on('network-quality', (quality) => told.push(quality));
  connection.report = [inbound(1000, 10_000)];
  await made.world.pass(1000);
  connection.report = [inbound(2000, 14_000)];
  await made.world.pass(1000);
  assert.deepEqual(told, Array(2).fill({ uplinkNetworkQuality: 0, downlinkNetworkQuality: 1 }));
  assert.equal(made.client.getRemoteAudioStats().bob.receiveBitrate, 32_000);
  assert.equal(made.client.remoteUsers[0].audioTrack.getStats().receiveBitrate, 32_000);
  const reports = made.world.socket.sent.filter(({ type }) => type === 'stats');
  assert.deepEqual(reports.map((report) => without(report, 'id', 'type')), [
    { uplink: 0, downlink: 1, streams: [{ uid: 'bob', stream: 'camera', kbps: 32, loss_permille: 0, jitter_ms: 10 }] },
  ]);
  connection.ice('failed');
  await made.world.pass(1000);
  assert.deepEqual(told.at(-1), { uplinkNetworkQuality: 6, downlinkNetworkQuality: 6 });
  assert.deepEqual([made.client.getRTCStats().Duration, made.client.getRTCStats().UserCount], [3, 2]);
});

test('roles: who joins live is audience until it wants to be host', async () => {
  const made = clientOf({ mode: 'live' });
  assert.equal(made.client.role, 'audience');
  await made.client.setClientRole('host');
  const joining = made.client.join('demo', 'r1', null, 'alice');
  await made.world.socket.open();
  assert.equal(made.world.socket.last('join').role, 'host');
  await made.world.socket.grant('join', joinReply());
  await joining;
  assert.equal(made.client.role, 'host');
  assert.throws(() => clientOf({ mode: 'p2p' }), { code: 'INVALID_PARAMS' });
  assert.throws(() => clientOf({ codec: 'vp8' }), { code: 'INVALID_PARAMS' });
});

test('others are told with role, platform and connection, and the same object follows them', async () => {
  const made = await inRoom(bob());
  const [user] = made.client.remoteUsers;
  await made.world.socket.say(
    { seq: 1, event: 'role_changed', uid: 'bob', role: 'audience' },
    { seq: 2, event: 'participant_reconnecting', uid: 'bob' },
  );
  assert.deepEqual([user.role, user.connected, user.platform], ['audience', false, 'web']);
  await made.world.socket.say({ seq: 3, event: 'participant_reconnected', uid: 'bob' });
  assert.deepEqual([user.connected, made.news()], [true, ['user-role-changed bob', 'user-connection bob', 'user-connection bob']]);
  await made.world.socket.say({ seq: 4, event: 'message', message_id: 1, from: 'bob', private: false, at: 1, text: '你好' });
  assert.deepEqual(made.news(), ['stream-message bob 你好']);
  await made.world.socket.say({ seq: 5, event: 'network_quality', participants: [{ uid: 'bob', uplink: 2, downlink: 3 }] });
  assert.deepEqual(made.client.getRemoteNetworkQuality(), { bob: { uplinkNetworkQuality: 2, downlinkNetworkQuality: 3 } });
});

test('a stream that the server ends is no longer published', async () => {
  const made = await inRoom();
  const [sound] = await publishing(made);
  await made.world.socket.say({ seq: 2, event: 'stream_unpublished', uid: 'alice', stream: 'camera' });
  assert.deepEqual([made.news(), made.client.localTracks], [['local-unpublished audio,video'], []]);
  await sound.setMuted(true);
  assert.ok(!made.world.socket.asked.includes('mute'));
});

test('after leaving no timer, socket or PeerConnection is left, and the tracks are still the page\'s', async () => {
  const made = await inRoom(bob());
  made.client.enableAudioVolumeIndicator();
  const [sound] = await publishing(made, [video()]);
  const waiting = assert.rejects(made.client.subscribe('bob', 'audio'), { code: 'OPERATION_ABORTED', reason: 'left' });
  await granted(made.world, 'subscribe', Promise.resolve(), { uid: 'bob', stream: 'camera' });
  await granted(made.world, 'leave', made.client.leave());
  await waiting;
  assert.deepEqual([made.world.timers, made.world.socket.closed, made.connections[0].closed], [0, true, true]);
  assert.deepEqual(made.watch.started, made.watch.stopped);
  assert.deepEqual([made.client.remoteUsers, made.client.localTracks, made.client.uid], [[], [], undefined]);
  assert.equal(sound.getMediaStreamTrack().readyState, 'live');
  const again = made.client.join('demo', 'r2', null, 'alice');
  await made.world.socket.open();
  await made.world.socket.grant('join', joinReply());
  assert.equal(await again, 'alice');
});
