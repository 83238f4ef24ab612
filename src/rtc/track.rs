//! One outgoing track: its numbers, and what waits to be sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::frame::RtpPacket;
use queqiao_media::layers::Layer;
use queqiao_media::pace::Pacer;
use queqiao_media::rtp::{HoldLine, Rewriter};
use queqiao_media::time::{StreamTime, Ticks};
use rand::Rng;
use str0m::Rtc;
use str0m::media::{MediaKind, MediaTime, Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite};

use super::negotiate::{payload_type, redundant_type};
use super::retransmission::Kept;
use super::wire::{Sent, Wire};
use crate::hub::SourceId;

/// How far behind the server's clock the times in sender reports are. Media that arrives ahead of the pace at
/// which it was anchored would otherwise be captured in the future, and only differences matter to a receiver.
const WALLCLOCK_MARGIN: Duration = Duration::from_secs(2);

/// The pace of a video on a path that carries less, in percent of its share: a keyframe gets there somewhat sooner than the
/// pictures after it. With the sound it is about what the path carries, of which some is not given away.
const PACE: u64 = 110;

/// The same where the path has room for the whole video.
const PACE_OF_WHOLE: u64 = 125;

/// The least pace in bit/s: a keyframe that has begun is through in a second or two, whatever the path was thought to carry.
const MIN_PACE: u64 = 100_000;

/// What browsers bear by themselves, in hundredths of a second.
const LONGEST_PLAYOUT_DELAY: u64 = 1_000;

/// The numbers of sections that carry nothing at the moment. What they carry next goes on with them: the peer sees one
/// RTP stream, and SRTP cannot begin anew.
#[derive(Default)]
pub(super) struct Idle {
    pub(super) audio: Vec<IdleTrack<48_000>>,
    pub(super) video: Vec<IdleTrack<90_000>>,
}

pub(super) struct IdleTrack<const HZ: u32> {
    mid: Mid,
    rewriter: Rewriter<HZ>,
    since: Instant,
}

/// One outgoing track.
pub(super) struct Track<const HZ: u32> {
    pub(super) mid: Mid,
    pub(super) pt: Pt,
    /// For packets that carry others once more, where the viewer takes them.
    pub(super) red: Option<Pt>,
    pub(super) rewriter: Rewriter<HZ>,
    /// How long the section carried nothing before this track.
    pub(super) rest: Ticks<HZ>,
    /// The source, and the layer, of the current run; `None` where the next packet begins one.
    pub(super) run: Option<(SourceId, Layer)>,
    pub(super) last_source: Option<SourceId>,
    /// The latest packet, in the source's clock and on the stream's timeline.
    pub(super) last: Option<(Ticks<HZ>, StreamTime)>,
    /// How long the peer is to hold what it gets at least, where that has to be told.
    pub(super) playout_delay: Option<Duration>,
    /// What waits until the path has carried what went before it.
    pub(super) pacer: Pacer<(RtpWrite, usize)>,
    /// For how long packets are held before that, and those that are.
    pub(super) hold: Duration,
    held: HoldLine<(RtpWrite, usize)>,
    pub(super) wire: Wire,
    /// What is kept to be sent again; sound is not.
    kept: Kept,
}

impl<const HZ: u32> Track<HZ> {
    fn new(
        mid: Mid,
        (pt, red): (Pt, Option<Pt>),
        kept: Kept,
        idle: &mut Vec<IdleTrack<HZ>>,
        now: Instant,
    ) -> Self {
        let before = idle.iter().position(|track| track.mid == mid).map(|index| idle.swap_remove(index));
        let (rewriter, rest) = match before {
            Some(IdleTrack { rewriter, since, .. }) => {
                let rest = StreamTime::from_duration(now.saturating_duration_since(since));
                (rewriter, rest.rescale())
            }
            None => {
                let mut rng = rand::rng();
                // The upper half of the sequence numbers is avoided: SRTP cannot tell an early wrap from a late packet.
                let first_seq = rng.random_range(1..0x8000);
                (Rewriter::new(first_seq, Ticks::new(rng.random_range(1..0x8000_0000))), Ticks::ZERO)
            }
        };
        Self {
            mid,
            pt,
            red,
            rewriter,
            rest,
            run: None,
            last_source: None,
            last: None,
            playout_delay: None,
            pacer: Pacer::default(),
            hold: Duration::ZERO,
            held: HoldLine::default(),
            wire: Wire::default(),
            kept,
        }
    }

    /// So much of the track has gone out by now.
    pub(super) fn note_sent(&mut self, sent: Sent, rtc: &mut Rtc, now: Instant) {
        self.wire.read(sent, now);
        if self.kept.fit(&self.wire) {
            self.kept.forget(rtc, self.mid);
        }
    }

    /// What has been sent so far is not sent again.
    pub(super) fn forget(&self, rtc: &mut Rtc) {
        self.kept.forget(rtc, self.mid);
    }

    pub(super) fn retire(self, idle: &mut Vec<IdleTrack<HZ>>, now: Instant) {
        idle.push(IdleTrack { mid: self.mid, rewriter: self.rewriter, since: now });
    }

    /// Begins a run of `source`, at the same distance in outgoing time as in the source's own, or as on the stream's
    /// timeline: what sender reports have said about it then still holds.
    pub(super) fn start_run(&mut self, source: SourceId, layer: Layer, packet: &RtpPacket<HZ>) {
        let gap = match self.last {
            Some((time, _)) if self.last_source == Some(source) => packet.rtp_time - time,
            Some((_, time)) => (packet.time - time).rescale(),
            None => self.rest,
        };
        self.rewriter.start_run(packet.seq, packet.rtp_time, gap);
        self.run = Some((source, layer));
        self.last_source = Some(source);
    }

    /// Writes a packet of the current run.
    pub(super) fn write(
        &mut self,
        packet: &RtpPacket<HZ>,
        epoch: Instant,
        nackable: bool,
        rtc: &mut Rtc,
        now: Instant,
    ) {
        self.write_as(self.pt, packet, epoch, nackable, rtc, now);
    }

    pub(super) fn write_as(
        &mut self,
        pt: Pt,
        packet: &RtpPacket<HZ>,
        epoch: Instant,
        nackable: bool,
        rtc: &mut Rtc,
        now: Instant,
    ) {
        let Some((seq, time)) = self.rewriter.map(packet.seq, packet.rtp_time) else { return };
        if self.last.is_none_or(|(last, _)| packet.rtp_time > last) {
            self.last = Some((packet.rtp_time, packet.time));
        }
        self.send(pt, seq, time, packet, epoch, nackable, rtc, now);
    }

    #[allow(clippy::too_many_arguments)] // One RTP packet has this many parts.
    pub(super) fn send(
        &mut self,
        pt: Pt,
        seq: u64,
        time: Ticks<HZ>,
        packet: &RtpPacket<HZ>,
        epoch: Instant,
        nackable: bool,
        rtc: &mut Rtc,
        now: Instant,
    ) {
        let captured = epoch + packet.time.to_duration();
        let wallclock = captured.checked_sub(WALLCLOCK_MARGIN).unwrap_or(captured).min(now);
        let mut write = RtpWrite::new(pt, seq.into(), time.wire(), wallclock, Arc::clone(&packet.payload))
            .marker(packet.marker)
            .nackable(nackable);
        if let Some(delay) = self.playout_delay {
            write = write.ext_vals(to_hold(delay));
        }
        let bytes = packet.payload.len();
        if !self.hold.is_zero() || self.held.poll_timeout().is_some() {
            self.held.push((write, bytes), self.hold, now);
        } else if let Some((write, bytes)) = self.pacer.push((write, bytes), bytes, now) {
            self.let_out(write, bytes, rtc);
        }
    }

    /// The path carries `share` bit/s of this video, which is thinned or not; `None` where nothing is known of it.
    pub(super) fn pace(&mut self, share: Option<u64>, is_thinned: bool) {
        // Also where there is room for all of it: a keyframe at once would be more than the path's queue holds.
        let pace = if is_thinned { PACE } else { PACE_OF_WHOLE };
        self.pacer.set_rate(share.map(|rate| (rate.saturating_mul(pace) / 100).max(MIN_PACE)));
    }

    /// When [`timeout`](Self::timeout) is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.held.poll_timeout().into_iter().chain(self.pacer.poll_timeout()).min()
    }

    /// Lets packets leave whose time has come.
    pub(super) fn timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        while let Some((write, bytes)) = self.held.pop(now) {
            if let Some((write, bytes)) = self.pacer.push((write, bytes), bytes, now) {
                self.let_out(write, bytes, rtc);
            }
        }
        while let Some((write, bytes)) = self.pacer.poll(now) {
            self.let_out(write, bytes, rtc);
        }
    }

    fn let_out(&mut self, write: RtpWrite, bytes: usize, rtc: &mut Rtc) {
        self.wire.write(bytes);
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            stream.write_rtp(write);
        }
    }
}

/// Tells the peer how long to hold a picture at least.
fn to_hold(delay: Duration) -> ExtensionValues {
    let hundredths = u64::try_from(delay.as_millis() / 10).unwrap_or_default();
    ExtensionValues {
        play_delay_min: Some(MediaTime::from_hundredths(hundredths)),
        play_delay_max: Some(MediaTime::from_hundredths(LONGEST_PLAYOUT_DELAY)),
        ..ExtensionValues::default()
    }
}

/// Gives a track to the section that carries it now, and takes it from the one that did.
pub(super) fn exchange<const HZ: u32>(
    track: &mut Option<Track<HZ>>,
    section: Option<Mid>,
    kind: MediaKind,
    profile: Option<u32>,
    idle: &mut Vec<IdleTrack<HZ>>,
    rtc: &mut Rtc,
    now: Instant,
) {
    if track.as_ref().map(|track| track.mid) == section {
        return;
    }
    if let Some(before) = track.take() {
        before.retire(idle, now);
    }
    let found = section.and_then(|mid| Some((mid, payload_type(rtc, mid, kind, profile)?)));
    *track = found.map(|(mid, pt)| {
        let kept = Kept::begin(rtc, mid);
        Track::new(mid, (pt, redundant_type(rtc, pt)), kept, idle, now)
    });
}
