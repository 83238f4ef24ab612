//! What loss says of a path: whether it is there because too much is sent.
//!
//! Loss alone does not tell a narrow path from a bad one. A narrow path loses less when less is sent, a bad one does not:
//! so the sender tries it, and goes back to what it sent where it was in vain.

use std::time::{Duration, Instant};

use crate::estimate::Report;

/// More loss than this slows the sender down. Retransmission copes with less, and radio links lose as much at any rate.
const TOO_MUCH: f32 = 0.25;

/// With more than this it is not waited for a second report, unless the round trip is known to be short: a queue loses as
/// much that gets several times what it lets through, a radio link only for a moment.
pub(crate) const MOST: f32 = 0.5;

/// With less than this the sender grows.
pub(crate) const LITTLE: f32 = 0.05;

/// A rate of at most this share of the one before must have lowered the loss...
const LOWERED: f64 = 0.85;

/// ...to less than this share of what it was, or it was in vain.
const HELPED: f32 = 0.5;

/// So many reports have to say so: the first ones tell of what was lost before, and of what waited in the queue.
const TRIES: u8 = 3;

/// For how long loss that has nothing to do with the rate is put up with, and up to how many times as much: reports are of
/// a hundred packets.
const FORBEARANCE: Duration = Duration::from_secs(60);
const CHANCE: f32 = 1.5;

/// What a report says of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Hardly anything is lost.
    Little,
    /// As much as retransmission copes with.
    Bearable,
    /// Too much is sent.
    TooMuch,
    /// Less was sent, and as much of it was lost.
    InVain,
}

/// Follows the loss that a receiver reports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    /// Whether the report before told of too much loss.
    high: bool,
    trial: Option<Trial>,
    /// Loss at any rate, and until when it is taken for that.
    inherent: Option<(f32, Instant)>,
}

/// Less is sent because of loss, until hardly anything is lost.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// The loss and the rate that are the reason.
    loss: f32,
    sent: u64,
    /// How many reports tell that it is in vain, and the sum of the loss that they tell of.
    tries: u8,
    sum: f32,
}

impl Loss {
    /// A receiver reports; `may_queue` unless its path is known to have no queue.
    pub(crate) fn judge(&mut self, report: &Report, may_queue: bool, now: Instant) -> Verdict {
        // A single report may be of few packets, or of a moment.
        let is_high = report.loss > self.bearable(now);
        let was_high = std::mem::replace(&mut self.high, is_high);
        if let Some(loss) = self.trial.as_mut().and_then(|trial| trial.is_in_vain(report)) {
            self.inherent = Some((loss, now + FORBEARANCE));
            self.trial = None;
            return Verdict::InVain;
        }
        match report.loss {
            loss if is_high && (was_high || may_queue && loss > MOST) => {
                self.trial.get_or_insert(Trial { loss, sent: report.sent, tries: 0, sum: 0.0 });
                Verdict::TooMuch
            }
            loss if loss < LITTLE => {
                self.trial = None;
                Verdict::Little
            }
            _ => Verdict::Bearable,
        }
    }

    /// The loss up to which the sender goes on as it does.
    fn bearable(&self, now: Instant) -> f32 {
        let inherent = self.inherent.filter(|(_, until)| now < *until);
        inherent.map_or(TOO_MUCH, |(loss, _)| TOO_MUCH.max(loss * CHANCE))
    }
}

impl Trial {
    /// Takes a report. Gives the loss if less was sent for a while, and about as much of it was lost.
    fn is_in_vain(&mut self, report: &Report) -> Option<f32> {
        if (report.sent as f64) <= self.sent as f64 * LOWERED
            && report.loss >= self.loss * HELPED
            && self.loss < 1.0
        {
            self.tries = self.tries.saturating_add(1);
            self.sum += report.loss;
        }
        (self.tries >= TRIES).then(|| self.sum / f32::from(self.tries))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::estimate::{PathEstimate, Report};

    use super::*;

    const WANTED: u64 = 1_000_000;

    fn report(loss: f32, sent: u64) -> Report {
        Report { rtt: None, loss, sent, again: 0, sound: 0, thinned: true }
    }

    /// Reports of a path, one a second, to a sender of at most [`WANTED`]. Returns the limits.
    fn follow(seconds: u64, loss: impl Fn(u64) -> f32) -> Vec<Option<u64>> {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        (0..seconds)
            .map(|second| {
                let now = start + Duration::from_secs(second);
                let sent = path.get(now).unwrap_or(WANTED).min(WANTED);
                path.reported(&report(loss(sent), sent), now);
                path.get(now)
            })
            .collect()
    }

    #[test]
    fn what_retransmission_repairs_does_not_limit() {
        assert!(follow(60, |_| 0.15).iter().all(Option::is_none));
    }

    /// The loss of packets of a thousand bytes, each lost by chance.
    fn by_chance(loss: f32) -> impl Fn(u64) -> f32 {
        let state = Cell::new(1_u64);
        move |sent| {
            let packets = sent / 8_000;
            let lost = (0..packets).filter(|_| {
                state.set(
                    state
                        .get()
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407),
                );
                ((state.get() >> 40) as f32) < loss * (1_u32 << 24) as f32
            });
            lost.count() as f32 / packets as f32
        }
    }

    #[test]
    fn what_is_lost_by_chance_is_seldom_taken_for_too_much_and_not_for_long() {
        for loss in [0.05, 0.1, 0.15, 0.2] {
            let limits = follow(20_000, by_chance(loss));
            let limited = limits.iter().filter(|limit| limit.is_some_and(|limit| limit < WANTED)).count();
            assert!(limited < 400, "{loss}: limited for {limited} of 20000 s");
        }
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
    fn a_path_that_loses_most_of_what_is_sent_is_found_by_the_first_report() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        let flood = Report { again: 250_000, sound: 150_000, ..report(0.6, WANTED) };
        path.reported(&flood, start);
        assert!(path.get(start).is_some_and(|limit| limit.abs_diff(331_500) < 1_000), "85 % of 240 + 150");
    }

    #[test]
    fn a_radio_link_that_loses_most_for_a_moment_is_not_taken_for_a_narrow_path() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        let with_rtt =
            |loss, millis| Report { rtt: Some(Duration::from_millis(millis)), ..report(loss, WANTED) };
        let mut limit_after = |second, loss, millis| {
            let now = start + Duration::from_secs(second);
            path.reported(&with_rtt(loss, millis), now);
            path.get(now)
        };
        assert_eq!(limit_after(0, 0.0, 100), None);
        assert_eq!(limit_after(1, 0.8, 120), None, "no queue");
        assert_eq!(limit_after(2, 0.0, 100), None);
        assert!(limit_after(3, 0.8, 170).is_some(), "the beginning of one");
        let mut path = PathEstimate::default();
        path.reported(&with_rtt(0.8, 400), start);
        assert!(path.get(start).is_some(), "it is not known what the round trip is without one");
    }

    #[test]
    fn a_bad_path_is_not_made_worse() {
        let limits = follow(50, |_| 0.3);
        let limited = limits.iter().filter(|limit| limit.is_some()).count();
        assert!(limited <= 4, "{limits:?}");
    }

    #[test]
    fn a_path_that_is_wide_again_is_limited_no_longer() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(&report(0.5, WANTED), start);
        assert_eq!(path.get(start), None, "once is chance");
        path.reported(&report(0.5, WANTED), start);
        assert_eq!(path.get(start), Some(425_000));
        path.release(start + Duration::from_secs(1));
        assert!(path.get(start + Duration::from_secs(1)).is_some(), "there was loss of late");
        for second in 1..40 {
            let now = start + Duration::from_secs(second);
            path.reported(&report(0.0, path.get(now).unwrap_or(WANTED).min(WANTED)), now);
        }
        let last = start + Duration::from_secs(39);
        assert!(path.get(last).is_some_and(|limit| limit > WANTED));
        path.release(last);
        assert_eq!(path.get(last), None);
    }

    #[test]
    fn a_path_that_has_carried_more_a_moment_ago_is_not_taken_for_a_narrower_one() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(&report(0.4, WANTED), start);
        path.reported(&report(0.5, 200_000), start + Duration::from_secs(1));
        assert_eq!(path.get(start + Duration::from_secs(1)), Some(297_500));
        for second in 2..8 {
            path.reported(&report(0.0, 100_000), start + Duration::from_secs(second));
        }
        assert_eq!(
            path.get(start + Duration::from_secs(8)),
            Some(297_500),
            "nothing is tried while it is not needed"
        );
    }

    #[test]
    fn a_limit_has_a_floor_and_is_forgotten_without_reports() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(&report(1.0, 100_000), start);
        path.reported(&report(1.0, 100_000), start);
        assert_eq!(path.get(start), Some(150_000));
        assert_eq!(path.get(start + Duration::from_secs(10)), None);
    }
}
