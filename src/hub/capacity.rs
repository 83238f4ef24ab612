//! What the paths to a stream's players carry: by it a publisher can be steered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use queqiao_room::signal::{MediaKind, Tracks};

/// No path carries as much.
const NOT_LIMITED: u64 = u64::MAX;

/// The video bitrate, in bit/s, that the path to one player carries of one stream.
#[derive(Debug)]
pub(crate) struct Capacity(AtomicU64);

impl Capacity {
    /// The player's session notes what its path carries; `None` while that is as much as the stream has.
    pub(crate) fn note(&self, bits_per_second: Option<u64>) {
        self.0.store(bits_per_second.unwrap_or(NOT_LIMITED), Ordering::Relaxed);
    }

    /// What was noted last; `None` where the path does not limit the stream, or nothing is known of it.
    pub(crate) fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bits| *bits != NOT_LIMITED)
    }
}

/// The capacities of all players of a stream's video. Bounded by the limit of players.
#[derive(Debug, Default)]
pub(super) struct Capacities(Mutex<Vec<Arc<Capacity>>>);

impl Capacities {
    /// One for a player that joins, which counts if it may have the video. It is not limited until it says so.
    pub(super) fn join(&self, tracks: Tracks) -> Arc<Capacity> {
        let capacity = Arc::new(Capacity(AtomicU64::new(NOT_LIMITED)));
        if tracks.has(MediaKind::Video) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&capacity));
        }
        capacity
    }

    pub(super) fn leave(&self, capacity: &Arc<Capacity>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = all.iter().position(|other| Arc::ptr_eq(other, capacity)) {
            all.swap_remove(index);
        }
    }

    pub(super) fn read(&self) -> Vec<Option<u64>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|capacity| capacity.get()).collect()
    }
}
