//! From a WebRTC publisher to the hub.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use queqiao_media::frame::RtpPacket;
use queqiao_media::layers::{Demand, Layer, LayerClocks, LayerSet, PerLayer};
use queqiao_media::rtp::{begins_keyframe, red};
use queqiao_media::sync::{NtpTime, RtpSync};
use queqiao_media::time::{StreamTime, Ticks};
use queqiao_media::timeline::Kind;
use str0m::Rtc;
use str0m::bwe::Bitrate;
use str0m::media::{KeyframeRequestKind, Mid, Rid};
use str0m::rtp::{RtpPacket as Received, Ssrc};
use tracing::{debug, trace};

use super::control::Control;
use super::negotiate::is_redundant;
use super::simulcast;
use crate::hub::{Passed, Publication, RtpUnit, RtpVideo, ToFrames};

/// The least time between two keyframe requests: a keyframe is ten times a delta frame, and an encoder needs some
/// time to make one.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// How often a publisher is told what its players' paths carry.
const STEERING_INTERVAL: Duration = Duration::from_secs(1);

/// What a publisher is told when it need not hold back any more, in bit/s: more than any browser sends.
const NOT_STEERED: u64 = 20_000_000;

/// Less than this, in bit/s, no publisher is asked to send: the picture would be of no use to anybody.
const LEAST_STEERED: u64 = 100_000;

/// Coalesces keyframe requests, and repeats one until a keyframe comes.
#[derive(Clone, Copy, Debug, Default)]
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
    /// The wall clock of the latest sender report of audio, to notice a new one.
    audio_report: Option<SystemTime>,
    /// Likewise of the layers of video.
    video_reports: PerLayer<Option<SystemTime>>,
    /// The layers that the peer may send.
    layers: LayerSet,
    clocks: LayerClocks,
    demand: Demand,
    /// What the peer has not been told yet of what it is to send.
    asked: Option<LayerSet>,
    frames: ToFrames,
    keyframes: PerLayer<KeyframeRequests>,
    /// The sound of which what is lost is sent again.
    repaired: Option<Ssrc>,
    next_steering: Instant,
    /// Whether the peer was told to send less.
    steered: bool,
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
            audio_report: None,
            video_reports: PerLayer::default(),
            layers: LayerSet::SINGLE,
            clocks: LayerClocks::default(),
            demand: Demand::new(LayerSet::SINGLE),
            asked: None,
            frames,
            keyframes: PerLayer::default(),
            repaired: None,
            next_steering: now,
            steered: false,
        };
        ingest.begin_layers(now, rtc);
        // Players of the publisher before wait for a picture that they can decode.
        if ingest.publication.source().rtp_wanted() || ingest.publication.source().frames_wanted() {
            ingest.request_keyframe(None, now, rtc);
        }
        ingest
    }

    /// Takes media from these sections from now on.
    pub(super) fn carry(&mut self, (audio, video): (Option<Mid>, Option<Mid>), now: Instant, rtc: &Rtc) {
        self.publication.source().declare(video.is_some(), audio.is_some());
        let moved = self.video != video;
        (self.audio, self.video) = (audio, video);
        if moved {
            self.begin_layers(now, rtc);
        }
    }

    /// Finds out which layers the video section has. A peer begins with the largest alone.
    fn begin_layers(&mut self, now: Instant, rtc: &Rtc) {
        self.layers = self.video.map_or(LayerSet::SINGLE, |video| simulcast::negotiated(rtc, video));
        self.clocks = LayerClocks::default();
        self.demand = Demand::new(LayerSet::SINGLE);
        self.publication.source().offer_layers(self.layers);
        self.look_at_demand(now);
    }

    /// Looks at which layers are needed.
    pub(super) fn look_at_demand(&mut self, now: Instant) {
        if self.layers.len() > 1 {
            let needed = self.publication.source().stream().needed_layers();
            self.asked = self.demand.update(now, needed).or(self.asked);
        }
    }

    /// What the peer is to send, if it has not been told.
    pub(super) fn take_asked(&mut self) -> Option<LayerSet> {
        self.asked.take()
    }

    pub(super) fn carries(&self, mid: Mid) -> bool {
        self.audio == Some(mid) || self.video == Some(mid)
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.control.is_replaced()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let layers = self.sent().iter().filter_map(|layer| self.keyframes.get(layer).poll_timeout());
        layers.chain(self.frames.poll_timeout()).chain(self.demand.poll_timeout()).min()
    }

    pub(super) fn timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        for layer in self.frames.poll(now).iter() {
            self.keyframes.get_mut(layer).want();
        }
        for layer in self.sent().iter() {
            self.send_keyframe_request(layer, now, rtc);
        }
        self.look_at_demand(now);
    }

    /// The layers that the peer sends, as far as it has been asked to. Of others there are no keyframes to be had.
    fn sent(&self) -> LayerSet {
        self.layers.intersection(self.demand.asked())
    }

    /// Asks for a keyframe of `layer`, or of all that anybody needs.
    pub(super) fn request_keyframe(&mut self, layer: Option<Layer>, now: Instant, rtc: &mut Rtc) {
        let source = self.publication.source();
        let (needed, for_frames) = (source.stream().needed_layers(), source.frames_wanted());
        let layers = match layer.filter(|layer| self.layers.contains(*layer)) {
            Some(layer) => LayerSet::only(layer),
            None if needed.is_empty() => self.layers,
            None => needed,
        };
        for layer in layers.iter() {
            let requests = self.keyframes.get_mut(layer);
            if for_frames {
                requests.want_two(now);
            } else {
                requests.want();
            }
            self.send_keyframe_request(layer, now, rtc);
        }
    }

    fn send_keyframe_request(&mut self, layer: Layer, now: Instant, rtc: &mut Rtc) {
        let Some(video) = self.video.filter(|_| self.sent().contains(layer)) else { return };
        let rid = simulcast::rid(self.layers, layer);
        if let Some(stream) = rtc.direct_api().stream_rx_by_mid(video, rid)
            && self.keyframes.get_mut(layer).poll(now)
        {
            trace!(?layer, "keyframe requested");
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Takes one packet of a section, and of a layer where the section has several.
    pub(super) fn receive(
        &mut self,
        packet: &Received,
        (mid, rid): (Mid, Option<Rid>),
        now: Instant,
        rtc: &mut Rtc,
    ) {
        if packet.payload.is_empty() {
            return; // Padding, which browsers probe the bandwidth with.
        }
        if Some(mid) == self.video {
            self.steer(mid, now, rtc);
            self.video_packet(packet, simulcast::layer(rid), now, rtc);
        } else {
            self.audio_packet(packet, mid, now, rtc);
        }
    }

    /// Has sound that is lost sent again. Browsers do so without a stream of their own for it, which str0m expects.
    fn repair_audio(&mut self, mid: Mid, ssrc: Ssrc, rtc: &mut Rtc) {
        if self.repaired.replace(ssrc) != Some(ssrc)
            && let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, None)
        {
            stream.suppress_nack(false);
        }
    }

    /// Has the publisher send no more than the best of its players' paths carries, where all of them are narrow. A publisher
    /// of layers is asked for smaller ones instead.
    fn steer(&mut self, mid: Mid, now: Instant, rtc: &mut Rtc) {
        if now < self.next_steering || self.layers.len() > 1 {
            return;
        }
        self.next_steering = now + STEERING_INTERVAL;
        let capacities = self.publication.source().stream().capacities();
        let best = capacities.into_iter().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        if best.is_none() && !self.steered {
            return;
        }
        self.steered = best.is_some();
        if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, None) {
            let bits = best.unwrap_or(NOT_STEERED).max(LEAST_STEERED);
            trace!(bits, "the publisher is told what its players' paths carry");
            stream.request_remb(Bitrate::from(bits));
        }
    }

    /// Takes over a sender report that came since the last packet of the track, or of the layer.
    fn note_report(&mut self, received: &Received, of: Of, arrival: StreamTime) {
        let Some(report) = received.last_sender_info else { return };
        let last = match of {
            Of::Audio => &mut self.audio_report,
            Of::Video(layer) => self.video_reports.get_mut(layer),
        };
        if last.replace(report.ntp_time) == Some(report.ntp_time) {
            return;
        }
        #[allow(clippy::cast_possible_truncation)] // The low 32 bits are what was on the wire.
        let rtp = report.rtp_time.numer() as u32;
        let Some(ntp) = ntp(report.ntp_time) else { return };
        match of {
            Of::Audio => self.sync.sender_report(Kind::Audio, rtp, ntp, arrival),
            Of::Video(layer) => {
                if let Some(rtp) = self.clocks.sender_report(layer, rtp, ntp) {
                    self.sync.sender_report(Kind::Video, rtp, ntp, arrival);
                }
            }
        }
    }

    fn video_packet(&mut self, received: &Received, layer: Layer, now: Instant, rtc: &mut Rtc) {
        let source = Arc::clone(self.publication.source());
        let arrival = source.time_at(received.timestamp);
        self.note_report(received, Of::Video(layer), arrival);
        let rtp_time = self.clocks.map(layer, ticks(received), arrival);
        let packet = RtpPacket {
            seq: *received.seq_no,
            rtp_time,
            time: self.sync.video(rtp_time, arrival),
            marker: received.header.marker,
            payload: Arc::clone(&received.payload),
        };
        let keyframe = begins_keyframe(&packet.payload);
        if keyframe {
            self.keyframes.get_mut(layer).received();
        }
        if source.rtp_wanted() {
            let packets = Arc::from([packet.clone()]);
            let video = RtpVideo { source: source.id(), index: None, layer, keyframe, packets };
            source.push_rtp(now, &RtpUnit::Video(video));
        } else {
            let (bytes, frames) = (packet.payload.len(), usize::from(packet.marker));
            source.count_rtp(now, Passed::Video { layer, bytes, packets: 1, frames, keyframe });
        }
        if self.frames.video(now, layer, packet) {
            self.keyframes.get_mut(layer).want();
            self.send_keyframe_request(layer, now, rtc);
        }
    }

    fn audio_packet(&mut self, received: &Received, mid: Mid, now: Instant, rtc: &mut Rtc) {
        self.repair_audio(mid, received.header.ssrc, rtc);
        let payload = if is_redundant(rtc, received.header.payload_type) {
            let Some(primary) = red::primary(&received.payload) else {
                debug!("a packet with redundancy that does not fit it was skipped");
                return;
            };
            Arc::from(primary)
        } else {
            Arc::clone(&received.payload)
        };
        let source = Arc::clone(self.publication.source());
        let arrival = source.time_at(received.timestamp);
        self.note_report(received, Of::Audio, arrival);
        let rtp_time = ticks(received);
        let packet = RtpPacket {
            seq: *received.seq_no,
            rtp_time,
            time: self.sync.audio(rtp_time, arrival),
            marker: received.header.marker,
            payload,
        };
        if source.rtp_wanted() {
            source.push_rtp(now, &RtpUnit::Audio { source: source.id(), packet: packet.clone() });
        } else {
            source.count_rtp(now, Passed::Audio { bytes: packet.payload.len() });
        }
        self.frames.audio(now, packet);
    }
}

/// What a sender report is about.
#[derive(Clone, Copy, Debug)]
enum Of {
    Audio,
    Video(Layer),
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
