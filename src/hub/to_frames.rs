//! Frames out of RTP: what RTMP and FLV players need of a WebRTC publisher.

use std::sync::Arc;
use std::time::Instant;

use queqiao_media::frame::{OpusPacket, RtpPacket};
use queqiao_media::layers::{Layer, LayerSet, PerLayer};
use queqiao_media::rtp::{H264Depacketizer, Item, JitterBuffer, OpusReceiver, Pause, Unit, Waits};
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
    receiver: OpusReceiver,
    pause: Pause,
    transcoder: Handle,
}

impl Audio {
    fn poll_timeout(&self) -> Option<Instant> {
        match (self.jitter.poll_timeout(), self.pause.poll_timeout()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// Derives frames from the RTP of one source while someone wants them.
pub(crate) struct ToFrames {
    source: Arc<Source>,
    video: PerLayer<Option<Video>>,
    audio: Option<Audio>,
    opus: Vec<OpusPacket>,
    /// Set where no transcoder can be had, so that it is said once.
    silent: bool,
}

impl ToFrames {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self { source, video: PerLayer::default(), audio: None, opus: Vec::new(), silent: false }
    }

    /// Takes a video packet of a layer. Returns whether a keyframe of it is needed to go on.
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
        Self::poll_video(video, now, layer, &self.source)
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
            Self::poll_audio(audio, now, &mut self.opus);
        }
    }

    /// When [`Self::poll`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let layers = self.video.iter().filter_map(|(_, video)| video.as_ref());
        let video = layers.filter_map(|video| video.jitter.poll_timeout());
        let audio = self.audio.as_ref().and_then(Audio::poll_timeout);
        video.chain(audio).min()
    }

    /// Gives up on what is too late. Returns the layers of which a keyframe is needed to go on.
    pub(crate) fn poll(&mut self, now: Instant) -> LayerSet {
        if let Some(audio) = &mut self.audio {
            Self::poll_audio(audio, now, &mut self.opus);
        }
        let needs_keyframe = |layer: &Layer| {
            let video = self.video.get_mut(*layer).as_mut();
            video.is_some_and(|video| Self::poll_video(video, now, *layer, &self.source))
        };
        Layer::ALL.into_iter().filter(needs_keyframe).collect()
    }

    fn poll_video(video: &mut Video, now: Instant, layer: Layer, source: &Source) -> bool {
        while let Some(item) = video.jitter.poll(now) {
            match item {
                Item::Packet(packet) => video.depacketizer.push(&packet),
                Item::Lost { first, count } => debug!(first, count, "video packets lost"),
                Item::Restart => video.depacketizer.restart(),
            }
            while let Some(unit) = video.depacketizer.pull() {
                match unit {
                    Unit::Picture(unit) => {
                        source.push_layer(now, layer, Media::Video { unit, droppable: false });
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
        video.depacketizer.needs_keyframe()
    }

    fn poll_audio(audio: &mut Audio, now: Instant, opus: &mut Vec<OpusPacket>) {
        while let Some(item) = audio.jitter.poll(now) {
            audio.receiver.push(item, opus);
            let came = !opus.is_empty();
            for packet in opus.drain(..) {
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
            receiver: OpusReceiver::default(),
            pause: Pause::default(),
            transcoder,
        })
    }
}
