//! What the paths to a stream's players carry: by it a publisher can be steered.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queqiao_room::signal::{MediaKind, Tracks};

/// No path carries as much.
const NOT_LIMITED: u64 = u64::MAX;

/// The video bitrate, in bit/s, that the path to one player carries of one stream.
#[derive(Debug)]
pub(crate) struct Capacity {
    bits: AtomicU64,
    /// How many of the server are limited: this one is counted while it is.
    limited: Arc<AtomicUsize>,
}

impl Capacity {
    /// The player's session notes what its path carries; `None` while that is as much as matters.
    pub(crate) fn note(&self, bits_per_second: Option<u64>) {
        let bits = bits_per_second.unwrap_or(NOT_LIMITED);
        let before = self.bits.swap(bits, Ordering::Relaxed);
        match (before == NOT_LIMITED, bits == NOT_LIMITED) {
            (true, false) => drop(self.limited.fetch_add(1, Ordering::Relaxed)),
            (false, true) => drop(self.limited.fetch_sub(1, Ordering::Relaxed)),
            (true, true) | (false, false) => {}
        }
    }

    /// What was noted last; `None` where the path does not limit the stream, or nothing is known of it.
    pub(crate) fn get(&self) -> Option<u64> {
        Some(self.bits.load(Ordering::Relaxed)).filter(|bits| *bits != NOT_LIMITED)
    }
}

/// The capacities of all players of a stream's video. Bounded by the limit of players.
#[derive(Debug)]
pub(super) struct Capacities {
    all: Mutex<Vec<Arc<Capacity>>>,
    limited: Arc<AtomicUsize>,
}

impl Capacities {
    /// None yet. `limited` counts those of the server that are limited.
    pub(super) const fn new(limited: Arc<AtomicUsize>) -> Self {
        Self { all: Mutex::new(Vec::new()), limited }
    }

    /// Whether the path of any player is limited.
    pub(super) fn any_limited(&self) -> bool {
        self.lock().iter().any(|capacity| capacity.get().is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Capacity>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One for a player that joins, which counts if it may have the video. It is not limited until it says so.
    pub(super) fn join(&self, tracks: Tracks) -> Arc<Capacity> {
        let capacity =
            Arc::new(Capacity { bits: AtomicU64::new(NOT_LIMITED), limited: Arc::clone(&self.limited) });
        if tracks.has(MediaKind::Video) {
            self.lock().push(Arc::clone(&capacity));
        }
        capacity
    }

    pub(super) fn leave(&self, capacity: &Arc<Capacity>) {
        capacity.note(None);
        let mut all = self.lock();
        if let Some(index) = all.iter().position(|other| Arc::ptr_eq(other, capacity)) {
            all.swap_remove(index);
        }
    }

    pub(super) fn read(&self) -> Vec<Option<u64>> {
        self.lock().iter().map(|capacity| capacity.get()).collect()
    }
}
