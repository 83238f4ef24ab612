//! What a receiver estimates that its path carries, and when to believe it.
//!
//! Receivers reckon with what comes to them. After a still picture, or one that was thinned, an estimate is low whatever
//! the path: thinning by it would make the next one lower still. So a fall counts only while the path itself shows that
//! it has too much: its queue grows, which the round trip tells, or overflows, which the loss tells.

use std::time::{Duration, Instant};

/// The queue of a path that has too much: more than jitter makes of a round trip, and much less than is heard.
const QUEUE: Duration = Duration::from_millis(80);

/// Loss that says as much, 0 to 1: radio links lose a few percent at any rate.
const OVERFLOW: f32 = 0.10;

/// For how long a sign of too much explains what the receiver estimates: reports come once a second, estimates likewise.
const SIGN_LIFE: Duration = Duration::from_secs(3);

/// An estimate is good for so long.
const ESTIMATE_LIFE: Duration = Duration::from_secs(10);

/// Without a sign for so long, and with room for everything, nothing is known of the path any more.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// The shortest round trip is that of the last two of these: a path that has become longer is soon known as that.
const RTT_WINDOW: Duration = Duration::from_secs(30);

/// Follows the estimates of one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathEstimate {
    latest: Option<(u64, Instant)>,
    believed: Option<u64>,
    sign: Option<Instant>,
    rtt: ShortestRtt,
}

impl PathEstimate {
    /// The receiver estimates that its path carries so many bit/s.
    pub fn estimated(&mut self, bits: u64, now: Instant) {
        self.latest = Some((bits, now));
        if self.is_explained(now) {
            self.believed = Some(bits);
        } else {
            self.believed = self.believed.map(|believed| believed.max(bits));
        }
    }

    /// The receiver reports this round trip, and that it lost this fraction, 0 to 1, since its report before.
    pub fn reported(&mut self, rtt: Option<Duration>, loss: f32, now: Instant) {
        let queue = rtt.map_or(Duration::ZERO, |rtt| rtt.saturating_sub(self.rtt.with(rtt, now)));
        if queue < QUEUE && loss < OVERFLOW {
            return;
        }
        self.sign = Some(now);
        if let Some((bits, _)) = self.fresh(now) {
            self.believed = Some(bits);
        }
    }

    /// What the path carries, in bit/s; none where there is no reason to think that this matters.
    #[must_use]
    pub fn get(&self, now: Instant) -> Option<u64> {
        self.fresh(now).and(self.believed)
    }

    /// Everything has room: what is believed is given up unless the path has shown lately that it must be.
    pub fn release(&mut self, now: Instant) {
        if self.sign.is_none_or(|sign| now.saturating_duration_since(sign) >= FORGOTTEN) {
            self.believed = None;
        }
    }

    fn fresh(&self, now: Instant) -> Option<(u64, Instant)> {
        self.latest.filter(|(_, at)| now.saturating_duration_since(*at) < ESTIMATE_LIFE)
    }

    fn is_explained(&self, now: Instant) -> bool {
        self.sign.is_some_and(|sign| now.saturating_duration_since(sign) < SIGN_LIFE)
    }
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

    const GOOD: Option<Duration> = Some(Duration::from_millis(60));
    const QUEUED: Option<Duration> = Some(Duration::from_millis(200));

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_low_estimate_of_a_path_that_shows_nothing_is_not_believed() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        for second in 0..60 {
            path.estimated(40_000, at(start, second));
            path.reported(GOOD, 0.05, at(start, second));
            assert_eq!(path.get(at(start, second)), None);
        }
    }

    #[test]
    fn a_queue_or_an_overflow_makes_the_estimate_count_whichever_comes_first() {
        for (rtt, loss) in [(QUEUED, 0.0), (GOOD, 0.2), (None, 0.2)] {
            let (mut path, start) = (PathEstimate::default(), Instant::now());
            path.reported(GOOD, 0.0, start);
            path.estimated(300_000, at(start, 1));
            path.reported(rtt, loss, at(start, 2));
            assert_eq!(path.get(at(start, 2)), Some(300_000));
            path.estimated(250_000, at(start, 3));
            assert_eq!(path.get(at(start, 3)), Some(250_000));
        }
    }

    #[test]
    fn what_is_believed_rises_with_the_estimates_and_falls_only_with_a_reason() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(GOOD, 0.0, start);
        path.estimated(300_000, start);
        path.reported(QUEUED, 0.0, start);
        let mut follow = |second, bits, rtt| {
            path.estimated(bits, at(start, second));
            path.reported(rtt, 0.0, at(start, second));
            path.get(at(start, second))
        };
        assert_eq!(follow(5, 330_000, GOOD), Some(330_000));
        assert_eq!(follow(6, 100_000, GOOD), Some(330_000));
        assert_eq!(follow(7, 280_000, QUEUED), Some(280_000));
    }

    #[test]
    fn a_path_that_had_room_for_a_while_is_believed_to_have_any() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(GOOD, 0.0, start);
        path.estimated(300_000, start);
        path.reported(QUEUED, 0.0, start);
        path.release(at(start, 5));
        assert_eq!(path.get(at(start, 5)), Some(300_000));
        path.estimated(900_000, at(start, 12));
        path.release(at(start, 12));
        assert_eq!(path.get(at(start, 12)), None);
    }

    #[test]
    fn an_estimate_that_is_not_repeated_is_forgotten() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.estimated(300_000, start);
        path.reported(GOOD, 0.5, start);
        assert_eq!(path.get(at(start, 9)), Some(300_000));
        assert_eq!(path.get(at(start, 10)), None);
    }

    #[test]
    fn a_path_that_has_become_longer_is_not_taken_for_a_queue_for_long() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(GOOD, 0.0, start);
        let believed = (1..120).filter(|second| {
            path.estimated(100_000, at(start, *second));
            path.reported(QUEUED, 0.0, at(start, *second));
            path.release(at(start, *second));
            path.get(at(start, *second)).is_some()
        });
        assert!(believed.count() < 80);
    }
}
