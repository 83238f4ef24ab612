//! What a publisher sends, for its room.

use std::time::{Duration, Instant};

use queqiao_room::signal::Tracks;

/// How long after its first frame it is clear which tracks a publisher sends: encoders start both within half a second.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// What the room has been told of a publisher's tracks.
#[derive(Default)]
pub(super) struct Observed {
    /// When to look at what has come.
    next: Option<Instant>,
    told: Option<Tracks>,
}

impl Observed {
    /// What the room has to be told, once a publisher has had the time to send of each track.
    pub(super) fn news(&mut self, seen: Option<Tracks>, now: Instant) -> Option<Tracks> {
        let seen = seen?;
        let next = *self.next.get_or_insert(now + OBSERVE_INTERVAL);
        if now < next || self.told == Some(seen) {
            return None;
        }
        self.told = Some(seen);
        Some(seen)
    }
}
