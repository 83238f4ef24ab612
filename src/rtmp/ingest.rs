//! From an RTMP publisher to the hub.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use queqiao_media::Error as MediaError;
use queqiao_media::flv::{AudioDemuxer, VideoDemuxer};
use queqiao_media::timeline::{Kind, RtmpTimeline};
use queqiao_room::signal::Tracks;
use queqiao_rtmp::amf0::Object;
use tracing::debug;

use crate::hub::{Media, Publication, ToRtp, WebRtcVideo};

/// What a publisher has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The stream goes on.
    Warning { code: &'static str, text: &'static str },
    /// The stream cannot go on.
    UnsupportedCodec(Cow<'static, str>),
}

/// A publisher.
pub(super) struct Ingest {
    publication: Publication,
    timeline: RtmpTimeline,
    video: VideoDemuxer,
    audio: AudioDemuxer,
    to_rtp: ToRtp,
    told: WebRtcVideo,
    /// Which tracks frames have come of.
    seen: (bool, bool),
    skipped: u64,
}

impl Ingest {
    pub(super) fn new(publication: Publication) -> Self {
        let to_rtp = ToRtp::new(publication.source().clone());
        Self {
            publication,
            timeline: RtmpTimeline::default(),
            video: VideoDemuxer::default(),
            audio: AudioDemuxer::default(),
            to_rtp,
            told: WebRtcVideo::Whole,
            seen: (false, false),
            skipped: 0,
        }
    }

    /// Whether anyone plays the stream.
    pub(super) fn is_watched(&self) -> bool {
        let source = self.publication.source();
        source.frames_wanted() || source.rtp_wanted() || source.mix_wanted()
    }

    /// The tracks that have come, whatever the publisher announced.
    pub(super) const fn tracks(&self) -> Option<Tracks> {
        Tracks::new(self.seen.0, self.seen.1)
    }

    /// Frames that were skipped because they could not be read.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Takes what the publisher says of itself: which tracks to expect.
    pub(super) fn metadata(&mut self, metadata: &Object) {
        self.publication
            .source()
            .declare(metadata.get("videocodecid").is_some(), metadata.get("audiocodecid").is_some());
    }

    /// Takes a video message.
    pub(super) fn video(&mut self, timestamp: u32, payload: Bytes, now: Instant) -> Option<Notice> {
        let arrival = self.publication.source().time_at(now);
        // Sequence headers carry whatever timestamp their encoder likes.
        let dts = if is_sequence_header(&payload) {
            arrival
        } else {
            self.timeline.map(Kind::Video, timestamp, arrival)
        };
        let unit = match self.video.push(payload, dts) {
            Ok(Some(unit)) => unit,
            Ok(None) => return None,
            Err(error) => return self.skip(error),
        };
        self.seen.1 = true;
        let droppable = self.to_rtp.judge(&unit);
        let frame = self.publication.source().push_frame(now, Media::Video { unit, droppable });
        self.to_rtp.push(now, &frame);
        self.notice()
    }

    /// Takes an audio message.
    pub(super) fn audio(&mut self, timestamp: u32, payload: Bytes, now: Instant) -> Option<Notice> {
        let arrival = self.publication.source().time_at(now);
        let time = if is_sequence_header(&payload) {
            arrival
        } else {
            self.timeline.map(Kind::Audio, timestamp, arrival)
        };
        match self.audio.push(payload, time) {
            Ok(Some(frame)) => {
                self.seen.0 = true;
                let frame = self.publication.source().push_frame(now, Media::Audio(frame));
                self.to_rtp.push(now, &frame);
                None
            }
            Ok(None) => None,
            Err(error) => self.skip(error),
        }
    }

    fn skip(&mut self, error: MediaError) -> Option<Notice> {
        if let MediaError::UnsupportedCodec { name } = error {
            return Some(Notice::UnsupportedCodec(name));
        }
        self.skipped += 1;
        if self.skipped.is_power_of_two() {
            debug!(%error, skipped = self.skipped, "a frame was skipped");
        }
        None
    }

    /// What the pictures so far mean for WebRTC viewers, said once.
    fn notice(&mut self) -> Option<Notice> {
        let verdict = self.to_rtp.verdict();
        if verdict == self.told {
            return None;
        }
        self.told = verdict;
        match verdict {
            WebRtcVideo::Whole => None,
            WebRtcVideo::WithoutBPictures => Some(Notice::Warning {
                code: "NetStream.Publish.BFrames",
                text: "WebRTC viewers do not see the B-frames of this stream: turn them off for a smooth picture",
            }),
            WebRtcVideo::ReferenceBPictures => Some(Notice::Warning {
                code: "NetStream.Publish.ReferenceBFrames",
                text: "WebRTC viewers cannot see this stream: other pictures refer to its B-frames. Turn them off",
            }),
        }
    }
}

/// Whether an FLV tag body of H.264 or AAC carries no media of its own (E.4.2.2, E.4.3.2).
fn is_sequence_header(payload: &[u8]) -> bool {
    payload.get(1) == Some(&0)
}
