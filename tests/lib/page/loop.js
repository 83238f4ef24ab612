/** One page that sends to itself over WebRTC: the floor of what the instruments can measure. */
import { makeSource, preferH264 } from './publisher.js';
import { nothingYet, read } from './viewer.js';

/** @param {{ tone: number, fps: number, width: number, height: number, firstNumber: number }} options */
export async function loop(options) {
  const source = makeSource(options);
  const sender = new RTCPeerConnection();
  const receiver = new RTCPeerConnection();
  sender.onicecandidate = ({ candidate }) => receiver.addIceCandidate(candidate ?? undefined);
  receiver.onicecandidate = ({ candidate }) => sender.addIceCandidate(candidate ?? undefined);
  for (const track of source.stream.getTracks()) {
    const transceiver = sender.addTransceiver(track, { direction: 'sendonly', streams: [source.stream] });
    if (track.kind === 'video') preferH264(transceiver);
  }
  await sender.setLocalDescription();
  await receiver.setRemoteDescription(/** @type {RTCSessionDescription} */ (sender.localDescription));
  await receiver.setLocalDescription();
  await sender.setRemoteDescription(/** @type {RTCSessionDescription} */ (receiver.localDescription));
  const video = document.createElement('video');
  document.body.append(video);
  const stream = new MediaStream(receiver.getReceivers().map((r) => r.track));
  return read(video, stream, nothingYet());
}
