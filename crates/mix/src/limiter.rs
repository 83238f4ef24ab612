//! Keeps a sum of voices below full scale without the sound of clipping.

use crate::BLOCK;

/// The loudest that comes out; full scale is 1. What an AAC encoder adds at its steepest stays below full scale.
const CEILING: f32 = 0.9;

/// Samples of one step of the gain, and the delay of the limiter: 1.3 ms, in which it sees what comes.
const STEP: usize = 64;

/// The part of the way back to full gain that is gone in each step: nine tenths in 300 ms.
const RELEASE: f32 = 0.01;

/// A gain that goes down before it must, in a straight line, and up slowly.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    gain: f32,
    waiting: [f32; STEP],
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0, waiting: [0.0; STEP] }
    }
}

impl Limiter {
    /// Limits a block, which comes out [`STEP`] samples late. Returns whether it is silent from end to end.
    pub(crate) fn process(&mut self, block: &mut [f32; BLOCK]) -> bool {
        let mut silent = true;
        for step in block.as_chunks_mut::<STEP>().0 {
            let now = self.waiting;
            self.waiting = *step;
            let (peak, next) = (peak(&now), peak(&self.waiting));
            silent &= peak == 0.0;
            let allowed = allowed(peak).min(allowed(next));
            let target = (self.gain + (1.0 - self.gain) * RELEASE).min(allowed);
            if self.gain >= 1.0 && target >= 1.0 {
                *step = now;
                continue;
            }
            let slope = (target - self.gain) / STEP as f32;
            for ((index, sample), now) in (1_u8..).zip(step.iter_mut()).zip(now) {
                // Not `mul_add`: where it may not be taken for granted that there is one, that is a call for each sample.
                *sample = now * (slope * f32::from(index) + self.gain);
            }
            // So that quiet rooms take the short way again.
            self.gain = if target > 0.9999 { 1.0 } else { target };
        }
        silent
    }
}

fn peak(samples: &[f32; STEP]) -> f32 {
    samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
}

fn allowed(peak: f32) -> f32 {
    if peak > CEILING { CEILING / peak } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::tone;

    fn limit(sound: &[f32]) -> Vec<f32> {
        let mut limiter = Limiter::default();
        let blocks = sound.chunks_exact(BLOCK).flat_map(|chunk| {
            let mut block: [f32; BLOCK] = chunk.try_into().unwrap();
            limiter.process(&mut block);
            block
        });
        blocks.collect()
    }

    #[test]
    fn what_is_not_too_loud_comes_out_as_it_was() {
        let sound: Vec<f32> = (0..4_096).map(|index| tone(440.0, index)).collect();
        assert_eq!(limit(&sound)[STEP..], sound[..4_096 - STEP]);
    }

    #[test]
    fn four_voices_at_once_keep_their_shape_and_the_gain_comes_back() {
        let voices = |index: i64| if index < 24_576 { 5.6 * tone(300.0, index) } else { tone(300.0, index) };
        let limited = limit(&(0..96 * 1_024).map(voices).collect::<Vec<_>>());
        assert!(limited.iter().all(|sample| sample.abs() <= CEILING + 1e-4));
        let loud = &limited[9_600..14_400];
        assert!((crate::testing::amplitude(loud, 300.0) - CEILING).abs() < 0.03, "no more than need be");
        assert!(crate::testing::amplitude(loud, 900.0) < 0.01, "no distortion");
        let later = &limited[24_576 + 48_000..24_576 + 52_800];
        assert!(crate::testing::amplitude(later, 300.0) > 0.24);
    }

    proptest! {
        #[test]
        fn nothing_comes_out_louder_than_the_ceiling(
            peaks in proptest::collection::vec((0_usize..4_096, -9.0_f32..9.0), 0..40),
        ) {
            let mut sound = vec![0.1; 4_096];
            for (index, value) in peaks {
                sound[index] = value;
            }
            prop_assert!(limit(&sound).iter().all(|sample| sample.abs() <= CEILING + 1e-4));
        }
    }
}
