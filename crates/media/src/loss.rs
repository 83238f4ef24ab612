//! The rate of a sender that hears of loss: of receivers that say nothing else, and of paths that drop what is too much
//! instead of delaying it.
//!
//! Loss alone does not tell a narrow path from a bad one. A narrow path loses less when less is sent, a bad one does not:
//! so the sender tries it, and goes back to what it sent where it was in vain.

use std::time::{Duration, Instant};

use crate::estimate::carried;

/// More loss than this slows the sender down. Retransmission copes with less, and radio links lose as much at any rate.
const TOO_MUCH: f32 = 0.25;

/// With less than this the sender grows.
const LITTLE: f32 = 0.05;

/// By how much it grows with each report, which come once a second.
const GROWTH: f64 = 1.08;

/// It grows only where it has sent so many percent of what it may.
const USED: u64 = 70;

/// What is left for the path to empty its queue, of what got through.
const RELIEF: f64 = 0.85;

/// The least rate in bit/s: sound and a still now and then. Of less there are so few packets that their loss says nothing.
pub(crate) const FLOOR: u64 = 150_000;

/// A rate of at most this share of the one before must have lowered the loss...
const LOWERED: f64 = 0.85;

/// ...to less than this share of what it was, or it was in vain.
const HELPED: f32 = 0.7;

/// So many reports have to say so: the first ones tell of what was lost before, and of what waited in the queue.
const TRIES: u8 = 3;

/// For how long loss that has nothing to do with the rate is put up with.
const FORBEARANCE: Duration = Duration::from_secs(60);

/// A limit that no report has confirmed for so long is forgotten: the receiver has stopped reporting. One that leaves room
/// for everything is given up after as long without loss.
const STALE: Duration = Duration::from_secs(10);

/// Follows the loss that a receiver reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct LossLimit {
    limit: Option<(u64, Instant)>,
    /// When anything was lost last.
    lost: Option<Instant>,
    /// Whether the report before told of too much loss.
    high: bool,
    /// What got through by the report before.
    arrived: u64,
    /// The loss and the rate that the sender was slowed down for, and how many reports it has been in vain since.
    reason: Option<(f32, u64, u8)>,
    /// Loss at any rate, and until when it is taken for that.
    inherent: Option<(f32, Instant)>,
}

impl LossLimit {
    /// A receiver reports that it lost this fraction, 0 to 1, while `sent` bit/s were sent. While that is not known, the
    /// report says nothing.
    pub fn report(&mut self, fraction: f32, sent: u64, now: Instant) {
        if sent == 0 {
            return;
        }
        let limit = self.get(now);
        let arrived = scaled(sent, 1.0 - f64::from(fraction.min(1.0)));
        let carried = carried(std::mem::replace(&mut self.arrived, arrived), arrived);
        // A single report may be of few packets, or of a moment.
        let is_high = fraction > self.bearable(now);
        let was_high = std::mem::replace(&mut self.high, is_high);
        let next = if is_high && was_high {
            if self.was_in_vain(fraction, sent) {
                self.inherent = Some((fraction, now + FORBEARANCE));
                self.reason = None;
                None
            } else {
                self.reason.get_or_insert((fraction, sent, 0));
                let relieved = scaled(carried, RELIEF);
                Some(limit.map_or(relieved, |limit| limit.min(relieved)).max(FLOOR))
            }
        } else if fraction < LITTLE {
            let used = |limit: u64| sent / USED >= limit / 100;
            limit.map(|limit| if used(limit) { scaled(limit, GROWTH) } else { limit })
        } else {
            limit
        };
        if next.is_none() || fraction < TOO_MUCH {
            self.reason = None;
        }
        if fraction >= LITTLE {
            self.lost = Some(now);
        }
        self.limit = next.map(|limit| (limit, now));
    }

    /// Everything has room: there is no limit any more, unless there was loss of late.
    pub fn release(&mut self, now: Instant) {
        if self.lost.is_none_or(|lost| now.saturating_duration_since(lost) >= STALE) {
            self.limit = None;
        }
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

    /// Whether less was sent for a while, and as much of it was lost.
    fn was_in_vain(&mut self, fraction: f32, sent: u64) -> bool {
        let Some((loss, before, tries)) = &mut self.reason else { return false };
        if sent <= scaled(*before, LOWERED) && fraction >= *loss * HELPED && *loss < 1.0 {
            *tries = tries.saturating_add(1);
        }
        *tries >= TRIES
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
        for limit in limits.iter().skip(1) {
            let limit = limit.unwrap();
            assert!((500_000..=800_000).contains(&limit), "{limits:?}");
        }
    }

    #[test]
    fn a_bad_path_is_not_made_worse() {
        let limits = follow(50, |_| 0.3);
        let limited = limits.iter().filter(|limit| limit.is_some()).count();
        assert!(limited <= 4, "{limits:?}");
    }

    #[test]
    fn a_path_that_is_wide_again_is_limited_no_longer() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        limit.report(0.5, WANTED, start);
        assert_eq!(limit.get(start), None, "once is chance");
        limit.report(0.5, WANTED, start);
        assert_eq!(limit.get(start), Some(425_000));
        for second in 1..30 {
            let now = start + Duration::from_secs(second);
            limit.report(0.0, limit.get(now).unwrap_or(WANTED).min(WANTED), now);
        }
        let last = start + Duration::from_secs(29);
        assert!(limit.get(last).is_some_and(|limit| limit > WANTED));
        limit.release(last);
        assert_eq!(limit.get(last), None);
    }

    #[test]
    fn a_path_that_has_carried_more_a_moment_ago_is_not_taken_for_a_narrower_one() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        limit.report(0.4, WANTED, start);
        limit.report(0.5, 200_000, start + Duration::from_secs(1));
        assert_eq!(limit.get(start + Duration::from_secs(1)), Some(297_499));
        limit.release(start + Duration::from_secs(2));
        assert!(limit.get(start + Duration::from_secs(2)).is_some(), "there was loss of late");
        for second in 2..8 {
            limit.report(0.0, 100_000, start + Duration::from_secs(second));
        }
        let later = start + Duration::from_secs(8);
        assert_eq!(limit.get(later), Some(297_499), "nothing is tried while it is not needed");
    }

    #[test]
    fn a_limit_has_a_floor_and_is_forgotten_without_reports() {
        let (mut limit, start) = (LossLimit::default(), Instant::now());
        limit.report(1.0, 100_000, start);
        limit.report(1.0, 100_000, start);
        assert_eq!(limit.get(start), Some(FLOOR));
        assert_eq!(limit.get(start + STALE), None);
    }
}
