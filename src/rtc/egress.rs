//! From the hub's RTP to a WebRTC viewer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::frame::{AccessUnit, RtpPacket};
use queqiao_media::pace::Pacer;
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, H264Packetizer, Rewriter};
use queqiao_media::thin::{RateMeter, Verdict};
use queqiao_media::time::{StreamTime, Ticks, VideoTicks};
use rand::Rng;
use str0m::Rtc;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::RtpWrite;
use tracing::debug;

use super::negotiate::{payload_type, prepare_to_send};
use super::thinning::Thinning;
use crate::hub::{Frame, Media, RtpUnit, RtpVideo, Seat, SourceId, Stream, WebRtcVideo};

/// How often a viewer may be caught up: browsers repeat their picture loss indications about this often.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(500);

/// The distance of cached pictures that are sent to a viewer who joins. Small, so that a whole GOP ends at live;
/// not zero, because a receiver tells pictures apart by their timestamps.
const SQUEEZED_STEP: StreamTime = Ticks::new(50);

/// How far behind the server's clock the times in sender reports are. Media that arrives ahead of the pace at
/// which it was anchored would otherwise be captured in the future, and only differences matter to a receiver.
const WALLCLOCK_MARGIN: Duration = Duration::from_secs(2);

/// The pace of a video on a path that carries less, in percent of what it carries: a keyframe gets there somewhat sooner
/// than the pictures after it.
const PACE: u64 = 125;

/// The picture of a viewer would freeze: B pictures are left out for WebRTC, and others refer to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unplayable;

/// The numbers of sections that carry nothing at the moment. What they carry next goes on with them: the peer sees one
/// RTP stream, and SRTP cannot begin anew.
#[derive(Default)]
pub(super) struct Idle {
    audio: Vec<IdleTrack<48_000>>,
    video: Vec<IdleTrack<90_000>>,
}

struct IdleTrack<const HZ: u32> {
    mid: Mid,
    rewriter: Rewriter<HZ>,
    since: Instant,
}

/// One outgoing track.
struct Track<const HZ: u32> {
    mid: Mid,
    pt: Pt,
    rewriter: Rewriter<HZ>,
    /// How long the section carried nothing before this track.
    rest: Ticks<HZ>,
    /// The source of the current run; `None` where the next packet begins one.
    run: Option<SourceId>,
    last_source: Option<SourceId>,
    /// The latest packet, in the source's clock and on the stream's timeline.
    last: Option<(Ticks<HZ>, StreamTime)>,
    /// What waits until the path has carried what went before it.
    pacer: Pacer<RtpWrite>,
}

impl<const HZ: u32> Track<HZ> {
    fn new(mid: Mid, pt: Pt, idle: &mut Vec<IdleTrack<HZ>>, now: Instant) -> Self {
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
        Self { mid, pt, rewriter, rest, run: None, last_source: None, last: None, pacer: Pacer::default() }
    }

    fn retire(self, idle: &mut Vec<IdleTrack<HZ>>, now: Instant) {
        idle.push(IdleTrack { mid: self.mid, rewriter: self.rewriter, since: now });
    }

    /// Begins a run of `source`, at the same distance in outgoing time as in the source's own, or as on the stream's
    /// timeline: what sender reports have said about it then still holds.
    fn start_run(&mut self, source: SourceId, packet: &RtpPacket<HZ>) {
        let gap = match self.last {
            Some((time, _)) if self.last_source == Some(source) => packet.rtp_time - time,
            Some((_, time)) => (packet.time - time).rescale(),
            None => self.rest,
        };
        self.rewriter.start_run(packet.seq, packet.rtp_time, gap);
        self.run = Some(source);
        self.last_source = Some(source);
    }

    /// Writes a packet of the current run.
    fn write(&mut self, packet: &RtpPacket<HZ>, epoch: Instant, nackable: bool, rtc: &mut Rtc, now: Instant) {
        let Some((seq, time)) = self.rewriter.map(packet.seq, packet.rtp_time) else { return };
        if self.last.is_none_or(|(last, _)| packet.rtp_time > last) {
            self.last = Some((packet.rtp_time, packet.time));
        }
        self.send(seq, time, packet, epoch, nackable, rtc, now);
    }

    #[allow(clippy::too_many_arguments)] // One RTP packet has this many parts.
    fn send(
        &mut self,
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
        let write = RtpWrite::new(self.pt, seq.into(), time.wire(), wallclock, Arc::clone(&packet.payload))
            .marker(packet.marker)
            .nackable(nackable);
        if let Some(write) = self.pacer.push(write, packet.payload.len(), now) {
            self.let_out(write, rtc);
        }
    }

    fn let_out(&self, write: RtpWrite, rtc: &mut Rtc) {
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            stream.write_rtp(write);
        }
    }
}

/// What a viewer's video is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Playing {
    /// Nothing until a keyframe.
    AwaitingKeyframe,
    /// Live, but for the pictures up to this number, which were replayed.
    After(Option<u64>),
}

/// A viewer of one stream.
pub(super) struct Egress {
    seat: Seat,
    /// Whether the worker subscribes the session to the stream.
    joined: bool,
    /// Whether the video is given up.
    unplayable: bool,
    video: Option<Track<90_000>>,
    audio: Option<Track<48_000>>,
    playing: Playing,
    catch_up_wanted: bool,
    last_catch_up: Option<Instant>,
    thinning: Thinning,
    sound: RateMeter,
}

impl Egress {
    /// A viewer without sections so far.
    pub(super) fn new(seat: Seat, now: Instant) -> Self {
        Self {
            seat,
            joined: false,
            unplayable: false,
            video: None,
            audio: None,
            playing: Playing::AwaitingKeyframe,
            catch_up_wanted: false,
            last_catch_up: None,
            thinning: Thinning::new(now),
            sound: RateMeter::new(now),
        }
    }

    /// Bit/s of sound that goes out.
    pub(super) fn sound(&self) -> u64 {
        self.sound.rate().filter(|_| self.audio.is_some()).unwrap_or_default()
    }

    /// Bit/s that the video would take whole; none without one, and in its first second.
    pub(super) fn demand(&self) -> Option<u64> {
        self.thinning.demand().filter(|_| self.video.is_some())
    }

    /// Bit/s of the video that go out.
    pub(super) fn sent_rate(&self) -> u64 {
        self.thinning.sent_rate()
    }

    /// The path carries so many bit/s of the video from now on; `None` where nothing is known of it. Returns whether the
    /// video is thinned or paced.
    pub(super) fn grant(&mut self, share: Option<u64>, now: Instant) -> bool {
        let limit = self.thinning.grant(share, now);
        self.seat.capacity().note(limit);
        if let Some(video) = &mut self.video {
            video.pacer.set_rate(limit.map(|limit| limit.saturating_mul(PACE) / 100));
        }
        limit.is_some() || self.poll_timeout().is_some()
    }

    /// When the next packet may leave that waits.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.video.as_ref().and_then(|video| video.pacer.poll_timeout())
    }

    /// Lets packets leave whose time has come.
    pub(super) fn timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        if let Some(video) = &mut self.video {
            while let Some(write) = video.pacer.poll(now) {
                video.let_out(write, rtc);
            }
        }
    }

    pub(super) fn stream(&self) -> &Arc<Stream> {
        self.seat.stream()
    }

    /// Sends in these sections from now on. Returns whether the session has to be subscribed to the stream now.
    pub(super) fn carry(
        &mut self,
        (audio, video): (Option<Mid>, Option<Mid>),
        idle: &mut Idle,
        rtc: &mut Rtc,
        now: Instant,
    ) -> bool {
        let profile = self.stream().description().params.map(|params| {
            let [profile, constraints, level] = params.profile_level_id();
            u32::from_be_bytes([0, profile, constraints, level])
        });
        let video = video.filter(|_| !self.unplayable);
        let had_video = self.video.is_some();
        exchange(&mut self.video, video, MediaKind::Video, profile, &mut idle.video, rtc, now);
        exchange(&mut self.audio, audio, MediaKind::Audio, None, &mut idle.audio, rtc, now);
        if self.video.is_some() && !had_video {
            self.playing = Playing::AwaitingKeyframe;
            // Before the subscription is there, what is cached now would be sent twice.
            if self.joined {
                self.request_catch_up(now);
            }
        }
        let joins = !self.joined && (self.audio.is_some() || self.video.is_some());
        self.joined |= joins;
        joins
    }

    /// Whether this viewer's video goes out in the section `mid`.
    pub(super) fn shows_in(&self, mid: Mid) -> bool {
        self.video.as_ref().is_some_and(|video| video.mid == mid)
    }

    /// Whether one of this viewer's tracks goes out in the section `mid`.
    pub(super) fn is_in(&self, mid: Mid) -> bool {
        self.shows_in(mid) || self.audio.as_ref().is_some_and(|audio| audio.mid == mid)
    }

    pub(super) fn wants_catch_up(&self) -> bool {
        self.catch_up_wanted
    }

    /// Leaves the video out from now on.
    pub(super) fn give_up_video(&mut self, idle: &mut Idle, now: Instant) {
        self.unplayable = true;
        if let Some(video) = self.video.take() {
            video.retire(&mut idle.video, now);
        }
    }

    /// Ends, and leaves the numbers of its sections to what comes after.
    pub(super) fn retire(self, idle: &mut Idle, now: Instant) {
        if let Some(video) = self.video {
            video.retire(&mut idle.video, now);
        }
        if let Some(audio) = self.audio {
            audio.retire(&mut idle.audio, now);
        }
    }

    /// The viewer lost the picture, or has not seen one yet.
    pub(super) fn request_catch_up(&mut self, now: Instant) {
        let recent = self.last_catch_up.is_some_and(|last| now.duration_since(last) < CATCH_UP_INTERVAL);
        // The browser repeats its request for as long as it needs to.
        if self.video.is_some() && !recent {
            self.catch_up_wanted = true;
        }
    }

    /// Sends the cached GOP where one was wanted and is there. Returns whether packets were written.
    pub(super) fn catch_up(&mut self, rtc: &mut Rtc, now: Instant) -> Result<bool, Unplayable> {
        if !std::mem::take(&mut self.catch_up_wanted) {
            return Ok(false);
        }
        self.check_video()?;
        self.last_catch_up = Some(now);
        let cached = self.seat.stream().catch_up();
        let pictures: Vec<_> = cached.iter().filter_map(|frame| picture(frame)).collect();
        let (Some(newest), Some((_, last)), Some(track)) = (cached.last(), pictures.last(), &mut self.video)
        else {
            return Ok(false);
        };
        let bytes = pictures.iter().flat_map(|(_, unit)| unit.nals.iter().map(bytes::Bytes::len)).sum();
        if !self.thinning.replays(bytes, now) {
            return Ok(false);
        }
        let count = i64::try_from(pictures.len()).unwrap_or(i64::MAX);
        let same_source = track.last_source == Some(newest.source);
        let mut time = match track.last {
            Some((time, _)) if same_source => time.rescale() + SQUEEZED_STEP,
            _ => last.pts - StreamTime::new(SQUEEZED_STEP.get().saturating_mul(count - 1)),
        };
        let mut packetizer = H264Packetizer::new(DEFAULT_MAX_PAYLOAD);
        let mut packets = Vec::new();
        for (_, unit) in &pictures {
            packets.clear();
            packetizer.packetize(unit, &mut packets);
            let mut step = match track.last {
                Some((_, before)) if track.last_source != Some(newest.source) => {
                    (time - before).rescale().max(VideoTicks::new(1))
                }
                Some(_) => SQUEEZED_STEP.rescale::<90_000>(),
                None => track.rest.max(SQUEEZED_STEP.rescale()),
            };
            for packet in &mut packets {
                let (seq, out) = track.rewriter.fresh(std::mem::replace(&mut step, VideoTicks::ZERO));
                packet.time = time;
                track.send(seq, out, packet, self.seat.stream().epoch(), true, rtc, now);
            }
            track.last_source = Some(newest.source);
            track.last = Some((time.rescale(), time));
            time += SQUEEZED_STEP;
        }
        track.run = None;
        self.playing = Playing::After(Some(newest.index));
        debug!(pictures = pictures.len(), "sent the cached GOP");
        Ok(true)
    }

    /// Sends what the hub delivered.
    pub(super) fn write(&mut self, units: &[RtpUnit], rtc: &mut Rtc, now: Instant) -> Result<(), Unplayable> {
        let epoch = self.seat.stream().epoch();
        for unit in units {
            match unit {
                RtpUnit::Video(video) => self.write_video(video, epoch, rtc, now)?,
                RtpUnit::Audio { source, packet } => {
                    if let Some(track) = &mut self.audio {
                        self.sound.count(packet.payload.len(), now);
                        if track.run != Some(*source) {
                            track.start_run(*source, packet);
                        }
                        track.write(packet, epoch, false, rtc, now);
                    }
                }
            }
        }
        Ok(())
    }

    fn write_video(
        &mut self,
        unit: &RtpVideo,
        epoch: Instant,
        rtc: &mut Rtc,
        now: Instant,
    ) -> Result<(), Unplayable> {
        let Some(track) = &mut self.video else { return Ok(()) };
        self.thinning.count(unit, now);
        if track.last_source.is_some_and(|last| last != unit.source) && track.run != Some(unit.source) {
            self.playing = Playing::AwaitingKeyframe;
        }
        match self.playing {
            Playing::AwaitingKeyframe if !unit.keyframe => {
                // Only a publisher of RTP can be asked.
                if unit.index.is_none() && self.thinning.wants_keyframe(now) {
                    self.seat.stream().request_refresh(now);
                }
                return Ok(());
            }
            Playing::AwaitingKeyframe => {
                self.playing = Playing::After(None);
                track.run = None;
            }
            Playing::After(Some(replayed)) if unit.index.is_some_and(|index| index <= replayed) => {
                return Ok(());
            }
            Playing::After(_) => {}
        }
        let Some(first) = unit.packets.first() else { return Ok(()) };
        match self.thinning.judge(unit, track.pacer.waiting(), now) {
            Verdict::Send => {}
            verdict => {
                // What follows joins on without a gap in numbers, which the viewer would take for loss.
                track.run = None;
                if verdict == Verdict::Cut {
                    self.playing = Playing::AwaitingKeyframe;
                }
                return Ok(());
            }
        }
        if track.run != Some(unit.source) {
            track.start_run(unit.source, first);
        }
        for packet in unit.packets.iter() {
            track.write(packet, epoch, true, rtc, now);
        }
        self.thinning.sent(unit, now);
        if unit.keyframe { self.check_video() } else { Ok(()) }
    }

    /// Ends the session of a viewer whose picture would freeze.
    fn check_video(&self) -> Result<(), Unplayable> {
        match self.seat.stream().webrtc_video() {
            WebRtcVideo::ReferenceBPictures => Err(Unplayable),
            WebRtcVideo::Whole | WebRtcVideo::WithoutBPictures => Ok(()),
        }
    }
}

/// Gives a track to the section that carries it now, and takes it from the one that did.
fn exchange<const HZ: u32>(
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
        prepare_to_send(rtc, mid);
        Track::new(mid, pt, idle, now)
    });
}


/// The picture in `frame`, unless it may be dropped for a viewer who decodes in order of arrival.
fn picture(frame: &Frame) -> Option<(u64, &AccessUnit)> {
    match &frame.media {
        Media::Video { unit, droppable: false } => Some((frame.index, unit)),
        Media::Video { .. } | Media::Audio(_) => None,
    }
}
