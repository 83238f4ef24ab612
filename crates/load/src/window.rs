//! The time that is measured.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Participants come.
    Before,
    /// What happens counts.
    Open,
    /// It counts no longer.
    Over,
}

/// What all participants look at to know whether things count. Goes one way.
#[derive(Debug, Default)]
pub struct Window(AtomicU8);

impl Window {
    /// Begins.
    pub fn open(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// Ends.
    pub fn close(&self) {
        self.0.store(2, Ordering::Release);
    }

    /// Where it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            0 => Stage::Before,
            1 => Stage::Open,
            _ => Stage::Over,
        }
    }

    /// Whether things count.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage() == Stage::Open
    }
}
