//! RTP out of frames: what WebRTC peers need of an RTMP publisher.

use std::sync::Arc;
use std::time::Instant;

use queqiao_media::frame::{AacFrame, OpusPacket, RtpPacket};
use queqiao_media::h264::{BFrameFilter, BFrameVerdict};
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, H264Packetizer};
use queqiao_media::time::StreamTime;
use queqiao_transcode::AacToOpus;
use tracing::{debug, warn};

use super::frame::{Frame, Media, RtpUnit, RtpVideo};
use super::stream::{Source, WebRtcVideo};
use super::transcode::{Handle, Input};

/// Derives RTP from the frames of one source while someone wants it, and judges its video while nobody does.
pub(crate) struct ToRtp {
    source: Arc<Source>,
    bframes: BFrameFilter,
    verdict: WebRtcVideo,
    packetizer: H264Packetizer,
    packets: Vec<RtpPacket<90_000>>,
    audio: Option<Handle>,
    /// Where the numbers of the audio packets go on when a transcoder starts again.
    audio_seq: Arc<std::sync::atomic::AtomicU64>,
}

impl ToRtp {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            bframes: BFrameFilter::default(),
            verdict: WebRtcVideo::Whole,
            packetizer: H264Packetizer::new(DEFAULT_MAX_PAYLOAD),
            packets: Vec::new(),
            audio: None,
            audio_seq: Arc::default(),
        }
    }

    /// Judges a picture before it is published. Returns whether WebRTC peers must do without it.
    pub(crate) fn judge(&mut self, unit: &queqiao_media::frame::AccessUnit) -> bool {
        let (verdict, droppable) = match self.bframes.push(unit) {
            BFrameVerdict::Pass => (self.verdict, false),
            BFrameVerdict::DropNonReferenceB => (self.verdict.max(WebRtcVideo::WithoutBPictures), true),
            BFrameVerdict::ReferenceB => (WebRtcVideo::ReferenceBPictures, false),
        };
        if verdict != self.verdict {
            self.verdict = verdict;
            self.source.set_webrtc_video(verdict);
        }
        droppable
    }

    /// Whether the video seen so far can go to WebRTC peers.
    pub(crate) fn verdict(&self) -> WebRtcVideo {
        self.verdict
    }

    /// Passes a published frame on.
    pub(crate) fn push(&mut self, now: Instant, frame: &Frame) {
        if !self.source.rtp_wanted() {
            self.audio = None;
            return;
        }
        match &frame.media {
            Media::Video { droppable: true, .. } => {}
            Media::Video { unit, .. } => {
                self.packets.clear();
                self.packetizer.packetize(unit, &mut self.packets);
                let unit = RtpVideo {
                    source: self.source.id(),
                    index: Some(frame.index),
                    layer: frame.layer,
                    keyframe: unit.keyframe,
                    packets: Arc::from(self.packets.as_slice()),
                };
                self.source.push_rtp(now, &RtpUnit::Video(unit));
            }
            Media::Audio(frame) => self.push_audio(frame),
        }
    }

    fn push_audio(&mut self, frame: &AacFrame) {
        if !self.source.sound_passes() {
            self.audio = None;
            return;
        }
        if self.audio.is_none() {
            self.audio = self.start_audio();
        }
        if let Some(audio) = &mut self.audio {
            audio.push(Input::Aac(frame.clone()));
        }
    }

    fn start_audio(&self) -> Option<Handle> {
        let mut transcoder = match AacToOpus::new(self.source.settings().opus) {
            Ok(transcoder) => transcoder,
            Err(error) => {
                warn!(%error, "no sound for WebRTC peers");
                return None;
            }
        };
        let source = Arc::clone(&self.source);
        let next_seq = Arc::clone(&self.audio_seq);
        let mut opus = Vec::new();
        self.source.pool().open(Box::new(move |input| {
            let Input::Aac(frame) = input else { return };
            if let Err(error) = transcoder.prepare_for_loss(source.loss(Instant::now())) {
                debug!(%error, "the encoder cannot prepare for loss");
            }
            if let Err(error) = transcoder.push(&frame, &mut opus) {
                debug!(%error, "an AAC frame was skipped");
            }
            for packet in opus.drain(..) {
                let seq = next_seq.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let packet = rtp_packet(seq, &packet);
                source.push_rtp(Instant::now(), &RtpUnit::Audio { source: source.id(), packet });
            }
        }))
    }
}

fn rtp_packet(seq: u64, packet: &OpusPacket) -> RtpPacket<48_000> {
    let time: StreamTime = packet.time;
    RtpPacket { seq, rtp_time: time.rescale(), time, marker: false, payload: Arc::from(packet.data.as_ref()) }
}
