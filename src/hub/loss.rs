//! How much of a stream is lost on the way to its players: what its encoder prepares for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// In which time a report loses half its weight. Receivers report every one to five seconds: a bad path stays known
/// between two of its reports, and is forgotten soon after its player has left.
const HALF_LIFE: Duration = Duration::from_secs(5);

/// Less than this is none: one packet in five hundred.
const NEGLIGIBLE: f32 = 0.002;

/// The greatest loss that players report, which fades unless it is reported again.
#[derive(Debug, Default)]
pub(super) struct Loss(Mutex<Option<(f32, Instant)>>);

impl Loss {
    /// A player reports that it lost this fraction of what was sent to it, 0 to 1, since its report before.
    pub(super) fn note(&self, fraction: f32, now: Instant) {
        let mut worst = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Also false for what is not a number.
        if fraction >= NEGLIGIBLE && fraction >= faded(*worst, now) {
            *worst = Some((fraction.min(1.0), now));
        }
    }

    /// The fraction to reckon with now.
    pub(super) fn read(&self, now: Instant) -> f32 {
        faded(*self.0.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

fn faded(worst: Option<(f32, Instant)>, now: Instant) -> f32 {
    let Some((fraction, at)) = worst else { return 0.0 };
    let age = now.saturating_duration_since(at).as_secs_f32() / HALF_LIFE.as_secs_f32();
    let faded = fraction * (-age).exp2();
    if faded < NEGLIGIBLE { 0.0 } else { faded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_path_counts_and_a_better_one_does_not_hide_it() {
        let (loss, start) = (Loss::default(), Instant::now());
        assert_eq!(loss.read(start), 0.0);
        loss.note(0.05, start);
        loss.note(0.15, start);
        loss.note(0.01, start);
        assert_eq!(loss.read(start), 0.15);
    }

    #[test]
    fn loss_that_is_reported_no_more_fades_and_ends() {
        let (loss, start) = (Loss::default(), Instant::now());
        loss.note(0.16, start);
        assert!((loss.read(start + HALF_LIFE) - 0.08).abs() < 1e-6);
        loss.note(0.10, start + HALF_LIFE);
        assert_eq!(loss.read(start + HALF_LIFE), 0.10, "greater than what is left of the report before");
        assert_eq!(loss.read(start + 20 * HALF_LIFE), 0.0);
    }

    #[test]
    fn reports_beyond_reason_are_taken_for_all_or_nothing() {
        let (loss, start) = (Loss::default(), Instant::now());
        loss.note(f32::NAN, start);
        loss.note(-1.0, start);
        assert_eq!(loss.read(start), 0.0);
        loss.note(7.0, start);
        assert_eq!(loss.read(start), 1.0);
    }
}
