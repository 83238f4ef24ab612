//! The sound of a room for those who can play one stream: everybody who speaks, without the listener's own voice.
//!
//! Sound comes in decoded, at 48 kHz in one channel, stamped with the time of its own stream. Each track waits in a
//! [`Playout`] for as long as its network needs, and a [`Mixer`] takes one block of 1024 samples, an AAC frame, from each
//! at every tick. Nothing here reads a clock: ticks and arrivals come with their time, on one timeline of the caller's.

mod conceal;
mod delay;
mod limiter;
mod mixer;
mod playout;
mod speaker;
mod splice;
#[cfg(test)]
mod testing;

pub use delay::{MAX_TARGET, MIN_TARGET};
pub use mixer::{Lane, MAX_INPUTS, MAX_MIXED, Mixer, Owner, PRIMING, Rendered, Track, Use};
pub use playout::{Counters, Playout};
pub use speaker::{Detector, MIN_HOLD};

use queqiao_media::time::{AudioTicks, StreamTime};

/// Samples a second of everything in this crate.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in a block: those of an AAC frame, 21.3 ms.
pub const BLOCK: usize = 1_024;

/// What a room's sound may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The mixer has as many tracks as it may.
    #[error("a mixer takes at most {limit} tracks")]
    TooManyTracks {
        /// How many those are.
        limit: usize,
    },
}

/// A time in samples.
fn samples(time: StreamTime) -> i64 {
    time.rescale::<SAMPLE_RATE>().get()
}

/// When the block of this number begins, counted from the first.
#[must_use]
pub fn block_time(index: u64) -> StreamTime {
    let block = i64::try_from(BLOCK).unwrap_or(i64::MAX);
    AudioTicks::new(i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(block)).rescale()
}

/// How many whole blocks there are in some time.
#[must_use]
pub fn blocks_in(time: StreamTime) -> u64 {
    let block = i64::try_from(BLOCK).unwrap_or(i64::MAX);
    u64::try_from(samples(time) / block).unwrap_or(0)
}
