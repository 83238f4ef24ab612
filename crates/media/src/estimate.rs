//! What a path carries, by what its receiver estimates and by what the sender sees of it.
//!
//! Receivers reckon with what comes to them. After a still picture, or one that was thinned, an estimate is low whatever
//! the path: thinning by it would make the next one lower still. So an estimate counts only where it has just fallen to
//! much less than is sent, or while the path itself shows that it has too much, by a round trip that grows with its queue;
//! and then no further down than what gets through. From there on the sender feels its way up, and estimates only help it.

use std::time::{Duration, Instant};

use crate::loss::FLOOR;

/// The queue of a path that has too much: more than jitter makes of a round trip, and much less than is heard.
const QUEUE: Duration = Duration::from_millis(80);

/// What is left for the path to empty its queue, in percent of what gets through.
const RELIEF: u64 = 85;

/// By how much the sender tries more with each report, which come once a second, in percent.
const GROWTH: u64 = 108;

/// The same from here on, in percent of what was too much before, and until it has gone as far beyond: a path that has just
/// overflowed will do so again.
const NEAR: u64 = 90;
const CAREFUL_GROWTH: u64 = 104;

/// An estimate that was at least so many percent of what gets through, and is less than so many at once, is no caution:
/// receivers that are merely cautious estimate 85 % of what comes.
const WAS_ENOUGH: u64 = 95;
const IS_SHORT: u64 = 75;

/// It tries more only where it has sent so many percent of what it might.
const USED: u64 = 70;

/// A path of which nothing is reported for so long is not known any more.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// For so long after its last queue a path is known, though everything has room: a keyframe that is not paced would fill the
/// queue again.
const REMEMBERED: Duration = Duration::from_secs(30);

/// An estimate is good for so long.
const ESTIMATE_LIFE: Duration = Duration::from_secs(5);

/// The shortest round trip is that of the last two of these: a path that has become longer is soon known as that.
const RTT_WINDOW: Duration = Duration::from_secs(30);

/// What a receiver reports of what came to it.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The round trip, where it could be measured.
    pub rtt: Option<Duration>,
    /// The fraction that it lost, 0 to 1, since its report before.
    pub loss: f32,
    /// Bit/s that were sent to it.
    pub sent: u64,
}

/// Follows what one path carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathEstimate {
    estimate: Option<(u64, Instant)>,
    carries: Option<u64>,
    /// What it carried when it last had too much.
    ceiling: Option<u64>,
    /// Whether the last round trip was a long one.
    long: bool,
    /// When the path last showed a queue.
    queued: Option<Instant>,
    /// What got through by the report before.
    arrived: u64,
    reported: Option<Instant>,
    rtt: ShortestRtt,
}

impl PathEstimate {
    /// The receiver estimates that its path carries so many bit/s.
    pub fn estimated(&mut self, bits: u64, now: Instant) {
        let before = self.estimate.replace((bits, now));
        // What is lost at random does not come, and says nothing of what the path carries.
        let percent = |bits: u64| bits / self.arrived.max(1).div_ceil(100);
        let has_fallen = before.is_some_and(|(before, _)| percent(before) >= WAS_ENOUGH);
        let was_limited = self.get(now);
        self.carries = if has_fallen && percent(bits) < IS_SHORT && was_limited.is_none() {
            self.queued = Some(now);
            self.reported = Some(now);
            Some(bits.max(FLOOR))
        } else {
            was_limited.map(|carries| carries.max(bits))
        };
    }

    /// The receiver reports.
    pub fn reported(&mut self, report: Report, now: Instant) {
        let carries = self.get(now);
        self.reported = Some(now);
        let (rtt, arrived) = (report.rtt, arrived(&report));
        let carried = carried(std::mem::replace(&mut self.arrived, arrived), arrived);
        let queue = rtt.map_or(Duration::ZERO, |rtt| rtt.saturating_sub(self.rtt.with(rtt, now)));
        // One long round trip may be a radio that was busy with somebody else; a queue is still there a report later.
        let was_long = std::mem::replace(&mut self.long, queue >= QUEUE);
        self.carries = if was_long && self.long {
            self.queued = Some(now);
            let lowered = self.too_much(carried, now);
            self.ceiling = lowered.map(|_| carried).or(self.ceiling);
            lowered.or(carries)
        } else {
            let used = |carries: &u64| report.sent / USED >= *carries / 100;
            carries.map(|carries| if used(&carries) { carries / 100 * self.growth(carries) } else { carries })
        };
    }

    fn growth(&self, carries: u64) -> u64 {
        let near = |ceiling: u64| {
            let percent = carries.saturating_mul(100) / ceiling.max(1);
            (NEAR..200 - NEAR).contains(&percent)
        };
        if self.ceiling.is_some_and(near) { CAREFUL_GROWTH } else { GROWTH }
    }

    /// What to try next where so many bit/s got through and a queue grows; none where the receiver knows of no trouble.
    fn too_much(&self, carried: u64, now: Instant) -> Option<u64> {
        let fresh = self.estimate.filter(|(_, at)| now.saturating_duration_since(*at) < ESTIMATE_LIFE);
        let estimate = fresh.map_or(0, |(bits, _)| bits);
        (carried > 0 && estimate < carried).then(|| estimate.max(carried / 100 * RELIEF).max(FLOOR))
    }

    /// What the path carries, in bit/s; none where there is no reason to think that this matters.
    #[must_use]
    pub fn get(&self, now: Instant) -> Option<u64> {
        self.carries.filter(|_| is_within(self.reported, now, FORGOTTEN))
    }

    /// Everything has room: the path is taken for a wide one unless it has lately shown that it is not.
    pub fn release(&mut self, now: Instant) {
        if !is_within(self.queued, now, REMEMBERED) {
            (self.carries, self.ceiling) = (None, None);
        }
    }
}

fn is_within(at: Option<Instant>, now: Instant, span: Duration) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < span)
}

/// What a path carries, where so much got through by one report and so much by the next. What is lost or waits is reported
/// with delay: after too much comes too little, and the truth is between.
pub(crate) const fn carried(before: u64, now: u64) -> u64 {
    if before > now { u64::midpoint(before, now) } else { now }
}

/// Bit/s that got through.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bitrate times less than one")]
fn arrived(report: &Report) -> u64 {
    (report.sent as f64 * f64::from(1.0 - report.loss.clamp(0.0, 1.0))) as u64
}

/// The shortest round trip of late.
#[derive(Clone, Copy, Debug, Default)]
struct ShortestRtt {
    since: Option<Instant>,
    current: Option<Duration>,
    before: Option<Duration>,
}

impl ShortestRtt {
    /// Takes one more into account.
    fn with(&mut self, rtt: Duration, now: Instant) -> Duration {
        if now.saturating_duration_since(*self.since.get_or_insert(now)) >= RTT_WINDOW {
            (self.since, self.before, self.current) = (Some(now), self.current, None);
        }
        let current = self.current.map_or(rtt, |shortest| shortest.min(rtt));
        self.current = Some(current);
        self.before.map_or(current, |before| before.min(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Duration = Duration::from_millis(60);
    const QUEUED: Duration = Duration::from_millis(200);

    fn report(rtt: Duration, sent: u64) -> Report {
        Report { rtt: Some(rtt), loss: 0.0, sent }
    }

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// A path that has carried 600 of 1000 kbit/s.
    fn narrow(start: Instant) -> PathEstimate {
        let mut path = PathEstimate::default();
        path.reported(report(GOOD, 600_000), start);
        path.estimated(550_000, start);
        path.reported(Report { loss: 0.4, ..report(QUEUED, 1_000_000) }, start);
        assert_eq!(path.get(start), None, "once is no queue");
        path.reported(Report { loss: 0.4, ..report(QUEUED, 1_000_000) }, start);
        assert_eq!(path.get(start), Some(550_000));
        path
    }

    #[test]
    fn a_low_estimate_of_a_path_that_shows_no_queue_is_not_believed() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        for second in 0..60 {
            path.estimated(40_000, at(start, second));
            path.reported(Report { loss: 0.15, ..report(GOOD, 600_000) }, at(start, second));
            assert_eq!(path.get(at(start, second)), None);
        }
    }

    #[test]
    fn a_long_round_trip_that_the_receiver_knows_no_trouble_of_is_jitter() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        for second in 0..60 {
            path.estimated(900_000, at(start, second));
            let rtt = if second % 3 == 2 { QUEUED } else { GOOD };
            path.reported(report(rtt, 600_000), at(start, second));
            assert_eq!(path.get(at(start, second)), None);
        }
    }

    #[test]
    fn an_estimate_that_falls_to_much_less_than_is_sent_counts_at_once() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(report(GOOD, 1_000_000), start);
        path.estimated(1_200_000, start);
        path.estimated(850_000, start);
        assert_eq!(path.get(start), None, "a cautious one");
        path.estimated(1_000_000, start);
        path.estimated(600_000, start);
        assert_eq!(path.get(start), Some(600_000));
        let mut lossy = PathEstimate::default();
        lossy.reported(Report { loss: 0.15, ..report(GOOD, 1_000_000) }, start);
        lossy.estimated(1_200_000, start);
        lossy.estimated(720_000, start);
        assert_eq!(lossy.get(start), None, "a cautious one, of what is left by chance");
    }

    #[test]
    fn it_is_never_taken_for_much_narrower_than_what_gets_through() {
        let start = Instant::now();
        let mut path = narrow(start);
        path.estimated(20_000, at(start, 1));
        path.reported(report(QUEUED, 500_000), at(start, 1));
        assert_eq!(path.get(at(start, 1)), Some(467_500), "it carried 600 kbit/s a moment ago");
        path.reported(report(QUEUED, 500_000), at(start, 2));
        assert_eq!(path.get(at(start, 2)), Some(425_000));
        let mut unheard = PathEstimate::default();
        unheard.reported(report(GOOD, 500_000), start);
        unheard.reported(report(QUEUED, 500_000), at(start, 1));
        unheard.reported(report(QUEUED, 500_000), at(start, 2));
        assert_eq!(unheard.get(at(start, 2)), Some(425_000), "peers that estimate nothing are sent less too");
    }

    #[test]
    fn the_sender_feels_its_way_up_where_it_uses_what_there_is() {
        let start = Instant::now();
        let mut path = narrow(start);
        for second in 1..=5 {
            path.reported(report(GOOD, 100_000), at(start, second));
        }
        assert_eq!(path.get(at(start, 5)), Some(550_000));
        let mut steps = Vec::new();
        for second in 6..=15 {
            let before = path.get(at(start, second)).unwrap();
            path.reported(report(GOOD, before), at(start, second));
            steps.push(path.get(at(start, second)).unwrap() * 100 / before);
        }
        let (near, beyond) = steps.split_at(5);
        assert!(near.iter().all(|step| *step <= 104) && beyond.iter().all(|step| *step >= 107), "{steps:?}");
        path.estimated(1_900_000, at(start, 15));
        assert_eq!(path.get(at(start, 15)), Some(1_900_000));
    }

    #[test]
    fn a_path_that_had_room_for_a_while_is_believed_to_have_any() {
        let start = Instant::now();
        let mut path = narrow(start);
        for second in 0..30 {
            path.reported(report(GOOD, 0), at(start, second));
            path.release(at(start, second));
            assert_eq!(path.get(at(start, second)), Some(550_000));
        }
        path.release(at(start, 30));
        assert_eq!(path.get(at(start, 30)), None);
    }

    #[test]
    fn a_path_of_which_nothing_is_reported_is_forgotten() {
        let start = Instant::now();
        let path = narrow(start);
        assert_eq!(path.get(at(start, 9)), Some(550_000));
        assert_eq!(path.get(at(start, 10)), None);
    }

    #[test]
    fn a_path_that_has_become_longer_is_not_taken_for_a_queue_for_long() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(report(GOOD, 600_000), start);
        let believed = (1..120).filter(|second| {
            path.reported(report(QUEUED, 600_000), at(start, *second));
            path.release(at(start, *second));
            path.get(at(start, *second)).is_some()
        });
        assert!(believed.count() < 100);
    }
}
