//! How late things come, learned from what has come.

use std::time::Duration;

/// The width of a class. Finer than the jitter of a quiet Wi-Fi, coarser than the timers that act on it.
pub(super) const CLASS: Duration = Duration::from_millis(10);

/// The number of classes: together a second. What comes later than that is of no more use to a conversation, and counts
/// as one second.
const CLASSES: usize = 100;

/// Where weights are scaled down, long before they lose their precision next to each other.
const MAX_UNIT: f32 = 1e6;

/// A distribution of delays in which old observations fade: each new one makes all before it weigh a little less.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    weights: [f32; CLASSES],
    total: f32,
    /// The weight of the next observation. It grows, instead of all others shrinking.
    unit: f32,
    growth: f32,
}

impl Lateness {
    /// A distribution whose memory is about `memory` observations, and which begins as if `first` had been seen
    /// `weight` times.
    pub(super) fn new(memory: f32, first: Duration, weight: f32) -> Self {
        let mut empty = Self { weights: [0.0; CLASSES], total: 0.0, unit: weight, growth: 1.0 };
        empty.observe(first);
        Self { unit: 1.0, growth: 1.0 + 1.0 / memory.max(1.0), ..empty }
    }

    pub(super) fn observe(&mut self, delay: Duration) {
        let class = usize::try_from(delay.as_millis() / CLASS.as_millis()).unwrap_or(CLASSES);
        if let Some(weight) = self.weights.get_mut(class.min(CLASSES - 1)) {
            *weight += self.unit;
            self.total += self.unit;
        }
        self.unit *= self.growth;
        if self.unit > MAX_UNIT {
            let scale = self.unit.recip();
            self.weights.iter_mut().for_each(|weight| *weight *= scale);
            self.total = self.weights.iter().sum();
            self.unit = 1.0;
        }
    }

    /// The delay that a `share` (0 to 1) of what was observed does not exceed, rounded up to a whole class.
    pub(super) fn quantile(&self, share: f32) -> Duration {
        let wanted = self.total * share;
        let mut below = 0.0;
        let mut edge = Duration::ZERO;
        for weight in &self.weights {
            below += weight;
            edge += CLASS;
            if below >= wanted {
                break;
            }
        }
        edge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_quantile_is_the_upper_edge_of_the_class_that_reaches_it() {
        let mut lateness = Lateness::new(1e6, ms(5), 0.0);
        (0..100).for_each(|count| lateness.observe(ms(count)));
        assert_eq!(lateness.quantile(0.495), ms(50));
        assert_eq!(lateness.quantile(0.95), ms(100));
        assert_eq!(lateness.quantile(1.0), ms(100));
    }

    #[test]
    fn what_was_seen_long_ago_is_forgotten_and_the_beginning_soonest() {
        let mut lateness = Lateness::new(100.0, ms(200), 4.0);
        assert_eq!(lateness.quantile(0.95), ms(210));
        (0..100).for_each(|_| lateness.observe(ms(25)));
        assert_eq!(lateness.quantile(0.95), ms(30));
        (0..10_000_000).for_each(|_| lateness.observe(ms(95)));
        assert_eq!(lateness.quantile(0.0), ms(10));
        assert_eq!(lateness.quantile(0.001), ms(100));
        (0..30).for_each(|_| lateness.observe(ms(400)));
        assert_eq!(lateness.quantile(0.95), ms(410));
    }

    #[test]
    fn what_comes_later_than_a_second_counts_as_a_second() {
        let mut lateness = Lateness::new(100.0, ms(0), 0.0);
        lateness.observe(Duration::MAX);
        assert_eq!(lateness.quantile(0.95), Duration::from_secs(1));
    }
}
