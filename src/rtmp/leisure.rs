//! When publishers without an audience are read: together, a few times a second. Whom a mix hears is read at its times
//! ([`Hub::next_mix_input`](crate::hub::Hub::next_mix_input)).

use std::time::{Duration, Instant};

/// How long a publisher is without players before it is read at other times than it sends.
pub(super) const LEISURE_AFTER: Duration = Duration::from_secs(2);

/// How often a publisher without an audience is read. Its frames only feed the cached GOP, and whoever joins has them
/// read at once.
const LEISURE: Duration = Duration::from_millis(200);

/// Publishers without an audience are read at this many different times within [`LEISURE`]: together, so that their
/// thread wakes once for many, but not all together, so that nobody else waits for long.
const LEISURE_SLOTS: u32 = 4;

/// The next of the times at which a publisher without an audience is read that connected at `opened`.
pub(super) fn next_batch(epoch: Instant, opened: Instant, now: Instant) -> Instant {
    let slot = opened.duration_since(epoch).subsec_millis() % LEISURE_SLOTS;
    let offset = LEISURE / LEISURE_SLOTS * slot;
    let since = (now.duration_since(epoch) + LEISURE - offset).as_nanos() % LEISURE.as_nanos();
    now + LEISURE - Duration::from_nanos(u64::try_from(since).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_without_an_audience_are_read_together_at_a_few_fixed_times() {
        let epoch = Instant::now();
        let at = |millis| epoch + Duration::from_millis(millis);
        assert_eq!(next_batch(epoch, at(8), at(1_010)), at(1_200));
        assert_eq!(next_batch(epoch, at(400), at(1_190)), at(1_200), "another of the same slot");
        assert_eq!(next_batch(epoch, at(8), at(1_200)), at(1_400), "never twice at once");
        assert_eq!(next_batch(epoch, at(9), at(1_190)), at(1_250));
        assert_eq!(next_batch(epoch, at(3), at(100)), at(150), "before its slot's first time");
    }
}
