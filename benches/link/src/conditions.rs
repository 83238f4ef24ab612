//! What a direction of a path is like.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest delay, jitter, reordering, queue or spike, in milliseconds: what is longer is a cut.
const MAX_MS: f64 = 60_000.0;

/// Why conditions cannot be had.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
pub enum Error {
    /// A share is not from 0 to 1.
    #[error("{name} is {value}, which is no share from 0 to 1")]
    Share {
        /// Key in [`Conditions`].
        name: &'static str,
        /// What was asked for.
        value: f64,
    },
    /// A time is negative, or longer than a minute.
    #[error("{name} is {value} ms, not between 0 and {MAX_MS}")]
    Time {
        /// Key in [`Conditions`].
        name: &'static str,
        /// What was asked for, in milliseconds.
        value: f64,
    },
    /// A burst is shorter than a packet, or so many packets are lost in bursts that none are left between them.
    #[error("bursts of {length} packets that take {share} of them cannot be made")]
    Burst {
        /// [`Burst::share`].
        share: f64,
        /// [`Burst::length`].
        length: f64,
    },
    /// A rate of nothing is a cut, and has to be called one.
    #[error("a rate of 0 is written as cut")]
    NoRate,
    /// Something was asked of a path whose bytes must all arrive, in their order.
    #[error("{name} is not for TCP: nothing may be lost or change places")]
    Unreliable {
        /// Key in [`Conditions`].
        name: &'static str,
    },
}

/// Packets lost one after the other: a Gilbert-Elliott channel whose bad state lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Share of packets that are lost in bursts, from 0 to less than 1.
    pub share: f64,
    /// Mean length of a burst, in packets, 1 or more.
    pub length: f64,
}

/// Moments in which nothing moves, and after which all that waited comes at once, as on a busy Wi-Fi.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// Mean time from one to the next, in milliseconds.
    pub every_ms: f64,
    /// How long one lasts, in milliseconds.
    pub ms: f64,
}

/// One direction of a path. The default lets everything through at once.
///
/// A packet that arrives may be lost; waits in the queue of the slowest hop for its turn, or is lost when that is full;
/// and travels. On the way it keeps its place unless it is chosen for reordering.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// Share of packets that are lost, each by its own chance.
    pub loss: f64,
    /// Packets lost in a row, beside `loss`.
    pub burst: Option<Burst>,
    /// How long a packet travels, in milliseconds.
    pub delay_ms: f64,
    /// By how much that varies at most, either way, evenly distributed. Order is kept.
    pub jitter_ms: f64,
    /// Moments in which nothing moves.
    pub spike: Option<Spike>,
    /// Share of packets that later ones overtake.
    pub reorder: f64,
    /// By how much a reordered packet is later than it would have been.
    pub reorder_ms: f64,
    /// Share of packets that come twice.
    pub duplicate: f64,
    /// What the slowest hop lets through, in thousand bits a second.
    pub rate_kbps: Option<u32>,
    /// How long a packet may have to wait for that hop, in milliseconds; 200 where it is not given. It has no effect
    /// without a rate.
    pub queue_ms: Option<f64>,
    /// The same as a size in bytes, beside `queue_ms`.
    pub queue_bytes: Option<usize>,
    /// Lets nothing through: packets are lost, bytes wait.
    pub cut: bool,
}

impl Conditions {
    /// Says what is wrong with them, for packets that may be lost.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value) in [("loss", self.loss), ("reorder", self.reorder), ("duplicate", self.duplicate)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Share { name, value });
            }
        }
        let spike = self.spike.unwrap_or(Spike { every_ms: 0.0, ms: 0.0 });
        for (name, value) in [
            ("delay_ms", self.delay_ms),
            ("jitter_ms", self.jitter_ms),
            ("reorder_ms", self.reorder_ms),
            ("queue_ms", self.queue_ms.unwrap_or_default()),
            ("spike.every_ms", spike.every_ms),
            ("spike.ms", spike.ms),
        ] {
            if !(0.0..=MAX_MS).contains(&value) {
                return Err(Error::Time { name, value });
            }
        }
        if let Some(Burst { share, length }) = self.burst
            && !((0.0..1.0).contains(&share) && length >= 1.0 && enter(share, length) <= 1.0)
        {
            return Err(Error::Burst { share, length });
        }
        if self.rate_kbps == Some(0) {
            return Err(Error::NoRate);
        }
        Ok(())
    }

    /// Says what is wrong with them, for bytes of which none may be lost.
    pub fn check_reliable(&self) -> Result<(), Error> {
        self.check()?;
        let unreliable = [
            ("loss", self.loss > 0.0),
            ("burst", self.burst.is_some()),
            ("reorder", self.reorder > 0.0),
            ("duplicate", self.duplicate > 0.0),
        ];
        match unreliable.into_iter().find(|(_, asked)| *asked) {
            Some((name, _)) => Err(Error::Unreliable { name }),
            None => Ok(()),
        }
    }

    /// How long the slowest hop is busy with so many bytes.
    pub(crate) fn transmission(&self, bytes: usize) -> Duration {
        match self.rate_kbps {
            // kbit/s are bits per millisecond.
            Some(kbps) => millis(bytes as f64 * 8.0 / f64::from(kbps)),
            None => Duration::ZERO,
        }
    }

    /// How many bytes may wait for the slowest hop; `None` where nothing waits.
    pub(crate) fn queue_limit(&self) -> Option<usize> {
        let kbps = f64::from(self.rate_kbps?);
        let by_time = (self.queue_ms.unwrap_or(DEFAULT_QUEUE_MS) * kbps / 8.0) as usize;
        Some(self.queue_bytes.map_or(by_time, |bytes| bytes.min(by_time)).max(MIN_QUEUE_BYTES))
    }
}

/// What home routers and base stations hold, by experience; the default of [`Conditions::queue_ms`].
const DEFAULT_QUEUE_MS: f64 = 200.0;

/// A queue that has no room for one packet lets none through.
const MIN_QUEUE_BYTES: usize = 1500;

/// Probability with which a burst begins at a packet between bursts, so that bursts take `share` of all packets.
pub(crate) fn enter(share: f64, length: f64) -> f64 {
    share / ((1.0 - share) * length)
}

/// A time in milliseconds that has been checked, or zero where it would be negative.
pub(crate) fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}
