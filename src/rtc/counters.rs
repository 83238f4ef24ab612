//! What has been counted of all viewers by WebRTC since the server started.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters, shared by all workers. Each viewer adds to them once a second.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pictures_left_out: AtomicU64,
    nacks: AtomicU64,
    plis: AtomicU64,
}

/// What has been counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Pictures that paths were too narrow for.
    pub(crate) pictures_left_out: u64,
    /// Reports of lost packets, each of which asks for some of them again.
    pub(crate) nacks: u64,
    /// Reports of lost pictures.
    pub(crate) plis: u64,
}

impl Counters {
    /// Adds what one viewer has counted `before` and by `now`.
    pub(super) fn add(&self, before: Counts, now: Counts) {
        let add = |counter: &AtomicU64, before: u64, now: u64| {
            counter.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
        };
        add(&self.pictures_left_out, before.pictures_left_out, now.pictures_left_out);
        add(&self.nacks, before.nacks, now.nacks);
        add(&self.plis, before.plis, now.plis);
    }

    pub(super) fn read(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            pictures_left_out: get(&self.pictures_left_out),
            nacks: get(&self.nacks),
            plis: get(&self.plis),
        }
    }
}
