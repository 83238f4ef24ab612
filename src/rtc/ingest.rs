//! From a WebRTC publisher to the hub.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use queqiao_media::frame::RtpPacket;
use queqiao_media::rtp::begins_keyframe;
use queqiao_media::sync::{NtpTime, RtpSync};
use queqiao_media::time::{StreamTime, Ticks};
use queqiao_media::timeline::Kind;
use str0m::Rtc;
use str0m::media::{KeyframeRequestKind, Mid};
use str0m::rtp::RtpPacket as Received;
use tracing::trace;

use super::control::Control;
use crate::hub::{Publication, RtpUnit, RtpVideo, ToFrames};

/// The least time between two keyframe requests: a keyframe is ten times a delta frame, and an encoder needs some
/// time to make one.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Coalesces keyframe requests, and repeats one until a keyframe comes.
#[derive(Debug, Default)]
struct KeyframeRequests {
    wanted: bool,
    last: Option<Instant>,
    /// When to want another one.
    again: Option<Instant>,
}

/// When a player that joins gets a second keyframe: ffmpeg with `nobuffer` throws away what it has probed, the first
/// one with it.
const SECOND_KEYFRAME: Duration = Duration::from_millis(1_500);

impl KeyframeRequests {
    fn want(&mut self) {
        self.wanted = true;
    }

    /// For someone who joins.
    fn want_two(&mut self, now: Instant) {
        self.want();
        self.again = Some(now + SECOND_KEYFRAME);
    }

    /// Whether to send a request now.
    fn poll(&mut self, now: Instant) -> bool {
        if self.again.is_some_and(|at| at <= now) {
            self.again = None;
            self.want();
        }
        let due = self.wanted && self.last.is_none_or(|last| now.duration_since(last) >= KEYFRAME_INTERVAL);
        if due {
            self.last = Some(now);
        }
        due
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let repeat = self.last.filter(|_| self.wanted).map(|last| last + KEYFRAME_INTERVAL);
        match (repeat, self.again) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// A keyframe came. It answers a request only if it was made after it, which cannot be known: the next one
    /// who needs it asks again.
    fn received(&mut self) {
        self.wanted = false;
    }
}

/// A publisher.
pub(super) struct Ingest {
    control: Arc<Control>,
    publication: Publication,
    audio: Option<Mid>,
    video: Option<Mid>,
    sync: RtpSync,
    /// The wall clock of the latest sender report of audio and of video, to notice a new one.
    last_report: [Option<SystemTime>; 2],
    frames: ToFrames,
    keyframes: KeyframeRequests,
}

impl Ingest {
    pub(super) fn new(
        publication: Publication,
        control: Arc<Control>,
        (audio, video): (Option<Mid>, Option<Mid>),
        now: Instant,
        rtc: &mut Rtc,
    ) -> Self {
        publication.source().declare(video.is_some(), audio.is_some());
        let frames = ToFrames::new(Arc::clone(publication.source()));
        let mut ingest = Self {
            control,
            publication,
            audio,
            video,
            sync: RtpSync::default(),
            last_report: [None; 2],
            frames,
            keyframes: KeyframeRequests::default(),
        };
        // Players of the publisher before wait for a picture that they can decode.
        if ingest.publication.source().rtp_wanted() || ingest.publication.source().frames_wanted() {
            ingest.request_keyframe(now, rtc);
        }
        ingest
    }

    /// Takes media from these sections from now on.
    pub(super) fn carry(&mut self, audio: Option<Mid>, video: Option<Mid>) {
        self.publication.source().declare(video.is_some(), audio.is_some());
        (self.audio, self.video) = (audio, video);
    }

    pub(super) fn carries(&self, mid: Mid) -> bool {
        self.audio == Some(mid) || self.video == Some(mid)
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.control.is_replaced()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match (self.frames.poll_timeout(), self.keyframes.poll_timeout()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    pub(super) fn timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        if self.frames.poll(now) {
            self.keyframes.want();
        }
        self.send_keyframe_request(now, rtc);
    }

    pub(super) fn request_keyframe(&mut self, now: Instant, rtc: &mut Rtc) {
        if self.publication.source().frames_wanted() {
            self.keyframes.want_two(now);
        } else {
            self.keyframes.want();
        }
        self.send_keyframe_request(now, rtc);
    }

    fn send_keyframe_request(&mut self, now: Instant, rtc: &mut Rtc) {
        let Some(video) = self.video else { return };
        if let Some(stream) = rtc.direct_api().stream_rx_by_mid(video, None)
            && self.keyframes.poll(now)
        {
            trace!("keyframe requested");
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Takes one packet of the section `mid`.
    pub(super) fn receive(&mut self, packet: &Received, mid: Mid, now: Instant, rtc: &mut Rtc) {
        if packet.payload.is_empty() {
            return; // Padding, which browsers probe the bandwidth with.
        }
        if Some(mid) == self.video {
            self.video_packet(packet, now, rtc);
        } else {
            self.audio_packet(packet, now);
        }
    }

    /// Takes over a sender report that came since the last packet of the track.
    fn note_report(&mut self, received: &Received, kind: Kind, arrival: StreamTime) {
        let Some(report) = received.last_sender_info else { return };
        let [audio, video] = &mut self.last_report;
        let last = match kind {
            Kind::Audio => audio,
            Kind::Video => video,
        };
        if last.replace(report.ntp_time) == Some(report.ntp_time) {
            return;
        }
        #[allow(clippy::cast_possible_truncation)] // The low 32 bits are what was on the wire.
        let rtp = report.rtp_time.numer() as u32;
        if let Some(ntp) = ntp(report.ntp_time) {
            self.sync.sender_report(kind, rtp, ntp, arrival);
        }
    }

    fn video_packet(&mut self, received: &Received, now: Instant, rtc: &mut Rtc) {
        let source = Arc::clone(self.publication.source());
        let arrival = source.time_at(received.timestamp);
        self.note_report(received, Kind::Video, arrival);
        let rtp_time = ticks(received);
        let packet = RtpPacket {
            seq: *received.seq_no,
            rtp_time,
            time: self.sync.video(rtp_time, arrival),
            marker: received.header.marker,
            payload: Arc::clone(&received.payload),
        };
        let keyframe = begins_keyframe(&packet.payload);
        if keyframe {
            self.keyframes.received();
        }
        if source.rtp_wanted() {
            let packets = Arc::from([packet.clone()]);
            let video = RtpVideo { source: source.id(), index: None, keyframe, packets };
            source.push_rtp(now, &RtpUnit::Video(video));
        }
        if self.frames.video(now, packet) {
            self.keyframes.want();
            self.send_keyframe_request(now, rtc);
        }
    }

    fn audio_packet(&mut self, received: &Received, now: Instant) {
        let source = Arc::clone(self.publication.source());
        let arrival = source.time_at(received.timestamp);
        self.note_report(received, Kind::Audio, arrival);
        let rtp_time = ticks(received);
        let packet = RtpPacket {
            seq: *received.seq_no,
            rtp_time,
            time: self.sync.audio(rtp_time, arrival),
            marker: received.header.marker,
            payload: Arc::clone(&received.payload),
        };
        if source.rtp_wanted() {
            source.push_rtp(now, &RtpUnit::Audio { source: source.id(), packet: packet.clone() });
        }
        self.frames.audio(now, packet);
    }
}

/// The wall clock of a sender report as it was on the wire (RFC 3550 section 4), which str0m has converted.
fn ntp(time: SystemTime) -> Option<NtpTime> {
    const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    let seconds = since.as_secs().checked_add(NTP_TO_UNIX_SECONDS)?;
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    Some(NtpTime((seconds << 32) | fraction))
}

/// The packet's timestamp, which str0m has unwrapped.
fn ticks<const HZ: u32>(received: &Received) -> Ticks<HZ> {
    Ticks::new(i64::try_from(received.time.numer()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframe_requests_are_coalesced_limited_in_rate_and_repeated_until_answered() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut requests = KeyframeRequests::default();
        assert!(!requests.poll(at(0)), "nobody asked");
        requests.want();
        assert!(requests.poll(at(0)));
        requests.want();
        assert!(!requests.poll(at(499)));
        assert_eq!(requests.poll_timeout(), Some(at(500)));
        assert!(requests.poll(at(500)));
        assert!(requests.poll(at(1_000)), "no keyframe came");
        requests.received();
        assert!(!requests.poll(at(2_000)));
        assert_eq!(requests.poll_timeout(), None);
    }

    #[test]
    fn a_player_that_joins_gets_a_second_keyframe_for_the_one_it_may_throw_away() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::default();
        requests.want_two(start);
        assert!(requests.poll(start));
        requests.received();
        assert_eq!(requests.poll_timeout(), Some(start + SECOND_KEYFRAME));
        assert!(!requests.poll(start + KEYFRAME_INTERVAL));
        assert!(requests.poll(start + SECOND_KEYFRAME));
        requests.received();
        assert_eq!(requests.poll_timeout(), None);
    }

    #[test]
    fn a_report_is_converted_to_ntp_seconds_and_fraction() {
        let time = UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(ntp(time), Some(NtpTime((2_208_988_801 << 32) | (1 << 31))));
    }
}
