//! How far players over TCP are behind live, and what they have to do without.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use queqiao_media::governor::Counts;

/// Nothing is stuck.
const FLOWS: u64 = u64::MAX;

/// The lag of one player.
#[derive(Debug)]
pub(crate) struct Lag {
    epoch: Instant,
    /// As it was last measured, in milliseconds.
    measured: AtomicU64,
    /// While nothing gets out: since when, in milliseconds since `epoch`.
    stuck: AtomicU64,
}

impl Lag {
    fn new(epoch: Instant) -> Self {
        Self { epoch, measured: AtomicU64::new(0), stuck: AtomicU64::new(FLOWS) }
    }

    /// Notes a lag that was measured just now.
    pub(crate) fn note(&self, lag: Duration) {
        self.measured.store(millis(lag), Ordering::Relaxed);
        self.stuck.store(FLOWS, Ordering::Relaxed);
    }

    /// Notes that nothing gets out of what arrived at `since`, or after it.
    pub(crate) fn note_stuck(&self, since: Instant) {
        self.stuck.store(millis(since.saturating_duration_since(self.epoch)), Ordering::Relaxed);
    }

    /// How far the player is behind at `now`.
    pub(crate) fn get(&self, now: Instant) -> Duration {
        let measured = self.measured.load(Ordering::Relaxed);
        let stuck = self.stuck.load(Ordering::Relaxed);
        let waited = millis(now.saturating_duration_since(self.epoch)).saturating_sub(stuck);
        Duration::from_millis(measured.max(waited))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The lags of all players over TCP of a stream. Bounded by the limit of players.
#[derive(Debug, Default)]
pub(super) struct Lags(Mutex<Vec<Arc<Lag>>>);

impl Lags {
    pub(super) fn join(&self, epoch: Instant) -> Arc<Lag> {
        let lag = Arc::new(Lag::new(epoch));
        self.lock().push(Arc::clone(&lag));
        lag
    }

    pub(super) fn leave(&self, lag: &Arc<Lag>) {
        let mut all = self.lock();
        if let Some(index) = all.iter().position(|other| Arc::ptr_eq(other, lag)) {
            all.swap_remove(index);
        }
    }

    /// The largest of them; none without a player.
    pub(super) fn worst(&self, now: Instant) -> Option<Duration> {
        self.lock().iter().map(|lag| lag.get(now)).max()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Lag>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upper bounds of the histogram's buckets: what nobody notices, the default lag and its parts, and what ends a
/// conversation.
pub(crate) const BUCKETS: [Duration; 8] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_millis(750),
    Duration::from_millis(1_000),
    Duration::from_millis(5_000),
];

/// What all players over TCP have seen since the server started.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Seconds of players by their largest lag; the last bucket is for what is beyond all bounds.
    seconds: [AtomicU64; BUCKETS.len() + 1],
    /// The sum of those lags, in milliseconds.
    sum: AtomicU64,
    disposable: AtomicU64,
    pictures: AtomicU64,
    groups: AtomicU64,
    audio: AtomicU64,
    rebases: AtomicU64,
}

/// A reading of [`Delivery`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) seconds: [u64; BUCKETS.len() + 1],
    /// In milliseconds.
    pub(crate) sum: u64,
    pub(crate) counts: Counts,
}

impl Delivery {
    /// A player was at most `lag` behind in the last `seconds` seconds.
    pub(crate) fn observe(&self, lag: Duration, seconds: u64) {
        let bucket = BUCKETS.iter().position(|bound| lag <= *bound).unwrap_or(BUCKETS.len());
        if let Some(bucket) = self.seconds.get(bucket) {
            bucket.fetch_add(seconds, Ordering::Relaxed);
        }
        self.sum.fetch_add(millis(lag).saturating_mul(seconds), Ordering::Relaxed);
    }

    /// A player had to do without so much more.
    pub(crate) fn count(&self, counts: Counts) {
        for (total, more) in [
            (&self.disposable, counts.disposable),
            (&self.pictures, counts.pictures),
            (&self.groups, counts.groups),
            (&self.audio, counts.audio),
            (&self.rebases, counts.rebases),
        ] {
            total.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Delivered {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Delivered {
            seconds: std::array::from_fn(|bucket| self.seconds.get(bucket).map_or(0, read)),
            sum: read(&self.sum),
            counts: Counts {
                disposable: read(&self.disposable),
                pictures: read(&self.pictures),
                groups: read(&self.groups),
                audio: read(&self.audio),
                rebases: read(&self.rebases),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_of_a_player_that_is_stuck_grows_until_it_is_measured_again() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let lags = Lags::default();
        assert_eq!(lags.worst(start), None);
        let (stuck, well) = (lags.join(start), lags.join(start));
        stuck.note(Duration::from_millis(20));
        well.note(Duration::from_millis(30));
        let worst = |now| lags.worst(now).map(|lag| lag.as_millis());
        assert_eq!(worst(at(9_000)), Some(30), "nothing sent is no lag");
        stuck.note_stuck(at(1_000));
        assert_eq!(worst(at(4_000)), Some(3_000));
        stuck.note(Duration::from_millis(100));
        assert_eq!(worst(at(4_000)), Some(100));
        lags.leave(&stuck);
        assert_eq!(worst(at(4_000)), Some(30));
    }

    #[test]
    fn seconds_are_counted_by_their_largest_lag() {
        let delivery = Delivery::default();
        delivery.observe(Duration::from_millis(50), 2);
        delivery.observe(Duration::from_millis(51), 1);
        delivery.observe(Duration::from_secs(60), 3);
        delivery.count(Counts { pictures: 4, groups: 1, ..Counts::default() });
        delivery.count(Counts { pictures: 2, rebases: 1, ..Counts::default() });
        let read = delivery.read();
        assert_eq!(read.seconds, [2, 1, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(read.sum, 180_151);
        assert_eq!(read.counts, Counts { pictures: 6, groups: 1, rebases: 1, ..Counts::default() });
    }
}
