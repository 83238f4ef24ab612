"""aiortc as a WHIP publisher of the test source, or as a WHEP viewer that reads it back.

aiortc_client.py publish URL TONE
aiortc_client.py watch URL SOUND_FILE
"""

import asyncio
import fractions
import signal
import sys
import time

import aioice.ice
import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

import test_signal
import wish

# aioice leaves loopback out; the tests run on nothing else.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

AUDIO_SAMPLES = 960


class Paced(MediaStreamTrack):
    """A track whose items are due at a steady rate from a start shared by picture and sound."""

    def __init__(self, start, rate):
        super().__init__()
        self.start, self.rate, self.index = start, rate, 0

    async def due(self):
        index = self.index
        self.index += 1
        await asyncio.sleep(max(0, self.start + index / self.rate - time.monotonic()))
        return index


class Picture(Paced):
    kind = "video"

    async def recv(self):
        index = await self.due()
        frame = av.VideoFrame(test_signal.WIDTH, test_signal.HEIGHT, "yuv420p")
        luma, *chroma = frame.planes
        rows = test_signal.paint(index)
        pad = bytes(luma.line_size - test_signal.WIDTH)
        width = test_signal.WIDTH
        luma.update(b"".join(rows[y * width : (y + 1) * width] + pad for y in range(test_signal.HEIGHT)))
        for plane in chroma:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = index * 90_000 // test_signal.FPS
        frame.time_base = fractions.Fraction(1, 90_000)
        return frame


class Sound(Paced):
    kind = "audio"

    def __init__(self, start, tone):
        super().__init__(start, test_signal.RATE / AUDIO_SAMPLES)
        self.tone = tone

    async def recv(self):
        index = await self.due()
        frame = av.AudioFrame(format="s16", layout="mono", samples=AUDIO_SAMPLES)
        frame.planes[0].update(test_signal.sound(self.tone, index * AUDIO_SAMPLES, AUDIO_SAMPLES))
        frame.pts = index * AUDIO_SAMPLES
        frame.sample_rate = test_signal.RATE
        frame.time_base = fractions.Fraction(1, test_signal.RATE)
        return frame


def prefer_h264(peer):
    codecs = RTCRtpSender.getCapabilities("video").codecs
    wanted = [codec for codec in codecs if codec.mimeType in ("video/H264", "video/rtx")]
    for transceiver in peer.getTransceivers():
        if transceiver.kind == "video":
            transceiver.setCodecPreferences(wanted)


async def connect(peer, url):
    prefer_h264(peer)
    await peer.setLocalDescription(await peer.createOffer())
    answer, session = await asyncio.to_thread(wish.post, url, peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return session


async def read_picture(track):
    while True:
        frame = await track.recv()
        plane = frame.planes[0]
        code = test_signal.read(memoryview(plane), plane.line_size, frame.width, frame.height)
        wish.say_frame(code, float(frame.pts * frame.time_base))


async def read_sound(track, file):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=test_signal.RATE)
    while True:
        frame = await track.recv()
        for part in resampler.resample(frame):
            file.write(bytes(part.planes[0])[: part.samples * 2])
        file.flush()


async def main():
    mode, url, last = sys.argv[1:]
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.on("connectionstatechange", lambda: wish.say(state=peer.connectionState))
    tasks = []
    if mode == "publish":
        start = time.monotonic() + 0.5
        peer.addTrack(Sound(start, int(last)))
        peer.addTrack(Picture(start, test_signal.FPS))
    else:
        peer.addTransceiver("audio", direction="recvonly")
        peer.addTransceiver("video", direction="recvonly")
        file = open(last, "wb")

        @peer.on("track")
        def on_track(track):
            reader = read_picture(track) if track.kind == "video" else read_sound(track, file)
            tasks.append(asyncio.ensure_future(reader))

    session = await connect(peer, url)
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.to_thread(wish.delete, session)
    await peer.close()


asyncio.run(main())
