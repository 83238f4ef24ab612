//! When to play what arrives unevenly.

use std::time::Duration;

use super::lateness::Lateness;
use crate::time::StreamTime;

/// The share of frames that arrive before they are due. One frame in fifty is then made up for, and ears forgive that
/// sooner than the delay that the last ones would cost.
const IN_TIME: f32 = 0.98;

/// The memory in frames: ten seconds of 20 ms each, in which a phone changes its place in a room.
const MEMORY: f32 = 500.0;

/// What the beginning counts for, in frames: one second's worth has outvoted it.
const FIRST_WEIGHT: f32 = 2.0;

/// The shortest target: one frame of AAC, and what timers are off.
pub const MIN_PLAYOUT: Duration = Duration::from_millis(30);

/// The longest target. A conversation bears no more on top of the network's own delay.
pub const MAX_PLAYOUT: Duration = Duration::from_millis(400);

/// The target before anything is known: two frames of AAC behind the first.
const FIRST_PLAYOUT: Duration = Duration::from_millis(50);

/// How long the fastest frame counts at least, and half of how long it counts at most: a path that has become slower,
/// or a clock that is off, moves the whole by then.
const BASE_WINDOW: StreamTime = StreamTime::new(5_000_000);

/// Finds how far behind the fastest frames of a track one has to play so that nearly all of its frames are there in
/// time, from when they arrive.
///
/// It follows the measured distribution of how much later than the fastest frames the others came, forgets what is long
/// ago, and stays between [`MIN_PLAYOUT`] and [`MAX_PLAYOUT`]. It gives a target; how a player gets there (by stretching,
/// or in a pause) is the player's.
#[derive(Clone, Debug)]
pub struct PlayoutTarget {
    lateness: Lateness,
    base: Base,
}

/// The smallest difference between arrival and time, over the present window and the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Base {
    /// When the present window began; none before the first frame.
    began: Option<StreamTime>,
    present: Option<StreamTime>,
    before: Option<StreamTime>,
}

impl Default for PlayoutTarget {
    fn default() -> Self {
        Self { lateness: Lateness::new(MEMORY, FIRST_PLAYOUT, FIRST_WEIGHT), base: Base::default() }
    }
}

impl PlayoutTarget {
    /// Takes note of a frame that is heard at `time` on its own timeline and came at `arrival` on the listener's.
    pub fn observe(&mut self, time: StreamTime, arrival: StreamTime) {
        let delay = arrival - time;
        let base = self.base.observe(delay, arrival);
        self.lateness.observe((delay - base).to_duration());
    }

    /// How far behind the fastest frames to play.
    #[must_use]
    pub fn target(&self) -> Duration {
        self.lateness.quantile(IN_TIME).clamp(MIN_PLAYOUT, MAX_PLAYOUT)
    }

    /// When, on the listener's timeline, a frame of `time` is to be played; none before the first frame.
    #[must_use]
    pub fn due(&self, time: StreamTime) -> Option<StreamTime> {
        let base = self.base.smallest()?;
        Some(time + base + StreamTime::from_duration(self.target()))
    }
}

impl Base {
    fn observe(&mut self, delay: StreamTime, arrival: StreamTime) -> StreamTime {
        if self.began.is_none_or(|began| arrival - began >= BASE_WINDOW) {
            self.began = Some(arrival);
            self.before = self.present.take();
        }
        self.present = Some(self.present.map_or(delay, |smallest| smallest.min(delay)));
        self.smallest().unwrap_or(delay)
    }

    fn smallest(&self) -> Option<StreamTime> {
        match (self.present, self.before) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}
