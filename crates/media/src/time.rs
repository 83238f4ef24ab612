//! Timestamps that carry their clock.
//!
//! Wire clocks wrap at 2^32; nothing inside does. [`Unwrapper`] turns one into the other, once, at the edge.

use std::time::Duration;

/// A point in time, or a span, counted in ticks of a clock of `HZ` ticks per second.
///
/// The origin is whatever the producer says; two values may only be compared when they share one.
/// The range is that of `i64`: at 90 kHz three million years. All arithmetic saturates, so that no input can panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks<const HZ: u32>(i64);

/// The RTMP and FLV clock: milliseconds.
pub type Millis = Ticks<1_000>;
/// The RTP clock of H.264 (RFC 6184 section 5.1): 90 kHz.
pub type VideoTicks = Ticks<90_000>;
/// The RTP clock of Opus (RFC 7587 section 4.1): 48 kHz.
pub type AudioTicks = Ticks<48_000>;
/// The timeline of a stream: microseconds since the stream's epoch, shared by its audio and its video.
pub type StreamTime = Ticks<1_000_000>;

impl<const HZ: u32> Ticks<HZ> {
    /// The origin of the clock, and the empty span.
    pub const ZERO: Self = Self(0);

    /// Wraps a count of ticks.
    #[must_use]
    pub const fn new(ticks: i64) -> Self {
        Self(ticks)
    }

    /// The count of ticks.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The low 32 bits, as they go on the wire.
    #[must_use]
    pub const fn wire(self) -> u32 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            self.0 as u32
        }
    }

    /// A span of the given length, rounded down to whole ticks.
    #[must_use]
    pub fn from_duration(duration: Duration) -> Self {
        let ticks = duration.as_nanos().saturating_mul(u128::from(HZ)) / 1_000_000_000;
        Self(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// The span as a [`Duration`], zero if it is negative.
    #[must_use]
    pub fn to_duration(self) -> Duration {
        let nanos = u128::from(self.0.max(0).unsigned_abs()) * 1_000_000_000 / u128::from(HZ);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The same instant on a clock of another rate, rounded to the nearest tick.
    #[must_use]
    pub fn rescale<const TO: u32>(self) -> Ticks<TO> {
        let scaled = i128::from(self.0) * i128::from(TO);
        let half = i128::from(HZ / 2);
        let rounded = (scaled + half).div_euclid(i128::from(HZ));
        Ticks(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl<const HZ: u32> std::ops::Add for Ticks<HZ> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl<const HZ: u32> std::ops::Sub for Ticks<HZ> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl<const HZ: u32> std::ops::AddAssign for Ticks<HZ> {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Follows a 32-bit wire timestamp across its wraparounds, forwards and backwards.
///
/// A step of less than 2^31 ticks in either direction is taken as it is, so reordered values unwrap correctly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapper {
    last: Option<i64>,
}

impl Unwrapper {
    /// The 64-bit value of `wire`. The first value is returned unchanged.
    pub fn unwrap_u32(&mut self, wire: u32) -> i64 {
        let value = match self.last {
            None => i64::from(wire),
            Some(last) => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let step = wire.wrapping_sub(last as u32);
                last.saturating_add(i64::from(step.cast_signed()))
            }
        };
        self.last = Some(value);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_rtp_ticks_exactly() {
        assert_eq!(Millis::new(40).rescale::<90_000>(), VideoTicks::new(3_600));
        assert_eq!(Millis::new(-1).rescale::<48_000>(), AudioTicks::new(-48));
    }

    #[test]
    fn rescaling_rounds_to_the_nearest_tick() {
        assert_eq!(VideoTicks::new(89).rescale::<1_000>(), Millis::new(1));
        assert_eq!(VideoTicks::new(44).rescale::<1_000>(), Millis::new(0));
        assert_eq!(VideoTicks::new(-89).rescale::<1_000>(), Millis::new(-1));
    }

    #[test]
    fn rescaling_the_extremes_saturates() {
        assert_eq!(Ticks::<1>::new(i64::MAX).rescale::<90_000>().get(), i64::MAX);
        assert_eq!(Ticks::<1>::new(i64::MIN).rescale::<90_000>().get(), i64::MIN);
    }

    #[test]
    fn a_wire_clock_unwraps_across_two_to_the_32_and_back() {
        let mut clock = Unwrapper::default();
        assert_eq!(clock.unwrap_u32(u32::MAX), i64::from(u32::MAX));
        assert_eq!(clock.unwrap_u32(1), i64::from(u32::MAX) + 2);
        assert_eq!(clock.unwrap_u32(u32::MAX), i64::from(u32::MAX));
        assert_eq!(clock.unwrap_u32(2).rem_euclid(1 << 32), 2);
    }

    #[test]
    fn durations_convert_both_ways() {
        assert_eq!(VideoTicks::from_duration(Duration::from_millis(20)), VideoTicks::new(1_800));
        assert_eq!(VideoTicks::new(1_800).to_duration(), Duration::from_millis(20));
        assert_eq!(VideoTicks::new(-5).to_duration(), Duration::ZERO);
    }
}
