//! The threads that RTMP connections live on: one per core, each with a reactor of its own.
//!
//! A connection wakes for every frame and does a few microseconds of work. On a runtime that steals work, every such
//! wake-up would wake another thread too, to look for work that is not there: that costs several times the work itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The threads. They end when this is dropped.
pub(crate) struct Threads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: CancellationToken,
}

impl Threads {
    /// Starts one thread per core.
    pub(crate) fn start() -> std::io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let stop = CancellationToken::new();
        let handles = (0..count)
            .map(|index| {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let handle = runtime.handle().clone();
                let stop = stop.clone();
                std::thread::Builder::new()
                    .name(format!("rtmp-{index}"))
                    .spawn(move || runtime.block_on(stop.cancelled()))
                    .map(|_| handle)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0), stop })
    }

    /// The thread for the next connection, in turn.
    pub(super) fn next(&self) -> Option<&Handle> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles.get(next % self.handles.len().max(1))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
