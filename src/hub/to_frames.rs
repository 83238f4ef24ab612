//! Frames out of RTP: what RTMP and FLV players need of a WebRTC publisher.
//!
//! A track passes its jitter buffer, which puts it in order, and is held until the other packets' retransmissions would
//! have come too: pictures when they are whole, sound before it is transcoded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::frame::{AccessUnit, OpusPacket, RtpPacket};
use queqiao_media::layers::{Layer, LayerSet, PerLayer};
use queqiao_media::rtp::{
    H264Depacketizer, Hold, HoldLine, Item, JitterBuffer, OpusReceiver, Pause, Unit, Waits,
};
use queqiao_media::timeline::Kind;
use queqiao_transcode::OpusToAac;
use tracing::{debug, warn};

use super::frame::Media;
use super::stream::Source;
use super::transcode::{Handle, Input};

struct Video {
    jitter: JitterBuffer<90_000>,
    depacketizer: H264Depacketizer,
    damaged: u64,
}

struct Audio {
    jitter: JitterBuffer<48_000>,
    held: HoldLine<Item<48_000>>,
    receiver: OpusReceiver,
    pause: Pause,
    transcoder: Handle,
}

impl Audio {
    fn poll_timeout(&self) -> Option<Instant> {
        [self.jitter.poll_timeout(), self.held.poll_timeout(), self.pause.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Derives frames from the RTP of one source while someone wants them.
pub(crate) struct ToFrames {
    source: Arc<Source>,
    video: PerLayer<Option<Video>>,
    hold: Hold,
    pictures: HoldLine<(Layer, AccessUnit)>,
    audio: Option<Audio>,
    opus: Vec<OpusPacket>,
    /// Set where no transcoder can be had, so that it is said once.
    silent: bool,
}

impl ToFrames {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            video: PerLayer::default(),
            hold: Hold::default(),
            pictures: HoldLine::default(),
            audio: None,
            opus: Vec::new(),
            silent: false,
        }
    }

    /// Takes a video packet of a layer. Returns whether a keyframe of it is needed to go on, or may be.
    pub(crate) fn video(&mut self, now: Instant, layer: Layer, packet: RtpPacket<90_000>) -> bool {
        let video = self.video.get_mut(layer);
        if !self.source.layer_wanted(layer) {
            *video = None;
            return false;
        }
        let video = video.get_or_insert_with(|| Video {
            jitter: JitterBuffer::new(Waits::VIDEO),
            depacketizer: H264Depacketizer::default(),
            damaged: 0,
        });
        video.jitter.push(now, packet);
        let needs_keyframe = self.poll_video(now, layer);
        self.let_go_pictures(now);
        needs_keyframe
    }

    /// Takes an audio packet.
    pub(crate) fn audio(&mut self, now: Instant, packet: RtpPacket<48_000>) {
        if !self.source.frames_wanted() || !self.source.sound_passes() {
            self.audio = None;
            return;
        }
        if self.audio.is_none() && !self.silent {
            self.audio = self.start_audio();
        }
        if let Some(audio) = &mut self.audio {
            audio.jitter.push(now, packet);
            self.poll_audio(now);
        }
    }

    /// When [`Self::poll`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let layers = self.video.iter().filter_map(|(_, video)| video.as_ref());
        let video = layers.filter_map(|video| video.jitter.poll_timeout());
        let audio = self.audio.as_ref().and_then(Audio::poll_timeout);
        video.chain(audio).chain(self.pictures.poll_timeout()).min()
    }

    /// Gives up on what is too late. Returns the layers of which a keyframe is needed to go on, or may be.
    pub(crate) fn poll(&mut self, now: Instant) -> LayerSet {
        self.poll_audio(now);
        let needing = Layer::ALL.into_iter().filter(|layer| self.poll_video(now, *layer)).collect();
        self.let_go_pictures(now);
        needing
    }

    fn poll_video(&mut self, now: Instant, layer: Layer) -> bool {
        let Some(video) = self.video.get_mut(layer) else { return false };
        let mut doubtful = false;
        while let Some(item) = video.jitter.poll(now) {
            match item {
                Item::Packet(packet) => video.depacketizer.push(&packet),
                Item::Lost { first, count } => debug!(first, count, "video packets lost"),
                Item::Doubtful => doubtful = true,
                Item::Restart => video.depacketizer.restart(),
            }
            while let Some(unit) = video.depacketizer.pull() {
                match unit {
                    Unit::Picture(unit) => {
                        let at = self.source.time_at(now);
                        self.hold.anticipate(video.jitter.expected(), at);
                        let hold = self.hold.came(Kind::Video, unit.dts, at);
                        self.pictures.push((layer, unit), hold, now);
                    }
                    Unit::Damaged { .. } => {
                        video.damaged += 1;
                        if video.damaged.is_power_of_two() {
                            debug!(pictures = video.damaged, "pictures withheld after loss");
                        }
                    }
                }
            }
        }
        doubtful || video.depacketizer.needs_keyframe()
    }

    fn let_go_pictures(&mut self, now: Instant) {
        while let Some((layer, unit)) = self.pictures.pop(now) {
            self.source.push_layer(now, layer, Media::Video { unit, droppable: false });
        }
    }

    fn poll_audio(&mut self, now: Instant) {
        let Some(audio) = &mut self.audio else { return };
        while let Some(item) = audio.jitter.poll(now) {
            let hold = match &item {
                Item::Packet(packet) => self.hold.came(Kind::Audio, packet.time, self.source.time_at(now)),
                Item::Lost { .. } | Item::Doubtful | Item::Restart => Duration::ZERO,
            };
            audio.held.push(item, hold, now);
        }
        while let Some(item) = audio.held.pop(now) {
            audio.receiver.push(item, &mut self.opus);
            let came = !self.opus.is_empty();
            for packet in self.opus.drain(..) {
                audio.transcoder.push(Input::Opus(packet));
            }
            if let Some((end, empty)) = audio.receiver.latest()
                && came
            {
                audio.pause.packet(now, end, empty);
            }
        }
        if let Some(until) = audio.pause.poll(now) {
            audio.transcoder.push(Input::NothingUntil(until));
        }
    }

    fn start_audio(&mut self) -> Option<Audio> {
        let mut transcoder = match OpusToAac::new(self.source.settings().aac) {
            Ok(transcoder) => transcoder,
            Err(error) => {
                warn!(%error, "no sound for RTMP and FLV players");
                self.silent = true;
                return None;
            }
        };
        let source = Arc::clone(&self.source);
        let mut frames = Vec::new();
        let transcoder = self.source.pool().open(Box::new(move |input| {
            let done = match input {
                Input::Opus(packet) => transcoder.push(&packet, &mut frames),
                Input::NothingUntil(until) => transcoder.advance(until, &mut frames),
                Input::Aac(_) => return,
            };
            if let Err(error) = done {
                debug!(%error, "an Opus packet was skipped");
            }
            for frame in frames.drain(..) {
                source.push_frame(Instant::now(), Media::Audio(frame));
            }
        }))?;
        Some(Audio {
            jitter: JitterBuffer::new(Waits::AUDIO),
            held: HoldLine::default(),
            receiver: OpusReceiver::default(),
            pause: Pause::default(),
            transcoder,
        })
    }
}
