//! How long to wait before another attempt.

use std::time::Duration;

/// The first retry is quick: most failures are a network that changed and is back.
const FIRST: Duration = Duration::from_millis(500);

/// Nobody should wait longer than this after the server came back.
const MAX: Duration = Duration::from_secs(8);

/// Twice as long every time up to a limit, less up to a quarter so that clients do not return all at once.
///
/// `attempt` counts from 0; `random` is in 0 to 1.
pub(super) fn delay(attempt: u32, random: f64) -> Duration {
    let full = FIRST.saturating_mul(1 << attempt.min(16)).min(MAX);
    full.mul_f64(1.0 - random.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_eight_seconds() {
        let waits: Vec<u128> = (0..6).map(|attempt| delay(attempt, 0.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(delay(u32::MAX, 0.0), MAX);
    }

    #[test]
    fn chance_shortens_the_wait_by_a_quarter_at_most() {
        assert_eq!(delay(1, 1.0), Duration::from_millis(750));
        assert!(delay(1, 0.5) > delay(1, 1.0));
    }
}
