"""GStreamer as a publisher of the test source by WHIP or RTMP, or as a WHEP viewer that reads it back.

gst_client.py publish URL TONE
gst_client.py rtmp URL TONE
gst_client.py watch URL SOUND_FILE
"""

import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

import test_signal  # noqa: E402
import wish  # noqa: E402

SOUND_SAMPLES = 960

SOURCE = f"""
appsrc name=picture is-live=true format=time
  caps=video/x-raw,format=GRAY8,width={test_signal.WIDTH},height={test_signal.HEIGHT},framerate={test_signal.FPS}/1
  ! videoconvert ! video/x-raw,format=I420 ! queue
  ! x264enc tune=zerolatency speed-preset=veryfast bitrate=600 key-int-max=30 threads=1
  ! video/x-h264,profile=constrained-baseline ! %s
appsrc name=sound is-live=true format=time
  caps=audio/x-raw,format=S16LE,layout=interleaved,channels=1,rate={test_signal.RATE}
  ! audioconvert ! queue ! %s
"""
PUBLISH = "webrtcbin name=peer bundle-policy=max-bundle" + SOURCE % (
    "rtph264pay config-interval=-1 aggregate-mode=zero-latency "
    "! application/x-rtp,media=video,encoding-name=H264,payload=96 ! peer.",
    "opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.",
)
PUBLISH_RTMP = "flvmux name=mux streamable=true ! rtmp2sink name=out" + SOURCE % (
    "h264parse ! mux.",
    "avenc_aac bitrate=48000 ! aacparse ! mux.",
)

WATCH = "webrtcbin name=peer bundle-policy=max-bundle"
WATCH_VIDEO = (
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f"
)
WATCH_AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"

READ_PICTURE = """queue ! rtph264depay ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8
  ! appsink name=sink emit-signals=true sync=false"""
READ_SOUND = f"""queue ! rtpopusdepay ! opusdec ! audioconvert ! audioresample
  ! audio/x-raw,format=S16LE,channels=1,rate={test_signal.RATE} ! appsink name=sink emit-signals=true sync=false"""


class Client:
    """A pipeline that runs until a signal comes; `publish` and `watch` go through WebRTC, `rtmp` through rtmp2sink."""

    def __init__(self, mode, url, last):
        self.url, self.last, self.session = url, last, None
        self.loop = GLib.MainLoop()
        self.running = True
        self.pipeline = Gst.Pipeline()
        description = {"publish": PUBLISH, "rtmp": PUBLISH_RTMP, "watch": WATCH}[mode]
        self.pipeline.add(Gst.parse_bin_from_description(description, False))
        if mode == "rtmp":
            self.pipeline.get_by_name("out").set_property("location", url)
        else:
            self.prepare_peer()
        if mode == "watch":
            self.prepare_watching()
        else:
            self.feed()
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)

    def prepare_peer(self):
        self.peer = self.pipeline.get_by_name("peer")
        # Without this libnice leaves loopback out. The agent must be kept: webrtcbin lends its only reference.
        self.agent = self.peer.get_property("ice-agent")
        self.agent.emit("add-local-ip-address", "127.0.0.1")
        self.peer.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.peer.connect("notify::ice-gathering-state", self.on_gathering)
        self.peer.connect("notify::connection-state", self.on_state)

    def prepare_watching(self):
        self.file = open(self.last, "wb")
        self.peer.connect("pad-added", self.on_pad)
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for caps in (WATCH_AUDIO, WATCH_VIDEO):
            self.peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))

    def on_error(self, _bus, message):
        sys.exit(str(message.parse_error()))

    def on_state(self, *_):
        wish.say(state=self.peer.get_property("connection-state").value_nick)

    def on_negotiation_needed(self, peer):
        promise = Gst.Promise.new_with_change_func(self.on_offer)
        peer.emit("create-offer", None, promise)

    def on_offer(self, promise):
        # The reply owns the offer: it must outlive it.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.peer.emit("set-local-description", offer, Gst.Promise.new())

    def on_gathering(self, *_):
        if self.peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            threading.Thread(target=self.exchange, daemon=True).start()

    def exchange(self):
        offer = self.peer.get_property("local-description").sdp.as_text()
        try:
            text, self.session = wish.post(self.url, offer)
        except SystemExit as refusal:
            print(refusal, file=sys.stderr, flush=True)
            self.loop.quit()
            return
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())

    def feed(self):
        start = time.monotonic() + 0.5
        picture = self.pipeline.get_by_name("picture")
        sound = self.pipeline.get_by_name("sound")
        samples = lambda index: test_signal.sound(int(self.last), index * SOUND_SAMPLES, SOUND_SAMPLES)
        for source, rate, make in (
            (picture, test_signal.FPS, test_signal.paint),
            (sound, test_signal.RATE / SOUND_SAMPLES, samples),
        ):
            threading.Thread(target=self.push, args=(source, start, rate, make), daemon=True).start()

    def push(self, source, start, rate, make):
        index = 0
        while self.running:
            time.sleep(max(0, start + index / rate - time.monotonic()))
            buffer = Gst.Buffer.new_wrapped(make(index))
            buffer.pts = int(index / rate * Gst.SECOND)
            buffer.duration = int(Gst.SECOND / rate)
            source.emit("push-buffer", buffer)
            index += 1

    def on_pad(self, _peer, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        video = pad.get_current_caps().get_structure(0).get_string("media") == "video"
        branch = Gst.parse_bin_from_description(READ_PICTURE if video else READ_SOUND, True)
        sink = branch.get_by_name("sink")
        sink.connect("new-sample", self.on_picture if video else self.on_sound)
        self.peer.get_parent().add(branch)
        branch.sync_state_with_parent()
        linked = pad.link(branch.get_static_pad("sink"))
        if linked != Gst.PadLinkReturn.OK:
            sys.exit(f"{pad.get_name()}: {linked}")

    def on_picture(self, sink):
        sample = sink.emit("pull-sample")
        caps = sample.get_caps().get_structure(0)
        width, height = caps.get_value("width"), caps.get_value("height")
        buffer = sample.get_buffer()
        plane = buffer.extract_dup(0, buffer.get_size())
        code = test_signal.read(plane, (width + 3) // 4 * 4, width, height)
        wish.say_frame(code, buffer.pts / Gst.SECOND)
        return Gst.FlowReturn.OK

    def on_sound(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        if self.file.tell() == 0:
            wish.say(sound=buffer.pts / Gst.SECOND)
        self.file.write(buffer.extract_dup(0, buffer.get_size()))
        self.file.flush()
        return Gst.FlowReturn.OK

    def run(self):
        wish.on_signal(lambda: self.loop.quit())
        # Python handles signals only while it runs: give it a turn.
        GLib.timeout_add(100, lambda: True)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.running = False
        self.pipeline.set_state(Gst.State.NULL)
        if self.session:
            wish.delete(self.session)


Gst.init(None)
Client(*sys.argv[1:]).run()
