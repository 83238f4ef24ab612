//! What all mixes of the server have done.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted by the rooms, read by whoever shows it.
#[derive(Debug, Default)]
pub(in crate::hub) struct Tally {
    blocks: AtomicU64,
    left_out: AtomicU64,
    encoded: AtomicU64,
    dropped: AtomicU64,
}

/// The mixes of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MixCounts {
    /// Rooms that are mixed at present.
    pub(crate) rooms: u64,
    /// Blocks of 1024 samples that were mixed, one for a room however many mixes it has.
    pub(crate) blocks: u64,
    /// Blocks that were left out, because the thread that makes them came too late.
    pub(crate) left_out: u64,
    /// Frames of AAC that were encoded: one for all who hear the same.
    pub(crate) encoded: u64,
    /// Packets of sound that nothing was made of, because too many waited.
    pub(crate) dropped: u64,
}

impl Tally {
    /// A room has a block, after `left_out` that it has not.
    pub(super) fn block(&self, left_out: u64) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.left_out.fetch_add(left_out, Ordering::Relaxed);
    }

    pub(super) fn encoded(&self) {
        self.encoded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted, with `rooms` mixed at present.
    pub(in crate::hub) fn read(&self, rooms: u64) -> MixCounts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        MixCounts {
            rooms,
            blocks: get(&self.blocks),
            left_out: get(&self.left_out),
            encoded: get(&self.encoded),
            dropped: get(&self.dropped),
        }
    }
}
