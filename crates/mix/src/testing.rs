//! What the tests of this crate have in common.

use std::f32::consts::TAU;

/// Numbers that look random and are the same every time (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }
}

/// Sample `index` of a tone of `hz` at a quarter of full scale.
pub(crate) fn tone(hz: f32, index: i64) -> f32 {
    let seconds = f64::from(i32::try_from(index).unwrap()) / 48_000.0;
    #[allow(clippy::cast_possible_truncation)]
    let turns = (seconds * f64::from(hz)).fract() as f32;
    0.25 * (TAU * turns).sin()
}

/// How loud the tone of `hz` is in `samples`, as an amplitude (Goertzel).
pub(crate) fn amplitude(samples: &[f32], hz: f32) -> f32 {
    let step = TAU * hz / 48_000.0;
    let (mut one, mut two) = (0.0_f32, 0.0_f32);
    for sample in samples {
        (one, two) = (sample + 2.0 * step.cos() * one - two, one);
    }
    let power = one * one + two * two - 2.0 * step.cos() * one * two;
    2.0 * power.max(0.0).sqrt() / samples.len() as f32
}

/// The largest step between two samples that follow each other.
pub(crate) fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}
