//! From an RTMP publisher to the hub.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use queqiao_media::Error as MediaError;
use queqiao_media::catch_up::LateVideo;
use queqiao_media::flv::{AudioDemuxer, VideoDemuxer};
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::live::{LiveClock, LiveCounters, Place};
use queqiao_media::time::StreamTime;
use queqiao_media::timeline::Kind;
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

/// Who is there for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Nobody,
    /// The mix of its room, which takes sound at fixed times, and nobody else.
    Mix,
    Players,
}

/// A publisher.
pub(super) struct Ingest {
    publication: Publication,
    clock: LiveClock,
    late: LateVideo,
    /// What was told of the clock.
    known: LiveCounters,
    video: VideoDemuxer,
    audio: AudioDemuxer,
    /// Pictures on their way from `late`.
    released: Vec<AccessUnit>,
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
            clock: LiveClock::default(),
            late: LateVideo::default(),
            known: LiveCounters::default(),
            video: VideoDemuxer::default(),
            audio: AudioDemuxer::default(),
            released: Vec::new(),
            to_rtp,
            told: WebRtcVideo::Whole,
            seen: (false, false),
            skipped: 0,
        }
    }

    /// Who is there for the stream.
    pub(super) fn audience(&self) -> Audience {
        let source = self.publication.source();
        if source.frames_wanted() || source.rtp_wanted() {
            Audience::Players
        } else if source.mix_wanted() {
            Audience::Mix
        } else {
            Audience::Nobody
        }
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
        // Only a picture has a time: headers and commands carry whatever timestamp their encoder likes.
        let unit = match self.video.push(payload, StreamTime::ZERO) {
            Ok(Some(unit)) => unit,
            Ok(None) => return None,
            Err(error) => return self.skip(error),
        };
        self.seen.1 = true;
        match self.place(Kind::Video, timestamp, now) {
            Place::Late => self.late.hold(unit),
            Place::Live(dts) => self.late.release(unit.at(dts), &mut self.released),
        }
        for unit in self.released.drain(..) {
            let droppable = self.to_rtp.judge(&unit);
            let frame = self.publication.source().push_frame(now, Media::Video { unit, droppable });
            self.to_rtp.push(now, &frame);
        }
        self.notice()
    }

    /// Takes an audio message.
    pub(super) fn audio(&mut self, timestamp: u32, payload: Bytes, now: Instant) -> Option<Notice> {
        let frame = match self.audio.push(payload, StreamTime::ZERO) {
            Ok(Some(frame)) => frame,
            Ok(None) => return None,
            Err(error) => return self.skip(error),
        };
        self.seen.0 = true;
        if let Place::Live(time) = self.place(Kind::Audio, timestamp, now) {
            let media = Media::Audio(AacFrame { time, ..frame });
            let frame = self.publication.source().push_frame(now, media);
            self.to_rtp.push(now, &frame);
        }
        None
    }

    /// Where a message belongs that was read now.
    fn place(&mut self, kind: Kind, timestamp: u32, now: Instant) -> Place {
        let arrival = self.publication.source().time_at(now);
        let place = self.clock.map(kind, timestamp, arrival);
        let counters = self.clock.counters();
        if (counters.stalls, counters.moves) != (self.known.stalls, self.known.moves) {
            self.known = counters;
            debug!(?kind, ?counters, "the publisher is not where its clock says");
        }
        place
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

#[cfg(test)]
mod tests {
    use queqiao_room::machine::RoomKey;

    use super::*;
    use crate::hub::testing::{Probe, aac_frame};

    #[test]
    fn an_audience_is_who_plays_before_who_mixes() {
        let probe = Probe::new();
        let ingest = Ingest::new(probe.publish());
        let source = ingest.publication.source().clone();
        assert_eq!(ingest.audience(), Audience::Nobody);
        let (hub, grant) = probe.hub();
        let room = RoomKey { app: grant.stream().app.clone(), room: grant.stream().room.clone() };
        let mix = hub.mix(&room).unwrap();
        assert_eq!(ingest.audience(), Audience::Mix);
        for consumer in [true, false] {
            let frames = consumer.then(|| source.stream().subscribe_frames());
            let packets = (!consumer).then(|| source.stream().subscribe_rtp());
            assert_eq!(ingest.audience(), Audience::Players);
            drop((frames, packets));
            assert_eq!(ingest.audience(), Audience::Mix);
        }
        drop(mix);
        source.push_frame(Instant::now(), aac_frame(20));
        assert_eq!(ingest.audience(), Audience::Nobody, "noticed with the next sound");
    }
}
