use std::time::{Duration, Instant};

/// A leaky bucket, kept as the time at which it will be empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    empty_at: Option<Instant>,
    burst: u32,
    interval: Duration,
}

impl Meter {
    pub(crate) const fn new(burst: u32, interval: Duration) -> Self {
        Self { empty_at: None, burst, interval }
    }

    /// Pours one in, or says how long to wait until it fits.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let empty_at = self.empty_at.map_or(now, |at| at.max(now));
        let room = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let level = empty_at.saturating_duration_since(now);
        if level > room {
            return Err(level.saturating_sub(room));
        }
        self.empty_at = empty_at.checked_add(self.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_for_each_interval() {
        let start = Instant::now();
        let mut meter = Meter::new(3, Duration::from_millis(100));
        for _ in 0..3 {
            meter.take(start).unwrap();
        }
        assert_eq!(meter.take(start), Err(Duration::from_millis(100)));
        let later = start + Duration::from_millis(100);
        meter.take(later).unwrap();
        assert!(meter.take(later).is_err());
        let much_later = later + Duration::from_secs(1);
        for _ in 0..3 {
            meter.take(much_later).unwrap();
        }
        assert!(meter.take(much_later).is_err());
    }
}
