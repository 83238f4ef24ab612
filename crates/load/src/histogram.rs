//! Distributions of durations in bounded memory.

use std::time::Duration;

use serde::Serialize;

/// Each power of two is cut into so many buckets: values are kept to within 1.6 %.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.ilog2();

/// Powers of two above the first [`STEPS`] microseconds: up to 19 hours, beyond which everything falls into the last bucket.
const POWERS: usize = 30;

/// Counts of durations, in microseconds, in buckets that grow with the value.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (POWERS + 1) << STEP_BITS], count: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn push(&mut self, value: Duration) {
        let bucket = bucket(micros(value)).min(self.counts.len().saturating_sub(1));
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The value below or at which this share (0 to 1) of the values lies, rounded up by at most 1.6 %.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        let bucket = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(Duration::from_micros(upper(bucket)).min(self.max))
    }

    /// What a report says of it, in milliseconds.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let milliseconds = |value: Duration| (value.as_secs_f64() * 1e6).round() / 1e3;
        let at = |share| self.percentile(share).map(milliseconds);
        Spread {
            count: self.count,
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: (self.count > 0).then(|| milliseconds(self.max)),
        }
    }
}

/// A distribution in milliseconds; nothing where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many values there are.
    pub count: u64,
    /// Half of them are at most this.
    pub p50: Option<f64>,
    /// 95 of 100 are at most this.
    pub p95: Option<f64>,
    /// 99 of 100 are at most this.
    pub p99: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

fn micros(value: Duration) -> u64 {
    u64::try_from(value.as_micros()).unwrap_or(u64::MAX)
}

/// Values below [`STEPS`] have a bucket each; above, the highest bits decide.
fn bucket(micros: u64) -> usize {
    let power = micros.checked_ilog2().unwrap_or(0).saturating_sub(STEP_BITS);
    let within = micros >> power;
    let index = if micros < STEPS { within } else { (u64::from(power) << STEP_BITS) + within };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let power = (bucket >> STEP_BITS) - 1;
    let within = bucket - (power << STEP_BITS);
    ((within + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_that_is_hardly_wider_than_it() {
        let mut last = 0;
        for value in (0..5_000).chain((5_000..40_000_000).step_by(997)) {
            let index = bucket(value);
            assert!(index >= last, "buckets are in order at {value}");
            last = index;
            let upper = upper(index);
            assert!(
                upper >= value && (upper - value) * 64 <= value.max(64),
                "{value} in {index} up to {upper}"
            );
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.spread(), Spread::default());
        for value in 1..=1000 {
            histogram.push(Duration::from_millis(value));
        }
        let spread = histogram.spread();
        for (found, expected) in [(spread.p50, 500.0), (spread.p95, 950.0), (spread.p99, 990.0)] {
            let found = found.unwrap();
            assert!((expected..expected * 1.02).contains(&found), "{found}, not {expected}");
        }
        assert_eq!((spread.count, spread.max), (1000, Some(1000.0)));
    }

    #[test]
    fn two_merged_are_as_one() {
        let (mut all, mut odd, mut even) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..500_u64 {
            let value = Duration::from_micros(value * value);
            all.push(value);
            if value.as_micros().is_multiple_of(2) { even.push(value) } else { odd.push(value) }
        }
        odd.merge(&even);
        assert_eq!(odd.spread(), all.spread());
    }

    #[test]
    fn what_is_beyond_all_bounds_is_the_maximum() {
        let mut histogram = Histogram::default();
        histogram.push(Duration::MAX);
        histogram.push(Duration::ZERO);
        assert_eq!(histogram.percentile(0.5), Some(Duration::ZERO));
        assert!(histogram.percentile(1.0) > Some(Duration::from_secs(60_000)));
    }
}
