//! The rate of a sender that hears of nothing but loss: for receivers without transport-wide feedback or an estimate of
//! their own. The thresholds are those of draft-ietf-rmcat-gcc-02 section 6; there is a limit only while there is a reason
//! for one.

use std::time::{Duration, Instant};

/// More loss than this slows the sender down. Retransmission copes with less, and radio links have as much at any rate.
const TOO_MUCH: f32 = 0.10;

/// With less than this the sender grows.
const LITTLE: f32 = 0.02;

/// By how much it grows with each report, which come once a second.
const GROWTH: f64 = 1.08;

/// A limit this many times what is sent is none.
const PLENTY: u64 = 2;

/// The least rate in bit/s: keyframes now and then.
const FLOOR: u64 = 50_000;

/// A limit that no report has confirmed for so long is forgotten: the receiver has stopped reporting.
const STALE: Duration = Duration::from_secs(10);

/// Follows the loss that a receiver reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct LossLimit(Option<(u64, Instant)>);

impl LossLimit {
    /// A receiver reports that it lost this fraction, 0 to 1, while `sent` bit/s were sent.
    pub fn report(&mut self, fraction: f32, sent: u64, now: Instant) {
        let limit = self.get(now);
        let next = if fraction > TOO_MUCH {
            let before = limit.unwrap_or(sent).min(sent);
            Some(scaled(before, 1.0 - 0.5 * f64::from(fraction.min(1.0))).max(FLOOR))
        } else if fraction < LITTLE {
            limit.map(|limit| scaled(limit, GROWTH)).filter(|limit| *limit < sent.saturating_mul(PLENTY))
        } else {
            limit
        };
        self.0 = next.map(|limit| (limit, now));
    }

    /// The limit in bit/s; none where there is no reason for one.
    #[must_use]
    pub fn get(&self, now: Instant) -> Option<u64> {
        self.0.filter(|(_, at)| now.saturating_duration_since(*at) < STALE).map(|(limit, _)| limit)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bitrate times about one")]
fn scaled(bits: u64, factor: f64) -> u64 {
    (bits as f64 * factor) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of a path that carries `capacity` to a sender of at most `wanted`, one a second. Returns the limits.
    fn follow(capacity: u64, wanted: u64, seconds: u64) -> Vec<Option<u64>> {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        (0..seconds)
            .map(|second| {
                let now = start + Duration::from_secs(second);
                let sent = limit.get(now).unwrap_or(wanted).min(wanted);
                let lost = 1.0 - (capacity as f32 / sent as f32).min(1.0);
                limit.report(lost, sent, now);
                limit.get(now)
            })
            .collect()
    }

    #[test]
    fn a_path_that_carries_everything_and_one_that_loses_a_little_are_not_limited() {
        assert!(follow(1_000_000, 1_000_000, 20).iter().all(Option::is_none));
        let (mut limit, now) = (LossLimit::default(), Instant::now());
        limit.report(0.05, 1_000_000, now);
        assert_eq!(limit.get(now), None);
    }

    #[test]
    fn a_narrow_path_is_found_in_seconds_and_kept_to() {
        let limits = follow(600_000, 1_000_000, 30);
        for limit in limits.iter().skip(4) {
            let limit = limit.unwrap();
            assert!((500_000..=720_000).contains(&limit), "{limits:?}");
        }
    }

    #[test]
    fn a_path_that_is_wide_again_is_limited_no_longer() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        limit.report(0.5, 1_000_000, start);
        assert_eq!(limit.get(start), Some(750_000));
        for second in 1..14 {
            limit.report(0.0, 1_000_000, start + Duration::from_secs(second));
        }
        assert_eq!(limit.get(start + Duration::from_secs(14)), None);
    }

    #[test]
    fn a_limit_has_a_floor_and_is_forgotten_without_reports() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        for second in 0..20 {
            limit.report(1.0, 100_000, start + Duration::from_secs(second));
        }
        let last = start + Duration::from_secs(19);
        assert_eq!(limit.get(last), Some(FLOOR));
        assert_eq!(limit.get(last + STALE), None);
    }
}
