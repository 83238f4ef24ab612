//! What is told of how a player fares: to the log, to metrics, to the stream's statistics.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::governor::Counts;

use crate::hub::{Lag, Seat, Stream};

/// How long the lag is watched for one observation.
const WINDOW: Duration = Duration::from_secs(1);

/// The most seconds that one look accounts for: a player that is stuck for longer is closed.
const MAX_SECONDS: u64 = 10;

/// What a player had to do without since it was last looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    /// How far it was behind when that was last measured.
    lag: Duration,
    counts: Counts,
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { disposable, pictures, audio, rebases, .. } = self.counts;
        let (pictures, lag) = (disposable + pictures, self.lag.as_millis());
        write!(f, "{lag} ms behind: {pictures} pictures and {audio} frames of sound left out")?;
        if rebases > 0 {
            f.write_str(", back at live after a standstill")?;
        }
        Ok(())
    }
}

/// How a player fared in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// Frames that it had to do without.
    pub(crate) skipped: u64,
    /// Groups of pictures that were cut short.
    pub(crate) groups: u64,
    /// Standstills of its path.
    pub(crate) rebases: u64,
    /// The furthest that it was behind, in milliseconds.
    pub(crate) max_lag_ms: u128,
}

/// Gathers what is told of one player.
pub(super) struct Report {
    stream: Arc<Stream>,
    lag: Arc<Lag>,
    /// When the present window began, and the largest lag in it.
    window: (Instant, Duration),
    worst: Duration,
    last: Duration,
    counted: Counts,
    told: Counts,
}

impl Report {
    pub(super) fn new(seat: &Seat, now: Instant) -> Self {
        let stream = Arc::clone(seat.stream());
        let lag = stream.join_lag();
        Self {
            stream,
            lag,
            window: (now, Duration::ZERO),
            worst: Duration::ZERO,
            last: Duration::ZERO,
            counted: Counts::default(),
            told: Counts::default(),
        }
    }

    /// Nothing gets out of what arrived at `since` or later.
    pub(super) fn stuck(&self, since: Option<Instant>) {
        if let Some(since) = since {
            self.lag.note_stuck(since);
        }
    }

    /// The player is `lag` behind.
    pub(super) fn lag(&mut self, now: Instant, lag: Duration) {
        self.lag.note(lag);
        self.last = lag;
        self.worst = self.worst.max(lag);
        let (since, largest) = self.window;
        let largest = largest.max(lag);
        let span = now.saturating_duration_since(since);
        if span < WINDOW {
            self.window.1 = largest;
        } else {
            self.stream.delivery().observe(largest, span.as_secs().min(MAX_SECONDS));
            self.window = (now, Duration::ZERO);
        }
    }

    /// The player has had to do without `counts` so far. Returns what is worth a word since it was last told: a group cut
    /// short, sound left out, the first pictures that nothing refers to.
    pub(super) fn left_out(&mut self, counts: Counts) -> Option<Departure> {
        if counts == self.counted {
            return None;
        }
        let more = counts - self.counted;
        self.counted = counts;
        self.stream.delivery().count(more);
        self.stream.note_left_out(more.disposable + more.pictures + more.audio);
        let Counts { groups, audio, rebases, .. } = more;
        let first = self.told.disposable == 0 && more.disposable > 0;
        if groups + audio + rebases == 0 && !first {
            return None;
        }
        let untold = counts - self.told;
        self.told = counts;
        Some(Departure { lag: self.last, counts: untold })
    }

    pub(super) fn summary(&self, skipped: u64) -> Summary {
        let Counts { disposable, pictures, groups, audio, rebases } = self.counted;
        let skipped = skipped + disposable + pictures + audio;
        Summary { skipped, groups, rebases, max_lag_ms: self.worst.as_millis() }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.stream.leave_lag(&self.lag);
    }
}
