//! The RTP clocks of a WebRTC publisher on the stream's timeline.
//!
//! Every track of a publisher has a clock with a random origin. Until sender reports come, a track is placed by the
//! arrival of its fastest packets. A sender report (RFC 3550 section 6.4.1) ties a track to the publisher's wall
//! clock, which both tracks share; from then on the two are placed relative to each other by that clock, and only the
//! wall clock as a whole is placed by arrival.

use crate::drift::{DRIFT_PER_SECOND, FOLLOW_INTERVAL, RecentMinimum, bounded};
use crate::time::{AudioTicks, StreamTime, VideoTicks};
use crate::timeline::{Kind, PerKind};

/// How fast a track that plays moves to where sender reports put it, per second of media: 0.3 %, which sound can be
/// stretched by without a drop-out and no ear notices.
pub const SLEW_PER_SECOND: StreamTime = StreamTime::new(3_000);

/// The largest error that is corrected gradually. Above it sound and picture are further apart than during the 25
/// seconds it would take would be tolerable, so the track jumps.
pub const MAX_SLEWED: StreamTime = StreamTime::new(75_000);

/// The largest error of the publisher's clock as a whole that is corrected gradually, and the largest contradiction
/// of a report to what is known that is believed at once.
const MAX_CLOCK_ERROR: StreamTime = StreamTime::new(500_000);

/// How long from its first packet a track is moved at once to its fastest packet: media begins in a burst, and
/// encoders and paths need a moment to get up to speed.
const ACQUISITION: StreamTime = StreamTime::new(2_000_000);

/// The largest disagreement between the sound and the picture of a publisher that is believed.
const MAX_SKEW: StreamTime = StreamTime::new(5_000_000);

/// The largest step of an RTP clock, beyond the real time that has passed, before the track is placed anew; and the
/// largest distance between a report and the latest packet.
const MAX_STEP: StreamTime = StreamTime::new(5_000_000);

/// The wall clock of a sender report (RFC 3550 section 4): seconds in the upper 32 bits, their fraction in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    fn micros(self) -> StreamTime {
        let micros = (u128::from(self.0) * 1_000_000) >> 32;
        StreamTime::new(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// In ticks of the clock of video.
    pub(crate) fn ticks(self) -> VideoTicks {
        let ticks = (u128::from(self.0) * 90_000) >> 32;
        VideoTicks::new(i64::try_from(ticks).unwrap_or(i64::MAX))
    }
}

/// Maps the RTP clocks of one publisher's audio and video to the stream's timeline.
///
/// `arrival` is the time of reception on that timeline. A packet is placed no later than it arrived, give or take the
/// jitter of the network. Time is a non-decreasing function of the RTP timestamp: all packets of a picture get the
/// same, and one that comes late gets an earlier time. A track goes to where its first report puts it at once, when
/// hardly anybody listens yet; later corrections are bounded by [`SLEW_PER_SECOND`], unless they exceed
/// [`MAX_SLEWED`].
#[derive(Debug, Default)]
pub struct RtpSync {
    tracks: PerKind<Option<Track>>,
    /// The last time given out for tracks that were replaced.
    floors: PerKind<Option<StreamTime>>,
    /// What to add to the publisher's wall clock.
    clock: Option<StreamTime>,
    /// Counts steps of that wall clock: reports from before a step do not fit those after it.
    epoch: u64,
    followed_at: StreamTime,
    ignored_reports: u64,
    jumps: u64,
}

#[derive(Clone, Debug)]
struct Track {
    first_arrival: StreamTime,
    latest_ticks: i64,
    latest_rtp: StreamTime,
    latest_arrival: StreamTime,
    /// The time given to `latest_rtp`.
    out: StreamTime,
    /// What is added to an RTP time.
    offset: StreamTime,
    /// Arrival less RTP time.
    delays: RecentMinimum,
    report: Option<Report>,
    /// Whether it has once been where its reports put it.
    aligned: bool,
    /// What an unbelievable report said: a second one makes it believable.
    suspect: Option<StreamTime>,
}

#[derive(Clone, Copy, Debug)]
struct Report {
    epoch: u64,
    /// What to add to an RTP time to get the publisher's wall clock.
    offset: StreamTime,
}

impl RtpSync {
    /// The time of a video packet.
    pub fn video(&mut self, rtp: VideoTicks, arrival: StreamTime) -> StreamTime {
        self.map(Kind::Video, rtp.get(), rtp.rescale(), arrival)
    }

    /// The time of an audio packet.
    pub fn audio(&mut self, rtp: AudioTicks, arrival: StreamTime) -> StreamTime {
        self.map(Kind::Audio, rtp.get(), rtp.rescale(), arrival)
    }

    /// Takes a sender report: at `ntp` on the publisher's wall clock, the track's RTP clock showed `rtp`.
    ///
    /// Ignored and counted are reports before the first packet, without a wall clock, far from the latest packet, and
    /// those that contradict what is known until a second one says the same.
    pub fn sender_report(&mut self, kind: Kind, rtp: u32, ntp: NtpTime, arrival: StreamTime) {
        if !self.try_report(kind, rtp, ntp, arrival) {
            self.ignored_reports += 1;
        }
    }

    /// Forgets a track that is replaced by another. The new one goes on no earlier than the old one ended.
    pub fn reset(&mut self, kind: Kind) {
        if let Some(track) = self.tracks.get_mut(kind).take() {
            *self.floors.get_mut(kind) = Some(track.out);
        }
        if self.tracks.get(kind.other()).is_none() {
            self.clock = None;
        }
    }

    /// How much later than the picture the sound is placed, compared to the publisher's clock: the lip-sync error not
    /// yet corrected. `None` until both tracks have sender reports.
    #[must_use]
    pub fn skew(&self) -> Option<StreamTime> {
        let placed = |kind| {
            let track = self.tracks.get(kind).as_ref()?;
            Some(track.offset - self.current_report(track)?.offset)
        };
        Some(placed(Kind::Audio)? - placed(Kind::Video)?)
    }

    /// Sender reports ignored so far.
    #[must_use]
    pub const fn ignored_reports(&self) -> u64 {
        self.ignored_reports
    }

    /// Corrections that were too large to be made gradually, so far.
    #[must_use]
    pub const fn jumps(&self) -> u64 {
        self.jumps
    }

    fn map(&mut self, kind: Kind, ticks: i64, rtp: StreamTime, arrival: StreamTime) -> StreamTime {
        let floor = *self.floors.get(kind);
        let Some(mut track) = self.tracks.get_mut(kind).take() else {
            let track = Track::new(ticks, rtp, arrival, floor);
            return self.tracks.get_mut(kind).insert(track).out;
        };
        let out = if track.jumps_to(rtp, arrival) {
            track = Track::new(ticks, rtp, arrival, Some(track.out));
            self.jumps += 1;
            track.out
        } else if rtp < track.latest_rtp {
            (rtp + track.offset).min(track.out)
        } else {
            track.delays.push(arrival, arrival - rtp);
            self.follow(&track, kind, arrival);
            self.correct(&mut track, rtp, arrival);
            track.advance(ticks, rtp, arrival)
        };
        *self.tracks.get_mut(kind) = Some(track);
        out
    }

    /// Moves the publisher's clock towards the fastest packet of late, whose delay is what remains of the network.
    fn follow(&mut self, track: &Track, kind: Kind, arrival: StreamTime) {
        let Some(clock) = self.clock else { return };
        let other = self.tracks.get(kind.other()).as_ref();
        let fastest = [Some(track), other]
            .into_iter()
            .flatten()
            .filter_map(|track| Some(track.delays.get(arrival)? - self.current_report(track)?.offset))
            .min();
        let elapsed = arrival - self.followed_at;
        let Some(fastest) = fastest.filter(|_| elapsed >= FOLLOW_INTERVAL) else { return };
        let error = fastest - clock;
        let acquiring = track.is_acquiring(arrival) && error < StreamTime::ZERO;
        let step = if acquiring || magnitude(error) > MAX_CLOCK_ERROR {
            error
        } else {
            bounded(error, elapsed, DRIFT_PER_SECOND)
        };
        self.clock = Some(clock + step);
        self.followed_at = arrival;
    }

    /// Moves a track towards its place, as far as its media has gone on.
    fn correct(&mut self, track: &mut Track, rtp: StreamTime, arrival: StreamTime) {
        let fastest = track.delays.get(arrival).unwrap_or(track.offset);
        let (target, rate) = match (track.report, self.current_report(track), self.clock) {
            (_, Some(report), Some(clock)) => (report.offset + clock, SLEW_PER_SECOND),
            (None, ..) if track.is_acquiring(arrival) => {
                track.offset = track.offset.min(fastest);
                return;
            }
            (None, ..) => (fastest, DRIFT_PER_SECOND),
            // The wall clock has stepped and the track's next report is not there yet.
            _ => return,
        };
        let error = target - track.offset;
        if track.report.is_some() && (!track.aligned || track.is_acquiring(arrival)) {
            track.aligned = true;
            track.offset = target;
        } else if magnitude(error) > MAX_SLEWED {
            self.jumps += 1;
            track.offset = target;
        } else {
            track.offset += bounded(error, rtp - track.latest_rtp, rate);
        }
    }

    fn try_report(&mut self, kind: Kind, rtp: u32, ntp: NtpTime, arrival: StreamTime) -> bool {
        // All zeros is how a sender without a wall clock says so.
        if ntp.0 == 0 {
            return false;
        }
        let other_is_sure = self
            .tracks
            .get(kind.other())
            .as_ref()
            .is_some_and(|other| self.current_report(other).is_some() && other.suspect.is_none());
        let Some(track) = self.tracks.get_mut(kind) else { return false };
        let rtp = track.unwrap(kind, rtp);
        if track.jumps_to(rtp, arrival) {
            return false;
        }
        let offset = ntp.micros() - rtp;
        let error = self.clock.map(|clock| offset + clock - track.offset);
        match error.map(magnitude) {
            Some(error) if error <= MAX_CLOCK_ERROR => {}
            Some(error) => {
                let confirmed = track
                    .suspect
                    .replace(offset)
                    .is_some_and(|old| magnitude(offset - old) <= MAX_CLOCK_ERROR);
                if !confirmed || (other_is_sure && error > MAX_SKEW) {
                    return false;
                }
                // The other track does not contradict: it is the wall clock that has stepped, not this track.
                if !other_is_sure {
                    self.epoch += 1;
                    self.clock = Some(track.offset - offset);
                }
            }
            None => {
                self.clock = Some(track.offset - offset);
                self.followed_at = arrival;
            }
        }
        track.suspect = None;
        track.report = Some(Report { epoch: self.epoch, offset });
        true
    }

    fn current_report(&self, track: &Track) -> Option<Report> {
        track.report.filter(|report| report.epoch == self.epoch)
    }
}

impl Track {
    fn new(ticks: i64, rtp: StreamTime, arrival: StreamTime, floor: Option<StreamTime>) -> Self {
        let mut delays = RecentMinimum::default();
        delays.push(arrival, arrival - rtp);
        Self {
            first_arrival: arrival,
            latest_ticks: ticks,
            latest_rtp: rtp,
            latest_arrival: arrival,
            out: floor.map_or(arrival, |floor| floor.max(arrival)),
            offset: arrival - rtp,
            delays,
            report: None,
            aligned: false,
            suspect: None,
        }
    }

    fn is_acquiring(&self, arrival: StreamTime) -> bool {
        arrival - self.first_arrival < ACQUISITION
    }

    /// Whether `rtp` is neither near the latest packet nor where real time would have carried it.
    fn jumps_to(&self, rtp: StreamTime, arrival: StreamTime) -> bool {
        let elapsed = (arrival - self.latest_arrival).max(StreamTime::ZERO);
        rtp < self.latest_rtp - MAX_STEP || rtp > self.latest_rtp + elapsed + MAX_STEP
    }

    fn advance(&mut self, ticks: i64, rtp: StreamTime, arrival: StreamTime) -> StreamTime {
        if rtp > self.latest_rtp {
            self.out = self.out.max(rtp + self.offset);
        }
        self.latest_ticks = ticks;
        self.latest_rtp = rtp;
        self.latest_arrival = self.latest_arrival.max(arrival);
        self.out
    }

    /// The RTP time nearest to the latest packet that has these low 32 bits.
    fn unwrap(&self, kind: Kind, rtp: u32) -> StreamTime {
        let step = |latest: u32| i64::from(rtp.wrapping_sub(latest).cast_signed());
        match kind {
            Kind::Audio => {
                let latest = AudioTicks::new(self.latest_ticks);
                (latest + AudioTicks::new(step(latest.wire()))).rescale()
            }
            Kind::Video => {
                let latest = VideoTicks::new(self.latest_ticks);
                (latest + VideoTicks::new(step(latest.wire()))).rescale()
            }
        }
    }
}

fn magnitude(span: StreamTime) -> StreamTime {
    span.max(StreamTime::ZERO - span)
}
