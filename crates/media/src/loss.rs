//! The rate of a sender that hears of loss: of receivers that say nothing else, and of paths that drop what is too much
//! instead of delaying it.
//!
//! Loss alone does not tell a narrow path from a bad one. A narrow path loses less when less is sent, a bad one does not:
//! so the sender tries it, and goes back to what it sent where it was in vain.

use std::time::{Duration, Instant};

/// More loss than this slows the sender down. Retransmission copes with less, and radio links lose as much at any rate.
const TOO_MUCH: f32 = 0.20;

/// With less than this the sender grows.
const LITTLE: f32 = 0.05;

/// By how much it grows with each report, which come once a second.
const GROWTH: f64 = 1.05;

/// A limit this many times what is sent is none.
const PLENTY: u64 = 2;

/// The least rate in bit/s: keyframes now and then.
const FLOOR: u64 = 50_000;

/// A rate of at most this share of the one before must have lowered the loss...
const LOWERED: f64 = 0.85;

/// ...to less than this share of what it was, or it was in vain.
const HELPED: f32 = 0.7;

/// For how long loss that has nothing to do with the rate is put up with.
const FORBEARANCE: Duration = Duration::from_secs(60);

/// A limit that no report has confirmed for so long is forgotten: the receiver has stopped reporting.
const STALE: Duration = Duration::from_secs(10);

/// Follows the loss that a receiver reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct LossLimit {
    limit: Option<(u64, Instant)>,
    /// The loss and the rate that the sender was slowed down for.
    reason: Option<(f32, u64)>,
    /// Loss at any rate, and until when it is taken for that.
    inherent: Option<(f32, Instant)>,
}

impl LossLimit {
    /// A receiver reports that it lost this fraction, 0 to 1, while `sent` bit/s were sent.
    pub fn report(&mut self, fraction: f32, sent: u64, now: Instant) {
        let limit = self.get(now);
        let next = if fraction > self.bearable(now) {
            if self.was_in_vain(fraction, sent) {
                self.inherent = Some((fraction, now + FORBEARANCE));
                self.reason = None;
                None
            } else {
                self.reason.get_or_insert((fraction, sent));
                let arrived = scaled(sent, 1.0 - f64::from(fraction.min(1.0)));
                Some(limit.map_or(arrived, |limit| limit.min(arrived)).max(FLOOR))
            }
        } else if fraction < LITTLE {
            limit.map(|limit| scaled(limit, GROWTH)).filter(|limit| *limit < sent.saturating_mul(PLENTY))
        } else {
            limit
        };
        if next.is_none() || fraction < TOO_MUCH {
            self.reason = None;
        }
        self.limit = next.map(|limit| (limit, now));
    }

    /// The limit in bit/s; none where there is no reason for one.
    #[must_use]
    pub fn get(&self, now: Instant) -> Option<u64> {
        self.limit.filter(|(_, at)| now.saturating_duration_since(*at) < STALE).map(|(limit, _)| limit)
    }

    /// The loss up to which the sender goes on as it does.
    fn bearable(&self, now: Instant) -> f32 {
        let inherent = self.inherent.filter(|(_, until)| now < *until);
        inherent.map_or(TOO_MUCH, |(loss, _)| TOO_MUCH.max(loss / HELPED))
    }

    fn was_in_vain(&self, fraction: f32, sent: u64) -> bool {
        self.reason.is_some_and(|(loss, before)| {
            sent <= scaled(before, LOWERED) && fraction >= loss * HELPED && loss < 1.0
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bitrate times about one")]
fn scaled(bits: u64, factor: f64) -> u64 {
    (bits as f64 * factor) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: u64 = 1_000_000;

    /// Reports of a path, one a second, to a sender of at most [`WANTED`]. Returns the limits.
    fn follow(seconds: u64, loss: impl Fn(u64) -> f32) -> Vec<Option<u64>> {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        (0..seconds)
            .map(|second| {
                let now = start + Duration::from_secs(second);
                let sent = limit.get(now).unwrap_or(WANTED).min(WANTED);
                limit.report(loss(sent), sent, now);
                limit.get(now)
            })
            .collect()
    }

    #[test]
    fn what_retransmission_repairs_does_not_limit() {
        assert!(follow(60, |_| 0.15).iter().all(Option::is_none));
    }

    #[test]
    fn a_narrow_path_is_found_at_once_and_kept_to() {
        let limits = follow(60, |sent| 1.0 - (600_000.0 / sent as f32).min(1.0));
        for limit in &limits {
            let limit = limit.unwrap();
            assert!((550_000..=800_000).contains(&limit), "{limits:?}");
        }
    }

    #[test]
    fn a_bad_path_is_not_made_worse() {
        let limits = follow(50, |_| 0.3);
        let limited = limits.iter().filter(|limit| limit.is_some()).count();
        assert!(limited <= 2, "{limits:?}");
    }

    #[test]
    fn a_path_that_is_wide_again_is_limited_no_longer() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        limit.report(0.5, WANTED, start);
        assert_eq!(limit.get(start), Some(500_000));
        for second in 1..30 {
            let now = start + Duration::from_secs(second);
            limit.report(0.0, limit.get(now).unwrap_or(WANTED).min(WANTED), now);
        }
        let last = start + Duration::from_secs(29);
        assert!(limit.get(last).is_none_or(|limit| limit > WANTED));
    }

    #[test]
    fn a_limit_has_a_floor_and_is_forgotten_without_reports() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        limit.report(1.0, 100_000, start);
        assert_eq!(limit.get(start), Some(FLOOR));
        assert_eq!(limit.get(start + STALE), None);
    }
}
