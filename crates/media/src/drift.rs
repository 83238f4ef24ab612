//! What it takes to follow a distant clock by when its media arrive: the fastest arrivals of late, and a limit to how
//! fast they are followed.

use crate::time::StreamTime;

/// How fast a publisher's clock as a whole is followed, per second: ten times the error of a bad crystal, and slow
/// enough that a queue in the network leaves no trace.
pub(crate) const DRIFT_PER_SECOND: StreamTime = StreamTime::new(1_000);

/// The shortest time after which a clock is moved: below it a step is a rounding error.
pub(crate) const FOLLOW_INTERVAL: StreamTime = StreamTime::new(10_000);

/// The smallest value of the last 14 to 16 seconds: at 200 ppm of drift it lags by 3 ms, and a network that is never
/// idle for that long carries no call.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentMinimum {
    /// The smallest value of a stretch, with the number of the stretch.
    stretches: [Option<(i64, StreamTime)>; Self::STRETCHES],
}

impl RecentMinimum {
    const STRETCHES: usize = 8;
    const STRETCH: StreamTime = StreamTime::new(2_000_000);

    fn number(now: StreamTime) -> i64 {
        now.get().div_euclid(Self::STRETCH.get())
    }

    pub(crate) fn push(&mut self, now: StreamTime, value: StreamTime) {
        let number = Self::number(now);
        let index = usize::try_from(number.rem_euclid(Self::STRETCHES as i64)).unwrap_or(0);
        if let Some(slot) = self.stretches.get_mut(index) {
            let same = slot.filter(|(stretch, _)| *stretch == number);
            *slot = Some((number, same.map_or(value, |(_, least)| least.min(value))));
        }
    }

    pub(crate) fn get(&self, now: StreamTime) -> Option<StreamTime> {
        let oldest = Self::number(now) - (Self::STRETCHES as i64 - 1);
        self.stretches
            .iter()
            .flatten()
            .filter(|(stretch, _)| *stretch >= oldest)
            .map(|(_, least)| *least)
            .min()
    }
}

/// As much of `error` as may be corrected within `elapsed`.
pub(crate) fn bounded(error: StreamTime, elapsed: StreamTime, per_second: StreamTime) -> StreamTime {
    let most = elapsed.get().max(0).saturating_mul(per_second.get()) / 1_000_000;
    error.clamp(StreamTime::new(-most), StreamTime::new(most))
}
