//! How long a track has to wait so that what is late is still in time.

/// Samples of a millisecond.
const MS: i64 = 48;

/// The shortest wait, in samples: what the clocks of two machines and the slices of a scheduler differ by anyway.
pub const MIN_TARGET: i64 = 10 * MS;

/// The longest wait, in samples. Beyond it a conversation suffers more from the delay than from the holes.
pub const MAX_TARGET: i64 = 400 * MS;

/// The wait before anything has been measured, in samples: three packets, as a network of phones needs it.
const FIRST_TARGET: i64 = 60 * MS;

/// The width of a class of lateness, in samples.
const CLASS: i64 = 5 * MS;

/// How many classes there are: enough for [`MAX_TARGET`].
const CLASSES: usize = 81;

/// What one frame counts for: the memory of the estimate is this many frames long, some ten seconds.
const MEMORY: f32 = 500.0;

/// What the first guess counts for: it gives way after some seconds of sound.
const GUESS_WEIGHT: f32 = 0.03;

/// The part of frames that may come too late. They are concealed, and 20 ms of that in a second nobody notices.
const MAY_BE_LATE: f32 = 0.02;

/// How long the quickest way of a frame is remembered, in samples: long enough to hold a quick one, short enough to follow
/// a clock that is 200 ppm slow to one millisecond.
const WINDOW: i64 = 5_000 * MS;

/// Measures how much later than the quickest ones frames come, and says for how long to wait for them.
#[derive(Debug)]
pub(crate) struct Delay {
    /// The least distance of arrival and end of a frame, in this window and in the one before it.
    quickest: Option<[i64; 2]>,
    window_start: i64,
    classes: [f32; CLASSES],
    target: i64,
}

impl Default for Delay {
    fn default() -> Self {
        let mut classes = [0.0; CLASSES];
        if let Some(class) = classes.get_mut(class_of(FIRST_TARGET - 1)) {
            *class = GUESS_WEIGHT;
        }
        Self { quickest: None, window_start: 0, classes, target: FIRST_TARGET }
    }
}

impl Delay {
    /// Takes a frame that came at `arrival` and whose last sample has the number `end`.
    pub(crate) fn observe(&mut self, arrival: i64, end: i64) {
        let distance = arrival.saturating_sub(end);
        let [before, current] = self.quickest.unwrap_or([distance; 2]);
        if self.quickest.is_none() {
            self.window_start = arrival;
        }
        self.quickest = Some(if arrival.saturating_sub(self.window_start) > WINDOW {
            self.window_start = arrival;
            [current, distance]
        } else {
            [before, current.min(distance)]
        });
        let late = distance.saturating_sub(self.base());
        // A path that stood still, not one that jitters: no wait would have helped.
        if late > MAX_TARGET {
            return;
        }
        for weight in &mut self.classes {
            *weight *= 1.0 - 1.0 / MEMORY;
        }
        if let Some(weight) = self.classes.get_mut(class_of(late)) {
            *weight += 1.0 / MEMORY;
        }
        self.target = self.quantile();
    }

    /// The distance of the quickest frames from the numbers of their samples.
    pub(crate) fn base(&self) -> i64 {
        self.quickest.map_or(0, |[before, current]| before.min(current))
    }

    /// For how long a frame waits after the moment at which the quickest ones would have come, in samples.
    pub(crate) const fn target(&self) -> i64 {
        self.target
    }

    /// The numbers of samples begin anew; how late frames are does not.
    pub(crate) const fn renumber(&mut self) {
        self.quickest = None;
    }

    fn quantile(&self) -> i64 {
        let total: f32 = self.classes.iter().sum();
        let mut later = 0.0;
        let needed = self.classes.iter().rposition(|weight| {
            later += weight;
            later > total * MAY_BE_LATE
        });
        let classes = needed.map_or(0, |class| i64::try_from(class + 1).unwrap_or(i64::MAX));
        classes.saturating_mul(CLASS).clamp(MIN_TARGET, MAX_TARGET)
    }
}

fn class_of(late: i64) -> usize {
    usize::try_from(late.max(0) / CLASS).unwrap_or(usize::MAX).min(CLASSES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// The target after `frames` frames of 20 ms, each later by what `late` says, in milliseconds.
    fn target(frames: i64, mut late: impl FnMut(i64) -> i64) -> i64 {
        let mut delay = Delay::default();
        for frame in 0..frames {
            delay.observe(frame * 960 + late(frame) * MS, frame * 960);
        }
        delay.target() / MS
    }

    #[test]
    fn the_wait_shrinks_to_the_least_where_nothing_is_late() {
        assert_eq!(target(10, |_| 0), 60, "a guess at first");
        assert_eq!(target(1_000, |_| 0), 10);
    }

    #[test]
    fn the_wait_is_what_all_but_the_latest_frames_need() {
        for jitter in [20_u64, 60, 150] {
            let mut random = Random::new(jitter);
            let needed = target(2_000, |_| i64::try_from(random.below(jitter)).unwrap());
            let jitter = i64::try_from(jitter).unwrap();
            assert!((jitter - 10..=jitter + 5).contains(&needed), "{needed} of {jitter}");
        }
    }

    #[test]
    fn the_wait_has_a_bound_whatever_comes() {
        assert_eq!(target(2_000, |frame| frame % 21 * 20), MAX_TARGET / MS);
        assert_eq!(target(2_000, |frame| frame % 3 * 5_000), MIN_TARGET / MS);
    }

    #[test]
    fn a_clock_that_drifts_is_no_jitter() {
        let mut delay = Delay::default();
        for frame in 0..50 * 600 {
            let drift = frame * 960 / 5_000;
            delay.observe(frame * 960 - drift, frame * 960);
            delay.observe(frame * 960 + drift, frame * 960 + 2 * drift);
        }
        assert_eq!(delay.target(), MIN_TARGET);
    }
}
